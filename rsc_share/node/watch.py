"""Waiting for something to do: one question to every relay is always open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rsc_share.errors import Misbehaviour, Refused, RemoteError, RscError, Unavailable
from rsc_share.node.engine import IDLE_SECONDS, Engine
from rsc_share.session.frames import News

ASK_RESTS = 30
"""Seconds without any news after which a node asks for everything all the same: news may have been lost to a fault of
either side, and a question each second from every node would be most of what a relay does."""


class Watch:
    """Keeps `changed` open at every port of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: dict[str, asyncio.Future[News | None]] = {}
        self._for_nothing: set[str] = set()
        self._rests = 0
        self._failed: dict[str, float] = {}
        """When (by the loop's clock) relays are asked again that failed: what fails at once would be asked for ever.
        That second passes for each of them, however much there is to do for others meanwhile."""

    async def rest(self, work: asyncio.Event) -> Mapping[str, News] | None:
        """Until `work` is set, a relay has news or has answered, or a second is over; `work` is not set any more then.
        What is new by relay; None: ask for all of it.

        A task that waits for other tasks costs a message two rounds of the loop more than an event they set.
        """
        self._ask()
        loop, pause = asyncio.get_running_loop(), self._engine.cosigner.pause
        asked = list(self._asked.values())
        waits = [*asked, *self._engine.under_way()]
        limit = asyncio.timeout(IDLE_SECONDS if pause is None else pause)
        resting = True

        def heard(answer: asyncio.Future[Any]) -> None:
            nonlocal pause
            if answer in asked or not _in_vain(answer):
                work.set()
            elif resting and not limit.expired() and (pause := self._engine.cosigner.pause) is not None:
                # The round put something off before it failed, which is due earlier than this rest ends.
                limit.reschedule(min(limit.when() or 0.0, loop.time() + pause))

        for answer in waits:
            answer.add_done_callback(heard)
        try:
            async with limit:
                await (asyncio.sleep(0) if work.is_set() else work.wait())  # the others get their turn, too
        except TimeoutError:
            if pause is not None:
                self._engine.cosigner.waited()
            elif not any(answer.done() for answer in asked):
                return self._rested()
        finally:
            resting = False
            for answer in waits:
                answer.remove_done_callback(heard)
            work.clear()
        return self._answers()

    def _rested(self) -> Mapping[str, News] | None:
        """A second is over and nothing was said: time may have made something due, and what failed is asked again."""
        self._rests += 1
        ask = bool(self._failed) or self._rests >= ASK_RESTS
        self._failed.clear()
        if ask:
            self._rests = 0
        return None if ask else {}

    def _ask(self) -> None:
        sizes, heads, now = self._engine.sizes(), self._engine.witness.sizes(), asyncio.get_running_loop().time()
        self._failed = {host: again for host, again in self._failed.items() if again > now}
        for host, port in self._engine.ports.items():
            if host not in self._asked and host not in self._failed:
                self._asked[host] = asyncio.ensure_future(port.changed(sizes, heads))

    def _answers(self) -> Mapping[str, News] | None:
        found: dict[str, News] = {}
        ask = False
        for host, asked in list(self._asked.items()):
            if not asked.done():
                continue
            del self._asked[host]
            error = None if asked.cancelled() else asked.exception()
            if error is not None and not isinstance(error, RscError):
                raise error
            if error is not None:
                self._leave_alone(host)  # the next turn says why, where somebody waits for it
            news = None if error is not None or asked.cancelled() else asked.result()
            if news is None:
                ask = True
            else:
                found[host] = news
                self._woken_for(host, news)
        return None if ask else found

    def _woken_for(self, host: str, news: News) -> None:
        """A relay that wakes for nothing is left alone for a second, the second time: a session's first news may say
        just that nothing is there."""
        if news != News():
            self._for_nothing.discard(host)
            return
        if host in self._for_nothing:
            self._leave_alone(host)
        self._for_nothing.add(host)

    def _leave_alone(self, host: str) -> None:
        self._failed[host] = asyncio.get_running_loop().time() + IDLE_SECONDS

    async def aclose(self) -> None:
        for asked in self._asked.values():
            asked.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


def _in_vain(answer: asyncio.Future[Any]) -> bool:
    """Whether something failed that the next turn begins again: for want of a relay, or because that turns this node
    away. It would fail at once, and wakes nobody for as long as that lasts. A question that failed does: it is asked
    again a second later."""
    error = None if answer.cancelled() else answer.exception()
    return isinstance(error, Unavailable | Refused | RemoteError) and not isinstance(error, Misbehaviour)
