"""Looks at a running relay: a sample a second, and the whole state when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from rsc_share import names
from rsc_share.relay.commit import is_directory
from rsc_share.relay.live import LiveLog
from rsc_share.relay.net.console.alarms import alarms
from rsc_share.relay.net.console.history import History, Sample
from rsc_share.relay.net.console.state import CodeRow, DiskRow, LogRow, SessionRow, State
from rsc_share.relay.net.disk import Disk
from rsc_share.relay.net.health import DAY, ClockGuard, Health
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.server import RelayServer
from rsc_share.relay.service import Relay


class Watch:
    """`disk` is None for a store in memory. Nothing here changes the relay."""

    def __init__(
        self,
        relay: Relay,
        server: RelayServer,
        meters: Meters,
        health: Health,
        guard: ClockGuard,
        disk: Disk | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay, self._server, self._meters = relay, server, meters
        self._health, self._guard, self._disk, self._monotonic = health, guard, disk, monotonic
        self._history = History()

    def sample(self) -> None:
        """Once a second, by whoever owns the clock."""
        sizes = {origin: log.size for origin, log in self._relay.logs.items()}
        self._history.add(Sample(self._monotonic(), sizes, self._meters.totals()))

    def state(self) -> State:
        """Everything there is to show now."""
        totals, now = self._meters.totals(), self._relay.now()
        found = State(
            at=now,
            host=self._relay.host,
            logs=tuple(self._logs(now)),
            witness_age_most=self._relay.view.parameters.lag * 3 // 8,
            sessions=tuple(self._sessions()),
            refused=self._codes("refused", totals.refused),
            turned_away=self._codes("turned_away", totals.turned_away),
            ended=self._codes("ended", totals.ended),
            connections=self._server.gate.connections,
            durable=self._disk is not None,
            disk=self._space(),
            clock_step=round(self._guard.step, 3),
            clock_off=self._guard.off,
            certificate_days=round((self._health.certificate_end - now) / DAY, 2),
            kept_seconds=round(self._history.seconds, 1),
        )
        return replace(found, alarms=alarms(found))

    def _logs(self, now: int) -> Iterable[LogRow]:
        states = self._health.states()
        logs = self._relay.logs.items()
        for origin, log in sorted(logs, key=lambda item: (not is_directory(item[0]), item[0])):
            yield self._log(log, states[origin], now)

    def _log(self, log: LiveLog, state: str, now: int) -> LogRow:
        quorum, latency = log.witnessing.quorum, self._history.latency(log.origin)
        return LogRow(
            log=log.origin,
            state=state,
            directory=is_directory(log.origin),
            size=log.size,
            witnessed_size=None if quorum is None else quorum.size,
            witness_age=None if quorum is None else max(0, now - quorum.time),
            per_second=round(self._history.rate(log.origin), 2),
            history=tuple((round(ago, 1), round(rate, 2)) for ago, rate in self._history.rates(log.origin)),
            commits=latency.commits,
            commit_p50=_milliseconds(latency.p50),
            commit_p99=_milliseconds(latency.p99),
        )

    def _sessions(self) -> Iterable[SessionRow]:
        for opened in sorted(self._server.sessions, key=lambda opened: opened.token.node):
            node = opened.token.node
            yield SessionRow(names.member_of(node), node, opened.since, opened.serving.side.backlog)

    def _codes(self, kind: str, totals: Mapping[str, int]) -> tuple[CodeRow, ...]:
        """The most frequent first, of late and then of all time."""
        lately = self._history.lately(kind)
        rows = [CodeRow(code, total, lately.get(code, 0)) for code, total in totals.items()]
        return tuple(sorted(rows, key=lambda row: (-row.lately, -row.total, row.code)))

    def _space(self) -> DiskRow | None:
        space = None if self._disk is None else self._disk.look()
        if space is None:
            return None
        return DiskRow(space.free, space.total, round(space.percent, 1), space.store, space.wal, space.room)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
