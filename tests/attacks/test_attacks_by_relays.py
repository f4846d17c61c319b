"""The fixed table, second half: what a relay leaves out, turns round, rolls back, forks, freezes or dates back, and
what no relay can see. Noticed by whom it is done to, and by an auditor who was given one checkpoint; with the named
checks off it goes unnoticed, and each of them alone is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from attack_bench import Check, Patch, admitted, audited, findings_at, name_of, off, reread, told

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.disclose import disclose
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import replay
from rsc_share.audit.source import ExportSource
from rsc_share.charter.certificate import OfficerCertificate, certify
from rsc_share.charter.parameters import DAY, MINUTE
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.envelope.header import Header
from rsc_share.errors import Refused
from rsc_share.messages import Indicator
from rsc_share.node.engine import Engine
from rsc_share.session.frames import Bare, Logged
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.auditing import export_source
from rsc_share.testing.founding import OPERATOR

SAID = Indicator(pattern="p", stix_id="i")


def engine(fw: Framework, member: str) -> Engine:
    return fw.node(member).engine


def alarm(fw: Framework, member: str, *codes: str) -> str | None:
    """Which of these alarms the member's operator sees."""
    return next((found.code for found in engine(fw, member).alarms.all() if found.code in codes), None)


async def publish(fw: Framework, member: str, label: str = adv.EVERYBODY) -> int:
    sent = await fw.node(member).channel("main").publish(SAID, label=label)
    index = (await sent.receipt()).index
    await fw.settle()
    return index


async def passed(fw: Framework, minutes: float) -> None:
    fw.clock.advance(seconds=60 * minutes)
    await fw.settle()


# --- drop, reorder, replay, withhold


async def drop(fw: Framework) -> str | None:
    await publish(fw, "EST")
    adv.Drop(fw, "LVA", adv.CheatingRelay(fw).size)
    dropped, later = await publish(fw, "EST"), await publish(fw, "EST")
    log = fw.node("LVA").channel("main").line.log
    assert not admitted(engine(fw, "LVA"), log, dropped)
    assert admitted(engine(fw, "LVA"), log, later)
    return alarm(fw, "LVA", "kept-back")


async def drop_the_last(fw: Framework) -> str | None:
    await publish(fw, "EST")
    adv.Drop(fw, "LVA", adv.CheatingRelay(fw).size)
    await publish(fw, "EST")
    await passed(fw, 30)
    await passed(fw, 40)
    return alarm(fw, "EST", "undelivered")


async def reorder(fw: Framework) -> str | None:
    pens = [await adv.Pen(fw, member).sync() for member in ("EST", "FIN")]
    grants = [pen.grant() for pen in pens]
    for pen, grant in zip(pens, grants, strict=True):
        assert isinstance((await pen.submit(grant))[0], Logged)
    await fw.settle()
    index = adv.CheatingRelay(fw).size
    adv.Reorder(fw, "LVA", index)
    fw.relay.cut_off("LVA")
    messages = [pen.message(grant) for pen, grant in zip(pens, grants, strict=True)]
    for pen, message in zip(pens, messages, strict=True):
        assert isinstance((await pen.submit(message))[0], Logged)
    fw.relay.reconnect("LVA")
    await passed(fw, 3)
    return alarm(fw, "LVA", "equivocation", "kept-back")


async def replayed(fw: Framework) -> str | None:
    pen = await adv.Pen(fw, "EST").sync()
    grant = pen.grant()
    message = pen.message(grant)
    await pen.submit(grant, message)
    await fw.settle()
    index = await adv.Replay(fw).force(message)
    await fw.settle()
    return told(engine(fw, "LVA"), pen.log, index)


async def withhold(fw: Framework, watcher: str = "LVA", code: str = "body-missing") -> str | None:
    await publish(fw, "EST")
    adv.Withhold(fw, "LVA", adv.CheatingRelay(fw).size)
    await publish(fw, "EST")
    await passed(fw, 20)
    return alarm(fw, watcher, code)


async def withhold_from_its_sender(fw: Framework) -> str | None:
    return await withhold(fw, "EST", "bad-delivery")


async def withhold_opening(fw: Framework) -> str | None:
    await publish(fw, "EST")
    adv.WithholdOpening(fw, "LVA", adv.CheatingRelay(fw).size)
    await publish(fw, "EST")
    return alarm(fw, "LVA", "opening-missing")


# --- truncate, fork, directory fork, freeze, back-date


async def truncate(fw: Framework) -> str | None:
    await publish(fw, "EST")
    lie = adv.Truncate(fw, "LVA", adv.CheatingRelay(fw).size - 1)
    await passed(fw, 3)
    found = alarm(fw, "LVA", "equivocation")
    assert bool(lie.cosigned) == (found is None)
    return found


async def fork(fw: Framework) -> str | None:
    await publish(fw, "EST")
    lie = adv.Fork(fw, "LVA")
    await publish(fw, "FIN", "TLP:GREEN REL TO EST")  # grant and message; the branch has two other entries there
    lie.add(Bare(bytes(32)))
    lie.add(Bare(bytes(32)))
    pen = await adv.Pen(fw, "EST").sync()
    grant = pen.grant()
    assert isinstance((await pen.submit(grant))[0], Logged)
    index = lie.show(grant)
    await fw.settle()
    found = alarm(fw, "LVA", "equivocation")
    assert admitted(engine(fw, "LVA"), pen.log, index) == (found is None)
    assert (fw.node("LVA").channel("main").line.stopped is None) == (found is None)
    return found


class ForkForWitness(adv.Fork):
    """Reads are honest; only what is offered for cosigning is another tree."""

    async def read(self, log, start, limit):
        return await self.port.read(log, start, limit)

    async def witnessed(self, log):
        return await self.port.witnessed(log)


async def fork_offered(fw: Framework) -> str | None:
    await publish(fw, "EST")
    lie = ForkForWitness(fw, "LVA")
    lie.stop()
    await publish(fw, "EST", "TLP:GREEN REL TO FIN")
    while lie.tree.size < adv.CheatingRelay(fw).size:
        lie.add(Bare(bytes(32)))
    lie.start()
    await passed(fw, 3)
    found = alarm(fw, "LVA", "equivocation")
    assert (engine(fw, "LVA").witness.heads[lie.log].root == lie.tree.root()) == (found is None)
    return found


def officer(fw: Framework, name: str) -> bytes:
    party, now = fw.party(name.partition("/")[0]), fw.clock.now
    key = PrivateKey.generate(Suite.ED25519, seed=name.encode()).public
    made = OfficerCertificate(name, key, frozenset({"approve"}), (now, now + DAY), now)
    return certify(made, fw.founded.framework_id, party.authority, party.nodes[0].signing)


async def directory_fork(fw: Framework) -> str | None:
    lie = adv.DirectoryFork(fw, "LVA", ["FIN"])
    lie.show(officer(fw, "FIN/duty-2"))
    await fw.log(officer(fw, "EST/duty-2"))
    await passed(fw, 1)
    trust = engine(fw, "LVA").trust
    assert (trust.witnessed, trust.root(lie.size + 1)) == (lie.size + 1, lie.tree.root())
    index = await publish(fw, "EST")
    found = alarm(fw, "LVA", "equivocation")
    log = engine(fw, "EST").line("main").log
    assert admitted(engine(fw, "LVA"), log, index) == (found is None)
    assert (engine(fw, "LVA").stopped is None) == (found is None)
    return found


async def freeze_sender(fw: Framework) -> str | None:
    lie, gone = adv.Freeze(fw, "EST"), fw.node("LVA").name
    await fw.revoke(gone)
    await passed(fw, 6)
    await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    await fw.settle()
    handed = [Header.parse(entry.header) for entry in lie.taken]
    return None if any(gone in header.nodes for header in handed) else "nothing left the node"


async def freeze_reader(fw: Framework) -> str | None:
    adv.Freeze(fw, "LVA")
    await passed(fw, 6)
    await publish(fw, "EST")
    (event,) = fw.node("LVA").channel("main").line.reading.inbox.events
    return "unconfirmed" if event.unconfirmed else None


async def back_dated(fw: Framework) -> adv.Forged:
    """An entry written now and kept back; twelve quiet minutes, at the end of which everybody has cosigned again."""
    pen = await adv.Pen(fw, "EST").sync()
    grant = pen.grant()
    assert isinstance((await pen.submit(grant))[0], Logged)
    await fw.settle()
    message = pen.message(grant)
    await passed(fw, 12)
    return message


async def back_date(fw: Framework) -> str | None:
    message = await back_dated(fw)
    index = await adv.BackDate(fw).force(message, by=10 * MINUTE)
    await passed(fw, 3)
    log, node = message.header.log, engine(fw, "LVA")
    found = alarm(fw, "LVA", "back-dated")
    assert admitted(node, log, index)
    assert (node.witness.heads[log].size > index) == (found is None)
    return found


# --- what an auditor finds with one checkpoint from outside


def found_in(source: ExportSource, fw: Framework, **checkpoints: bytes) -> str | None:
    """The gravest finding; none at all is what the attack is after."""
    result = replay(MemoryFiles(whole_export(source)), Anchors(fw.founded.framework_id, checkpoints))
    graver = [finding for finding in result.findings if finding.grade is not Grade.OBSERVATION]
    assert len(graver) <= 1, graver
    return graver[0].code if graver else None


async def truncate_audited(fw: Framework) -> str | None:
    await publish(fw, "EST")
    short = await export_source(fw.relay_service, OPERATOR)
    await publish(fw, "EST")
    log = engine(fw, "EST").line("main").log
    return found_in(short, fw, EST=engine(fw, "EST").notes()[log])


async def fork_audited(fw: Framework) -> str | None:
    lie = adv.Fork(fw, "LVA")
    await publish(fw, "EST", "TLP:GREEN REL TO FIN")
    lie.add(Bare(bytes(32)))
    await fw.settle()
    return found_in(await export_source(fw.relay_service, OPERATOR), fw, LVA=lie.note())


async def directory_fork_audited(fw: Framework) -> str | None:
    lie = adv.DirectoryFork(fw, "LVA", ["FIN"])
    lie.show(officer(fw, "FIN/duty-2"))
    await fw.log(officer(fw, "EST/duty-2"))
    return found_in(await export_source(fw.relay_service, OPERATOR), fw, LVA=lie.note())


async def freeze_audited(fw: Framework) -> str | None:
    frozen = await export_source(fw.relay_service, OPERATOR)
    await fw.revoke(fw.node("LVA").name)
    await fw.settle()
    directory = engine(fw, "EST").directory_log
    return found_in(frozen, fw, EST=engine(fw, "EST").notes()[directory])


async def back_date_audited(fw: Framework) -> str | None:
    message = await back_dated(fw)
    before = engine(fw, "LVA").notes()[message.header.log]
    with off([TIMES]):  # witnesses that look away: the auditor has the time of one that did its work
        await adv.BackDate(fw).force(message, by=10 * MINUTE)
        await passed(fw, 3)
    return found_in(await export_source(fw.relay_service, OPERATOR), fw, LVA=before)


# --- two plaintexts, stripped hybrid


async def two_plaintexts(fw: Framework) -> str | None:
    attack = adv.TwoPlaintexts(fw)
    await attack.prepare()
    outcome = await attack.submit()
    assert isinstance(outcome, Logged)  # no relay can see it
    await fw.settle()
    events = fw.node("LVA").channel("main").line.reading.inbox.events
    found = alarm(fw, "LVA", "bad-part")
    assert bool(events) == (found is None)
    if events:
        assert b"dissent" in events[0].payloads[0]
    return found


async def two_plaintexts_disclosed(fw: Framework) -> str | None:
    attack = adv.TwoPlaintexts(fw)
    await attack.prepare()
    await attack.submit()
    await fw.settle()
    result = await audited(fw)
    (right,) = disclose(result, attack.payload(attack.COMMITTED), attack.salt)[:1]
    assert right.reference.startswith("EST/mod-1/main/")
    return None if disclose(result, attack.payload(attack.SEALED), attack.salt) else "not what was committed to"


async def stripped_at_relay(fw: Framework) -> str | None:
    attack = adv.StrippedHybrid(fw)
    try:
        await attack.submit()
    except Refused as refused:
        return refused.code
    assert fw.relay_service.view.is_active(attack.name, fw.clock.now)
    return None


async def stripped_at_node(fw: Framework) -> str | None:
    attack = adv.StrippedHybrid(fw)
    index = await attack.force()
    node = await reread(fw, "LVA")
    active = node.trust.directory.at(node.trust.size).is_active(attack.name, fw.clock.now)
    code = told(node, node.directory_log, index)
    assert active == (code is None)
    return code


async def stripped_audited(fw: Framework) -> str | None:
    index = await adv.StrippedHybrid(fw).force()
    await fw.settle()
    found = findings_at(await audited(fw), engine(fw, "EST").directory_log, index)
    return found[0].code if found else None


class _Half:
    """An ML-DSA-65 that nobody checks."""

    @classmethod
    def from_public_bytes(cls, raw: bytes) -> _Half:
        return cls()

    def verify(self, signature: bytes, data: bytes) -> None:
        return None


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


Scenario = Callable[[Framework], Awaitable[str | None]]
TIMES = Patch("rsc_share.node.witness:Witness._times_plausible")
COMPARED = Patch("rsc_share.audit.anchors:compare", lambda *a: [])
READ_TREE = Patch("rsc_share.node.follower:same_tree")
COSIGNED_TREE = Patch("rsc_share.node.witness:same_tree")
EXTENDS = Patch("rsc_share.node.witness:Witness._extends")
HYBRID = Patch("rsc_share.crypto.signing:MLDSA65PublicKey", _Half)


@dataclass(frozen=True)
class Row:
    attack: str
    party: str
    scenario: Scenario
    checks: tuple[tuple[Check, str], ...]

    @property
    def id(self) -> str:
        return f"{self.attack}-{self.party}"


TABLE = [
    Row("drop", "node", drop, ((Patch("rsc_share.rulebook.admit:kept_back", lambda case: 0), "kept-back"),)),
    Row("drop", "sender", drop_the_last, ((Patch("rsc_share.node.delivery:Deliveries.watch"), "undelivered"),)),
    Row(
        "reorder",
        "node",
        reorder,
        # The last one by the next entry of anybody else: what its sender saw is not what this node was shown.
        ((READ_TREE, "equivocation"), (COSIGNED_TREE, "equivocation"), ("seen-is-prefix", "equivocation")),
    ),
    Row(
        "replay",
        "node",
        replayed,
        (
            ("id-is-new", "duplicate-id"),
            ("continues-sender", "stale-head"),
            ("counters-continue", "stale-head"),
        ),
    ),
    Row("withhold", "node", withhold, ((Patch("rsc_share.node.line:Line._tell_unread"), "body-missing"),)),
    Row(
        "withhold",
        "sender",
        withhold_from_its_sender,
        ((Patch("rsc_share.node.delivery:Deliveries.stated"), "bad-delivery"),),
    ),
    Row(
        "withhold opening",
        "node",
        withhold_opening,
        ((Patch("rsc_share.node.docket:opening_true", lambda case: True), "opening-missing"),),
    ),
    Row("truncate", "node", truncate, ((EXTENDS, "equivocation"),)),
    Row("truncate", "auditor", truncate_audited, ((COMPARED, "truncated"),)),
    Row("fork", "node", fork, (("seen-is-prefix", "equivocation"),)),
    Row("fork", "witness", fork_offered, ((EXTENDS, "equivocation"), (COSIGNED_TREE, "equivocation"))),
    Row("fork", "auditor", fork_audited, ((COMPARED, "fork"),)),
    Row("directory fork", "node", directory_fork, (("directory-same", "equivocation"),)),
    Row("directory fork", "auditor", directory_fork_audited, ((COMPARED, "fork"),)),
    Row(
        "freeze",
        "sender",
        freeze_sender,
        ((Patch("rsc_share.node.trust:Trust.fresh", lambda self, now: True), "nothing left the node"),),
    ),
    Row(
        "freeze",
        "node",
        freeze_reader,
        ((Patch("rsc_share.rulebook.admit:confirmed", lambda case: True), "unconfirmed"),),
    ),
    Row("freeze", "auditor", freeze_audited, ((COMPARED, "truncated"),)),
    Row("back-date", "node", back_date, ((TIMES, "back-dated"),)),
    Row(
        "back-date",
        "auditor",
        back_date_audited,
        ((Patch("rsc_share.audit.notices:times", lambda *a: []), "back-dated"),),
    ),
    Row(
        "two plaintexts",
        "node",
        two_plaintexts,
        ((Patch("rsc_share.crypto.bodies:compare_digest", lambda a, b: True), "bad-part"),),
    ),
    Row(
        "two plaintexts",
        "auditor",
        two_plaintexts_disclosed,
        ((Patch("rsc_share.audit.disclose:commitment", lambda **k: _Anything()), "not what was committed to"),),
    ),
    Row("stripped hybrid", "relay", stripped_at_relay, ((HYBRID, "bad-signature"),)),
    Row("stripped hybrid", "node", stripped_at_node, ((HYBRID, "bad-signature"),)),
    Row("stripped hybrid", "auditor", stripped_audited, ((HYBRID, "bad-signature"),)),
]


@cache
def played(row: Row, without: tuple[Check, ...]) -> str | None:
    """What the party said, with these checks off."""

    async def go() -> str | None:
        async with Framework.create("EST", "LVA", "FIN", seed=9) as framework:
            framework.clock.advance(seconds=30 * 60)
            await framework.settle()
            with off(without):
                return await row.scenario(framework)

    return asyncio.run(go())


def of(*parties: str) -> Sequence[Row]:
    return [row for row in TABLE if row.party in parties]


@pytest.mark.parametrize("row", of("relay"), ids=lambda row: row.attack)
def test_relay_refuses(row: Row) -> None:
    assert played(row, ()) == row.checks[0][1]


@pytest.mark.parametrize("row", of("node", "sender", "witness"), ids=lambda row: row.id)
def test_node_notices(row: Row) -> None:
    assert played(row, ()) == row.checks[0][1]


@pytest.mark.parametrize("row", of("auditor"), ids=lambda row: row.attack)
def test_auditor_finds(row: Row) -> None:
    assert played(row, ()) == row.checks[0][1]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_with_the_named_checks_off_the_attack_succeeds(row: Row) -> None:
    assert played(row, tuple(check for check, _ in row.checks)) is None


@pytest.mark.parametrize(
    ("row", "check", "code"),
    [(row, check, code) for row in TABLE if len(row.checks) > 1 for check, code in row.checks],
    ids=lambda value: value.id if isinstance(value, Row) else name_of(value),
)
def test_each_named_check_is_enough_alone(row: Row, check: Check, code: str) -> None:
    assert played(row, tuple(other for other, _ in row.checks if other is not check)) == code
