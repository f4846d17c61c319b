"""The fixed table, first half: entries that lie. Relay, node and auditor each notice, and only because of what the
table names: without the named checks the attack succeeds, and each of them alone is enough to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from attack_bench import Check, Patch, admitted, audited, findings_at, name_of, off, reread, shown, told

from rsc_share.errors import Refused
from rsc_share.relay.access import Access
from rsc_share.relay.commit import _past
from rsc_share.relay.intake import take
from rsc_share.relay.sequencer import Ground, Placed, sequence
from rsc_share.session.frames import Logged, Turned, Weather
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.founding import ChannelPlan, Plan
from rsc_share.value import replace

ENTER = Patch("rsc_share.relay.access:Access.enter")
LOG = Patch("rsc_share.relay.access:Access.log", lambda self, origin: None)
READY = Patch("rsc_share.relay.sequencer:Ground.ready", lambda self, now: True)


@dataclass(frozen=True)
class Row:
    """`checks`: name and code of every check that catches it, in the order in which they stand."""

    attack: type[adv.EntryAttack]
    party: str
    checks: tuple[tuple[Check, str], ...]
    observer: str = "LVA"

    @property
    def id(self) -> str:
        return f"{self.attack.__name__}-{self.party}"


def rows(attack: type[adv.EntryAttack], *checks: tuple[Check, str], observer: str = "LVA", **other) -> list[Row]:
    """The same checks for all three parties, but for those in `other`."""
    return [Row(attack, party, tuple(other.get(party, checks)), observer) for party in ("relay", "node", "auditor")]


WITHIN = Patch("rsc_share.relay.intake:within_limits")
AS_NAMED = Patch("rsc_share.relay.intake:as_named")
FIT, HERE = ("bodies-fit", "body-limit"), ("bodies-here", "body-missing")
SIGNED = ("signed-by-sender", "bad-signature")
SWAPPED = (
    SIGNED,
    ("policy-permits", "policy-denied"),
    ("grant-fits", "over-granted"),
    ("nobody-left-out", "under-granted"),
)
REVOKED = tuple(
    (name, "revoked")
    for name in ("certified-sender", "sender-may-send-here", "signed-by-sender", "sender-may-originate")
)
TABLE = [
    *rows(adv.Tamper, SIGNED),
    # LVA holds no grant for it, so the grant's nodes are not its to compare.
    *rows(adv.SwapAudience, *SWAPPED, node=(SWAPPED[0], SWAPPED[1], SWAPPED[3])),
    *rows(adv.CrossRealm, SIGNED),
    *rows(adv.CrossLog, ("right-log", "unknown-log")),
    *rows(adv.CrossFramework, SIGNED),
    *rows(adv.ForgedPrev, ("continues-sender", "stale-head")),
    *rows(adv.ReusedId, ("id-is-new", "duplicate-id"), node=(("id-is-new", "duplicate-id"),)),
    *rows(adv.RevokedKey, *REVOKED, relay=((ENTER, "revoked"), (LOG, "revoked"), *REVOKED)),
    *rows(adv.OverGrant, ("grant-fits", "over-granted")),
    *rows(adv.UnderGrant, ("nobody-left-out", "under-granted")),
    *rows(
        adv.OldDirectoryStamp,
        ("revocations-bite", "stamp"),
        relay=((READY, "not-ready"), ("revocations-bite", "stamp")),
        observer="FIN",
    ),
    *rows(adv.OverlongBodies, FIT, relay=((WITHIN, "body-limit"), FIT)),
    *rows(adv.BodyAboveCharter, FIT),
    *rows(adv.BodyOfAnotherSize, HERE, relay=((AS_NAMED, "body-limit"), HERE)),
]


class Run:
    """One framework, one attack; what every party said under every set of checks."""

    def __init__(self, attack: adv.EntryAttack, rows: Sequence[Row]) -> None:
        self.attack, self.framework = attack, attack.framework
        self.rows = {row.party: row for row in rows}
        self.said: dict[tuple[str, str], str | None] = {}
        """(party, checks on) -> the code it answered with; None: it took the entry for true."""

    async def all(self) -> None:
        for row in (self.rows["relay"], self.rows["node"], self.rows["auditor"]):
            names = [check for check, _ in row.checks]
            if row.party == "node":
                self.index = await self._in_the_log()
            ask = getattr(self, f"_{row.party}")
            self.said[row.party, "all"] = await ask(row)
            for check in names if len(names) > 1 else []:
                with off(other for other in names if other is not check):
                    self.said[row.party, name_of(check)] = await ask(row)
            with off(names):
                self.said[row.party, "none"] = await ask(row)

    async def _relay(self, row: Row) -> str | None:
        """As the session answers; what is left of its log is put back as it was."""
        if isinstance(self.attack, adv.OldDirectoryStamp):
            return await self._old_ground()
        access = Access(self.framework.relay_service, self.attack.pen.node)
        try:
            access.enter()
            access.log(self.attack.pen.log)
        except Refused as refused:
            return refused.code
        return await self._judged(self._ground())

    def _ground(self) -> Ground:
        service = self.framework.relay_service
        return service.ground(service.logs[self.attack.relay.origin])

    async def _old_ground(self) -> str | None:
        """A relay whose witnesses gave it nothing since the revocation, and that believes to be up to date."""
        now = self.framework.clock.now
        return await self._judged(replace(self._ground(), witnessed=self.attack.old, quorum_time=now))

    async def _judged(self, ground: Ground) -> str | None:
        """The relay's own admission, without its last step: nothing is appended."""
        service = self.framework.relay_service
        log = service.logs[self.attack.relay.origin]
        candidate = take(self.attack.forged.submission, self.attack.pen.node)
        done = sequence(ground, [[candidate]], await _past(log, service.logs, [candidate]), self.framework.clock.now)
        (verdict,) = done.verdicts[0]
        return None if isinstance(verdict, Placed) else verdict.code

    async def _in_the_log(self) -> int:
        """Refused by the honest relay, then logged by one that cheats; the nodes read it as they always do."""
        outcome: object = None
        if not isinstance(self.attack, adv.OldDirectoryStamp):
            try:
                outcome = await self.attack.submit()
            except Refused as refused:
                outcome = refused
        self.answer = outcome
        assert not isinstance(outcome, Logged)
        index = await self.attack.force()
        await self.framework.settle()
        node = self.framework.node(self.rows["node"].observer).engine
        self.live = told(node, self.attack.pen.log, index), shown(node, self.attack.relay.origin, index)
        return index

    async def _node(self, row: Row) -> str | None:
        engine, log = await reread(self.framework, row.observer), self.attack.relay.origin
        code = told(engine, log, self.index)
        assert admitted(engine, log, self.index) == (code is None)
        return code

    async def _auditor(self, row: Row) -> str | None:
        found = findings_at(await audited(self.framework), self.attack.relay.origin, self.index)
        return found[0].code if found else None


@cache
def run(attack: type[adv.EntryAttack]) -> Run:
    async def go() -> Run:
        small = ChannelPlan("small", limits={"body_bytes": 2_048})
        channels = (ChannelPlan("main"), ChannelPlan("second"), small)
        async with Framework.of(Plan(channels=channels, seed=5)) as framework:
            framework.clock.advance(seconds=30 * 60)  # every node has been there for longer than 2 LAG
            await framework.settle()
            made = attack(framework)
            await made.prepare()
            found = Run(made, [row for row in TABLE if row.attack is attack])
            await found.all()
            return found

    return asyncio.run(go())


def of(party: str) -> list[Row]:
    return [row for row in TABLE if row.party == party]


def by_id(row: Row) -> str:
    return row.attack.__name__


@pytest.mark.parametrize("row", of("relay"), ids=by_id)
def test_relay_refuses(row: Row) -> None:
    assert run(row.attack).said["relay", "all"] == row.checks[0][1]


@pytest.mark.parametrize("row", [r for r in of("relay") if r.attack is not adv.OldDirectoryStamp], ids=by_id)
def test_relay_refuses_in_the_senders_session(row: Row) -> None:
    answer = run(row.attack).answer
    code = answer.refusal.code if isinstance(answer, Turned) else answer.code
    assert not isinstance(answer, Weather)
    assert code == row.checks[0][1]


@pytest.mark.parametrize("row", of("node"), ids=by_id)
def test_node_refuses(row: Row) -> None:
    code, visible = run(row.attack).live
    assert code == run(row.attack).said["node", "all"] == row.checks[0][1]
    assert not visible


@pytest.mark.parametrize("row", of("auditor"), ids=by_id)
def test_auditor_finds(row: Row) -> None:
    assert run(row.attack).said["auditor", "all"] == row.checks[0][1]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_with_the_named_checks_off_the_attack_succeeds(row: Row) -> None:
    assert run(row.attack).said[row.party, "none"] is None


@pytest.mark.parametrize(
    ("row", "check", "code"),
    [(row, check, code) for row in TABLE if len(row.checks) > 1 for check, code in row.checks],
    ids=lambda value: value.id if isinstance(value, Row) else name_of(value),
)
def test_each_named_check_is_enough_alone(row: Row, check: Check, code: str) -> None:
    assert run(row.attack).said[row.party, name_of(check)] == code
