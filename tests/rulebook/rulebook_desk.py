"""A framework that has run and stopped: what is left are values, and any entry can be judged on them by anybody."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from functools import cache

from rsc_share.charter.compose import compose, next_charter
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.approval import approve, release_digest
from rsc_share.envelope.contents import ReleaseContent
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening, Ref, Refs
from rsc_share.relay.sequencer import Ground
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, Key
from rsc_share.rulebook.view import Known, Party, Source, View
from rsc_share.session.frames import Logged
from rsc_share.testing import Framework
from rsc_share.testing.adversaries import EVERYBODY, Forged, Pen
from rsc_share.testing.founding import FAMILIES, ChannelPlan, Plan
from rsc_share.value import replace

BODY_BYTES = 1 << 20
MINUTE = 60_000
EST, FIN, LVA = "EST/mod-1", "FIN/mod-1", "LVA/mod-1"
SECRET = "REGIONAL SECRET REL TO EST, LVA"


@dataclass(frozen=True)
class Bench:
    """Everything `judge` asks for, as values. `pens` write; `logged` are entries that stand in the log."""

    ground: Ground
    facts: dict[Key, Fact]
    last: Stamp
    pens: dict[str, Pen]
    grants: dict[str, Forged]
    logged: dict[str, tuple[int, Forged]]
    signatures: VerifyCache = field(default_factory=VerifyCache)

    @property
    def now(self) -> int:
        return self.last.logged_at

    def pen(self, member: str) -> Pen:
        """A pen of one's own: what it writes leaves the bench as it was."""
        made = copy.copy(self.pens[member])
        made.counters, made.keys = dict(made.counters), dict(made.keys)
        return made

    def message(self, member: str = "EST", to: tuple[str, ...] | None = None, **fields) -> Forged:
        return self.pen(member).message(self.grants[member], to, **fields)

    def again(self, member: str, made: Forged, **fields) -> Forged:
        """The same entry with other fields, signed again."""
        return self.pen(member).sign(replace(made.header, **fields), made.submission.openings, made.submission.bodies)

    def ref(self, name: str) -> Ref:
        index, entry = self.logged[name]
        return Ref(entry.header.log, index, entry.signed.header_hash)

    def about(self, kind: str, name: str, member: str, content, *, officers: tuple[str, ...] = (), to=None) -> Forged:
        """A `kind` of entry about a logged one, approved by the officers of these members."""
        pen = self.pen(member)
        author = self.logged[name][1].header.sender
        nodes = to if to is not None else tuple(sorted({author} - {pen.node}))
        made = pen.entry(kind, nodes, content=content, refs=Refs(target=self.ref(name)))
        return self.approved(pen, made, officers)

    def approved(self, pen: Pen, made: Forged, officers: tuple[str, ...]) -> Forged:
        founded = pen.framework.founded
        signed = sorted(approve(founded.parties[code].officer, founded.framework_id, made.header) for code in officers)
        return pen.sign(replace(made.header, approvals=tuple(signed)), made.submission.openings, made.submission.bodies)

    def release(
        self, name: str, members: tuple[str, ...], *, officers: tuple[str, ...] = ("EST",), **changes
    ) -> Forged:
        """EST lets `members` have a logged entry."""
        source = Source.of(self.logged[name][0], self.logged[name][1].signed)
        digest = release_digest(source.label, source.nodes, source.commits)
        content = ReleaseContent(**{"digest": digest, "members": members, "until": None, **changes})
        to = tuple(sorted({f"{code}/mod-1" for code in members} - {EST}))
        return self.about("release", name, "EST", content, officers=officers, to=to)

    def known(self, extra: dict[Ref, Source] | None = None) -> Known:
        held = {self.ref(name): Source.of(index, entry.signed) for name, (index, entry) in self.logged.items()}
        return {**held, **(extra or {})}.get

    def case(
        self,
        entry: Forged,
        party: Party = Party.RELAY,
        *,
        stamp: Stamp | None = None,
        openings: dict[str, Opening] | None = None,
        bodies: dict[bytes, int] | None = None,
        extra: dict[Ref, Source] | None = None,
        facts: dict[Key, Fact] | None = None,
        me: str = LVA,
        **view,
    ) -> Case:
        """`entry` before `party`, next in the log, a minute after the last one."""
        ground = self.ground
        held = {part.digest: part.size for part in entry.header.parts}
        content = getattr(entry.header.content, "nodes", ())
        held.update((row[2], 1) for row in content)
        known = view.pop("known", None) or self.known(extra)
        values = {
            "party": party,
            "log": ground.log,
            "directory": ground.directory,
            "directory_root": ground.directory_root,
            "witnessed": ground.witnessed,
            "facts": {**self.facts, **(facts or {})},
            "size": ground.head.size,
            "last": self.last,
            "root_at": ground.root_at,
            "signatures": self.signatures,
            "known": known,
            "me": me if party is Party.NODE else "",
            "confirmed_at": self.now + 60 * MINUTE,
        }
        return Case(
            View(**{**values, **view}),
            entry.signed,
            stamp or Stamp(self.now + MINUTE, ground.witnessed),
            dict(entry.openings if openings is None else openings),
            held if bodies is None else bodies,
        )


@cache
def bench() -> Bench:
    return asyncio.run(_run())


async def _run() -> Bench:
    main = ChannelPlan("main", families=("control", *FAMILIES)[1:], limits={"body_bytes": BODY_BYTES})
    channels = (main, ChannelPlan("second", members=("EST", "LVA")))
    async with Framework.of(Plan(channels=channels, seed=13)) as fw:
        await _name_erasers(fw)
        fw.clock.advance(seconds=40 * 60)
        await fw.settle()
        pens = {member: Pen(fw, member) for member in ("EST", "FIN", "LVA")}
        grants, logged = {}, {}
        for member, pen in pens.items():
            grants[member] = (await pen.sync()).grant()
            entry = pen.message(grants[member], label=EVERYBODY)
            logged[member] = (await _logged(fw, pen, grants[member], entry), entry)
        await pens["EST"].sync()
        narrow = pens["EST"].grant([LVA])
        secret = pens["EST"].message(narrow, label=SECRET)
        logged["secret"] = (await _logged(fw, pens["EST"], narrow, secret), secret)
        for pen in pens.values():
            await pen.sync()
        relay = fw.relay_service
        log = relay.logs[pens["EST"].log]
        facts = dict(fw.store._logs[log.origin].facts)
        last = log.writer.head.last
        assert last is not None
        return Bench(relay.ground(log), facts, last, pens, grants, logged)


async def _logged(fw: Framework, pen: Pen, *entries: Forged) -> int:
    outcomes = await pen.submit(*entries)
    assert all(isinstance(outcome, Logged) for outcome in outcomes), outcomes
    await fw.settle()
    return outcomes[-1].index


async def _name_erasers(fw: Framework) -> None:
    founded, current = fw.founded, fw.relay_service.view.charter
    charter = parse_charter(compose(next_charter(current, erasure=("EST/duty-1",))))
    await fw.log(*founded.signed(charter, founded.framework_id, founded.parties.values()))
