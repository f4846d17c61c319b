"""Attacks outside the fixed table: each was a hole in this code or in its design once, and has a name since."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attack_bench import admitted, audited, findings_at, told

from rsc_share.audit.findings import Grade
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.parts import Part, Ref, Refs
from rsc_share.log.merkle import leaf_hash
from rsc_share.messages import Indicator, Portion, ThreatAssessment
from rsc_share.names import uuid7
from rsc_share.node.attachments import wrap
from rsc_share.node.engine import Engine
from rsc_share.relay.store.protocol import Body
from rsc_share.session.frames import Full, Logged, Offer, Outcome, Submission, Tail, Turned, Weather
from rsc_share.session.port import NOTHING
from rsc_share.session.refusal import Refusal
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.founding import HOST, ChannelPlan, Plan
from rsc_share.value import replace

WIDE = "REGIONAL RESTRICTED REL TO @members"
SAID = Indicator(pattern="p", stix_id="i")


def engine(fw: Framework, member: str) -> Engine:
    return fw.node(member).engine


def codes(fw: Framework, member: str) -> set[str]:
    return set(engine(fw, member).alarms.codes())


def texts(fw: Framework, member: str) -> list[list[bytes]]:
    events = fw.node(member).channel("main").line.reading.inbox.events
    return [[payload for _, payload in sorted(getattr(event, "payloads", {}).items())] for event in events]


async def logged(fw: Framework, pen: adv.Pen, *entries: adv.Forged) -> list[int]:
    outcomes = await pen.submit(*entries)
    assert all(isinstance(outcome, Logged) for outcome in outcomes), outcomes
    await fw.settle()
    return [outcome.index for outcome in outcomes if isinstance(outcome, Logged)]


def portion(pen: adv.Pen, grant: adv.Forged, document: tuple[bytes, int], number: int, text: bytes) -> adv.Forged:
    """A portion of somebody's document, as `pen` writes it."""
    message_id = document[0] if number == 0 else pen.new_id()
    part, body = pen.part(grant, message_id, wrap(number, text))
    message = pen.message(grant, id=message_id, parts=(part,), document=document, label=WIDE)
    return replace(message, submission=replace(message.submission, bodies=(body,)))


# --- members


async def test_member_cannot_add_a_portion_to_anothers_document(fw: Framework) -> None:
    report = ThreatAssessment(
        title="t", text=[Portion("first", WIDE), Portion("only for FIN", "REGIONAL SECRET REL TO FIN")]
    )
    await (await fw.node("EST").channel("main").publish(report, label=WIDE)).receipt()
    await fw.settle()
    (event,) = fw.node("LVA").channel("main").line.reading.inbox.events
    before, document = dict(event.payloads), event.header.document
    pen = await adv.Pen(fw, "FIN").sync()
    grant = pen.grant()
    words = b"\x82\xa5forged"
    await logged(fw, pen, grant, *(portion(pen, grant, document, number, words) for number in (2, 1)))
    for shown in fw.node("LVA").channel("main").line.reading.inbox.events:
        own = shown.header.sender == "EST/mod-1"
        assert (words in shown.payloads.values()) != own
        assert not own or shown.payloads == before


async def test_sender_cannot_change_a_portion_that_was_shown(fw: Framework) -> None:
    pen = await adv.Pen(fw, "EST").sync()
    grant = pen.grant()
    document = (pen.new_id(), 2)
    await logged(fw, pen, grant, portion(pen, grant, document, 0, b"\xa3one"))
    await logged(fw, pen, portion(pen, grant, document, 1, b"\xa3two"))
    await logged(fw, pen, portion(pen, grant, document, 1, b"\xa5other"))
    assert texts(fw, "LVA")[-1] == [b"\xa3one", b"\xa3two"]


async def test_what_was_recalled_does_not_come_back_with_the_next_portion(fw: Framework) -> None:
    pen = await adv.Pen(fw, "EST").sync()
    grant = pen.grant()
    document = (pen.new_id(), 2)
    first = portion(pen, grant, document, 0, b"\xa6secret")
    _, index = await logged(fw, pen, grant, first)
    target = Refs(target=Ref(pen.log, index, first.signed.header_hash))
    await logged(fw, pen, pen.entry("recall", first.header.nodes, content=RecallContent(None), refs=target))
    await logged(fw, pen, portion(pen, grant, document, 1, b"\xa3two"))
    assert b"\xa6secret" not in [payload for shown in texts(fw, "LVA") for payload in shown]


async def test_recipient_cannot_have_anothers_body_erased(fw: Framework) -> None:
    """It names the ciphertext it was sent as its own, to recall it: the relay has that body from another entry."""
    est, fin = adv.Pen(fw, "EST"), adv.Pen(fw, "FIN")
    grant = (await est.sync()).grant()
    message = est.message(grant)
    _, theirs = await logged(fw, est, grant, message)
    own = (await fin.sync()).grant()
    assert await turned(fw, fin, own, posted_again(fin, own, message)) == "body-missing"
    digest = message.header.parts[0].digest
    held = (await fw.store.bodies(est.log, [digest]))[digest]
    assert isinstance(held, Body)
    assert held.index == theirs


def posted_again(pen: adv.Pen, grant: adv.Forged, message: adv.Forged) -> adv.Forged:
    """A message of one's own with the body of another one."""
    made = pen.message(grant, label=WIDE, parts=message.header.parts)
    return replace(made, submission=replace(made.submission, bodies=message.submission.bodies))


async def turned(fw: Framework, pen: adv.Pen, *entries: adv.Forged) -> str:
    """The code with which the last of them is refused; all others are logged."""
    *others, last = await pen.submit(*entries)
    assert all(isinstance(outcome, Logged) for outcome in others), others
    assert isinstance(last, Turned)
    await fw.settle()
    return last.refusal.code


async def recalled(fw: Framework, pen: adv.Pen, message: adv.Forged, index: int) -> None:
    target = Refs(target=Ref(pen.log, index, message.signed.header_hash))
    await pen.sync()
    await logged(fw, pen, pen.entry("recall", message.header.nodes, content=RecallContent(None), refs=target))


@pytest.mark.parametrize("thief", ["EST", "FIN"])
async def test_attack_a_body_is_named_twice_and_recalled_once_to_have_the_relay_accused(
    fw: Framework, thief: str
) -> None:
    """By its author or by a recipient: the recall takes the body away, and nothing excuses its absence at the copy."""
    est = await adv.Pen(fw, "EST").sync()
    grant = est.grant()
    message = est.message(grant, label=WIDE)
    _, index = await logged(fw, est, grant, message)
    copier = est if thief == "EST" else await adv.Pen(fw, thief).sync()
    own = copier.grant()
    assert await turned(fw, copier, own, posted_again(copier, own, message)) == "body-missing"
    await recalled(fw, est, message, index)
    await copier.sync()
    assert await turned(fw, copier, posted_again(copier, own, message)) == "body-missing"
    assert "body-missing" not in {finding.code for finding in (await audited(fw)).findings}


async def test_attack_two_copies_of_a_body_in_one_batch(fw: Framework) -> None:
    est = await adv.Pen(fw, "EST").sync()
    grant = est.grant()
    message = est.message(grant, label=WIDE)
    assert await turned(fw, est, grant, message, posted_again(est, grant, message)) == "body-missing"


async def test_attack_a_body_that_is_recalled_in_one_log_lies_in_another_one() -> None:
    """Each relay has a log of its own: the copy is taken, and an export must not say of it that it is gone."""
    async with Framework.of(Plan(channels=(ChannelPlan("main"), ChannelPlan("second")), seed=3)) as fw:
        fw.clock.advance(seconds=30 * 60)
        await fw.settle()
        est, lva = await adv.Pen(fw, "EST").sync(), await adv.Pen(fw, "LVA", "second").sync()
        grant, own = est.grant(), lva.grant()
        message = est.message(grant, label=WIDE)
        _, index = await logged(fw, est, grant, message)
        await logged(fw, lva, own, posted_again(lva, own, message))
        await recalled(fw, est, message, index)
        grave = {finding.code for finding in (await audited(fw)).findings if finding.grade is not Grade.OBSERVATION}
        assert grave <= {"unwitnessed"}


async def test_attack_a_file_is_named_in_two_logs_and_recalled_in_one_to_leave_the_relay_without_it() -> None:
    """There is one file: the relay would miss what its other log says it has, and look damaged."""
    async with Framework.of(Plan(channels=(ChannelPlan("main"), ChannelPlan("second")), seed=3)) as fw:
        fw.clock.advance(seconds=30 * 60)
        await fw.settle()
        chunk = bytes(70_000)
        pens = [await adv.Pen(fw, "EST", channel).sync() for channel in ("main", "second")]
        port = pens[0].engine.ports[HOST]
        await port.blob_put(pens[0].log, leaf_hash(chunk), len(chunk), 0, chunk)
        file = Part(digest=leaf_hash(chunk), size=len(chunk), commit=bytes(32), media="application/octet-stream")
        outcomes: list[Outcome] = []
        for pen in pens:
            grant, message_id = pen.grant(), pen.new_id()
            part, body = pen.part(grant, message_id, wrap(0, b"see the file"))
            made = pen.message(grant, id=message_id, label=WIDE, parts=(part, file))
            made = replace(made, submission=replace(made.submission, bodies=(body,)))
            outcomes += await pen.submit(grant, made)
            await fw.settle()
        *logged_ones, last = outcomes
        assert all(isinstance(outcome, Logged) for outcome in logged_ones), logged_ones
        assert isinstance(last, Turned)
        assert last.refusal.code == "body-missing"


# --- a relay against a sender


async def test_forged_entry_in_our_name_does_not_move_our_numbers(fw: Framework) -> None:
    """Else the honest sender's next entry would be void for everybody: muted and blamed."""
    pen, head = await adv.Pen(fw, "EST").sync(), fw.node("EST").channel("main").line.sending.numbers.head
    forged = pen.heartbeat(seq=1000).altered(precedence="FLASH")
    index = await adv.CheatingRelay(fw).log(forged)
    await fw.settle()
    assert told(engine(fw, "EST"), pen.log, index) == "bad-signature"
    assert fw.node("EST").channel("main").line.sending.numbers.head == head
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    place = (await sent.receipt()).place
    await fw.settle()
    assert place.seq == head.seq + 2
    assert admitted(engine(fw, "LVA"), pen.log, place.index)


class PrivateReceipt(adv.Fork):
    """Logs what one member hands in on a branch that only this member's receipts are from; it reads the others' log."""

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for entry in entries:
            forged = adv.Forged.read(entry)
            index, stamp = self.show(forged), self.relay.stamp()
            outcomes.append(Logged(index, stamp, self.note(), tuple(self.tree.inclusion(index))))
        return outcomes

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        return await self.port.read(log, start, limit)

    async def witnessed(self, log: str) -> bytes | None:
        return await self.port.witnessed(log)

    async def offers(self, heads, shown=NOTHING):
        return await self.port.offers(heads, shown)

    async def cosign(self, log, size, lines) -> None:
        await self.port.cosign(log, size, lines)


async def test_relay_cannot_give_a_receipt_from_a_private_tree(fw: Framework) -> None:
    PrivateReceipt(fw, "EST")
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    await sent.receipt()
    await fw.settle()
    assert "equivocation" not in codes(fw, "EST")  # nothing contradicts it yet
    for _ in range(2):  # somebody else's entries stand where the receipt says that ours does
        await (await fw.node("FIN").channel("main").publish(SAID, label=adv.EVERYBODY)).receipt()
    await fw.settle()
    assert "equivocation" in codes(fw, "EST")
    assert fw.node("EST").channel("main").line.stopped is not None


class TwoFaced(adv.Lie):
    """Refuses the first of a run, with the log's signature, and says that the rest was not tried."""

    def __init__(self, framework: Framework, member: str) -> None:
        super().__init__(framework, member)
        self.turned: list[Submission] = []

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        if self.turned:
            return await super().submit(log, entries)
        self.turned = list(entries)
        now, size = self.framework.clock.now, self.engine.trust.witnessed
        digest = adv.Forged.read(entries[0]).signed.header_hash
        said = Refusal(log, digest, "stale-directory", 5, "no", size, now)
        signed = said.signed(self.framework.founded.log_keys[0], self.framework.founded.framework_id)
        return [Turned(signed), *[Weather("not-tried", None)] * (len(entries) - 1)]


class Backwards(TwoFaced):
    """Says that the first was not tried, and refuses only what comes after it."""

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        if self.turned or len(entries) < 2:
            self.again = list(entries)
            return await self.port.submit(log, entries)
        second = await super().submit(log, entries[1:])
        self.turned = list(entries)
        return [Weather("not-tried", None), *second]


async def test_relay_cannot_have_a_number_signed_again_by_refusing_a_later_one(fw: Framework) -> None:
    """What stands before a refused header is not refused: its bytes go out again, or there were two of that number."""
    lie = Backwards(fw, "EST")
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    await sent.receipt()
    await fw.settle()
    signed: dict[int, set[bytes]] = {}
    for entry in (lie.turned[0], *lie.again):
        signed.setdefault(adv.Forged.read(entry).header.seq, set()).add(entry.header)
    assert len(signed[adv.Forged.read(lie.turned[0]).header.seq]) == 1
    log = engine(fw, "EST").line("main").log
    entries = [stored.entry async for stored in fw.store.read(log, 0, 99, max_bytes=1 << 30)]
    assert any(lie.turned[0].header in entry for entry in entries)
    assert not codes(fw, "EST")


async def test_relay_cannot_log_what_it_refused(fw: Framework) -> None:
    """Nor what was signed after it: the refusal of a header refuses every header whose `prev` runs through it (I7)."""
    lie = TwoFaced(fw, "EST")
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    place = (await sent.receipt()).place
    await fw.settle()
    first, second = (adv.Forged.read(entry) for entry in lie.turned[:2])
    relay = adv.CheatingRelay(fw)
    late = [await relay.log(first), await relay.log(second)]
    await fw.settle()
    assert None not in [told(engine(fw, "LVA"), relay.origin, index) for index in late]
    result = await audited(fw)
    assert all(findings_at(result, relay.origin, index) for index in late)
    assert not findings_at(result, relay.origin, place.index)


class Hasty(TwoFaced):
    """Logs what it refuses before it says so."""

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        first = not self.turned
        outcomes = await super().submit(log, entries)
        if first:
            await adv.CheatingRelay(self.framework).log(adv.Forged.read(entries[0]))
        return outcomes


async def test_relay_that_logs_in_time_what_it_refused_is_told_of(fw: Framework) -> None:
    """The message behind it goes out under a later number: what stands in the log is the truth, refused or not."""
    lie = Hasty(fw, "EST")
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    place = (await sent.receipt()).place
    await fw.settle()
    assert codes(fw, "EST") == {"refused-then-logged"}
    assert place.seq > adv.Forged.read(lie.turned[0]).header.seq
    assert admitted(engine(fw, "LVA"), engine(fw, "EST").line("main").log, place.index)


class Vague(adv.Lie):
    """Logs everything and answers that nothing was tried."""

    def __init__(self, framework: Framework, member: str) -> None:
        super().__init__(framework, member)
        self.seen: list[list[Submission]] = []

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self.seen.append(list(entries))
        await super().submit(log, entries)
        return [Weather("not-tried", None)] * len(entries)


async def test_relay_cannot_make_a_node_sign_one_number_twice(fw: Framework) -> None:
    """Without a signed refusal the same bytes go out again, and the log itself settles it."""
    lie = Vague(fw, "EST")
    sent = await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)
    receipt = await sent.receipt()
    await fw.settle()
    headers = {adv.Forged.read(entry).header.seq: entry.header for run in lie.seen for entry in run}
    assert all(entry.header == headers[adv.Forged.read(entry).header.seq] for run in lie.seen for entry in run)
    assert admitted(engine(fw, "LVA"), engine(fw, "EST").line("main").log, receipt.index)
    assert not codes(fw, "EST")


# --- a relay against a reader


async def test_entry_nobody_can_parse_does_not_stop_reading(fw: Framework) -> None:
    relay = adv.CheatingRelay(fw)
    # The honest half of this relay cannot read it either; only nodes are asked here.
    index = relay.size
    lie = adv.Fork(fw, "LVA")
    pen = await adv.Pen(fw, "EST").sync()
    lie.add(Full(b"\x94\x01garbage", None, (), ()))
    lie.show(pen.heartbeat())
    await fw.settle()
    assert told(engine(fw, "LVA"), relay.origin, index) == "malformed"
    assert admitted(engine(fw, "LVA"), relay.origin, index + 1)


class Endless(adv.Lie):
    """Answers every question with the newest note and nothing new, and offers the same tree again and again."""

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        tail = await super().read(log, start, limit)
        live = self.framework.relay_service.logs[log]
        return tail or (Tail(log, start, (), live.note()) if start == live.size else None)

    async def offers(self, heads, shown=NOTHING):
        offers = []
        for log, live in self.framework.relay_service.logs.items():
            size = heads.get(log, 0)
            if size == live.size:
                offers.append(Offer(log, size, live.note(), self.framework.clock.now, ()))
        return [*await super().offers(heads, shown), *offers]


async def test_relay_cannot_keep_a_node_busy_with_nothing(fw: Framework) -> None:
    Endless(fw, "LVA")
    await (await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)).receipt()
    await fw.settle()
    assert not await engine(fw, "LVA").turn()


class BadOffer(adv.Lie):
    """One offer that does not verify, before all others."""

    async def offers(self, heads, shown=NOTHING):
        honest = await super().offers(heads, shown)
        return [Offer(log, 0, b"no note\n\n", self.framework.clock.now, ()) for log in heads][:1] + honest


async def test_bad_offer_does_not_keep_others_from_being_cosigned(fw: Framework) -> None:
    BadOffer(fw, "LVA")
    index = (await (await fw.node("EST").channel("main").publish(SAID, label=adv.EVERYBODY)).receipt()).index
    await fw.settle()
    log = engine(fw, "LVA").line("main").log
    assert engine(fw, "LVA").witness.heads[log].size > index
    assert "malformed" in codes(fw, "LVA")


async def test_ids_are_of_their_sender(fw: Framework) -> None:
    """Whoever reads an id first cannot make the relay refuse it to its owner."""
    for member in ("FIN", "EST"):
        pen = await adv.Pen(fw, member).sync()
        grant = pen.grant()
        await logged(fw, pen, grant, pen.message(grant, id=uuid7(fw.clock.now, bytes(10))))
    assert not codes(fw, "LVA")
