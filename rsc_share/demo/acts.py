"""What the four states do, one function for each step. Each returns what happened and what it claims about it."""

from __future__ import annotations

from dataclasses import replace

from rsc_share.charter.changes import changes
from rsc_share.charter.model import Charter, Member
from rsc_share.demo import texts
from rsc_share.demo.cheats import KeepingWire
from rsc_share.demo.inputs import Input, Item
from rsc_share.demo.ledger import refreshed, rows_of
from rsc_share.demo.parts import (
    Amended,
    Assessed,
    Cell,
    Claim,
    Founding,
    Ledger,
    Part,
    Published,
    Restricted,
    Revoked,
    Row,
    Seat,
)
from rsc_share.demo.stage import HEARTBEAT, STATES, TERROR, Sent, Stage, others
from rsc_share.errors import PolicyDenied, Refused, RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tlogproof import TlogProof
from rsc_share.messages import Withheld
from rsc_share.node.draft import Draft
from rsc_share.rulebook.witnesses import log_keys
from rsc_share.session.frames import Turned
from rsc_share.session.port import RelayPort
from rsc_share.testing.founding import HOST, OPERATOR


async def found(stage: Stage) -> Founding:
    charter, view = stage.fw.founded.charter, stage.fw.relay_service.view
    nodes = stage.fw.nodes
    return Founding(
        framework=charter.framework,
        digest=charter.digest.hex(),
        seats=tuple(_seat(charter.members[code], f"{code}/mod-1") for code in STATES),
        channels=tuple(sorted(charter.channels)),
        host=HOST,
        operator=OPERATOR,
        witnesses_needed=charter.witness_quorum,
        directory_size=view.size,
        claims=(
            Claim(
                f"all {len(nodes)} nodes verified the same directory from the digest alone, witnessed by a quorum",
                len({(node.engine.trust.root(view.size)) for node in nodes}) == 1
                and all(node.engine.trust.witnessed == view.size for node in nodes),
            ),
            Claim(
                f"{OPERATOR}, who runs the relay, holds no node and reads nothing", not charter.members[OPERATOR].nodes
            ),
        ),
    )


def _seat(member: Member, node: str) -> Seat:
    limit = member.nodes[node].accreditation["REGIONAL"]
    return Seat(member.code, node, member.authority, f"REGIONAL {limit}")


def only_as_decided(rows: tuple[Row, ...]) -> Claim:
    """The sender's decision and what the reader's node could open are the same thing, in every cell."""
    wrong = sum(cell.read != (cell.code == "released") for row in rows for cell in row.cells)
    return Claim("every portion was opened by exactly the states it was released to", wrong == 0 and bool(rows))


async def publish_file(stage: Stage, member: str, channel: str, given: Input) -> Published:
    drafts = [Draft(item.body, label=_label(item, member)) for item in given.items]
    sent = await stage.publish(member, channel, *drafts)
    rows = rows_of(stage, sent)
    whole = all(
        stage.desk(other, channel).bodies.get(one.receipt.reference) == one.draft.body
        for one in sent
        for other in others(member)
    )
    return Published(
        kind=given.kind,
        source=given.source,
        found=given.found,
        messages=len(sent),
        lost=given.lost,
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim("what the readers hold equals, field for field, what was imported", whole),
            Claim("every receipt proves, by itself, a place in the log", all(_proved(stage, one) for one in sent)),
        ),
    )


def _proved(stage: Stage, sent: Sent) -> bool:
    """The proof file a sender keeps, read again and checked with the log's key alone."""
    proof, log = TlogProof.parse(sent.receipt.proof()), stage.log(sent.channel)
    try:
        proof.verify(leaf_hash(sent.receipt.place.entry), log_keys(stage.node(sent.member).engine.trust.view, log))
    except RemoteError:
        return False
    return True


def _label(item: Item, member: str) -> str:
    """RED is for readers who are named, all else goes to all members. Elsewhere a person decides; here nobody does."""
    readers = ", ".join(others(member)) if item.marking == "TLP:RED" else "@members"
    return f"{item.marking} REL TO {readers}"


async def assess(stage: Stage) -> Assessed:
    (sent,) = await stage.publish("EST", TERROR, Draft(texts.ASSESSMENT, label=texts.EVERYBODY, precedence="IMMEDIATE"))
    rows = rows_of(stage, [sent])
    shown = getattr(stage.desk("LTU", TERROR).bodies.get(sent.receipt.reference), "text", [])
    place = shown[1] if len(shown) == 2 else None
    return Assessed(
        less="LTU",
        seen=f"portion {place.index} is withheld by {', '.join(place.originators)}"
        if isinstance(place, Withheld)
        else "",
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim("LTU opened the first portion and was not given the second", _read(rows, "LTU") == {0, 1}),
            Claim("LVA and FIN opened both", _read(rows, "LVA") == _read(rows, "FIN") == {0, 1, 2}),
            Claim(
                "LTU is told that a portion is withheld, and by whom, and no word of it", isinstance(place, Withheld)
            ),
        ),
    )


def _read(rows: tuple[Row, ...], member: str) -> set[int]:
    return {row.portion for row in rows for cell in row.cells if cell.member == member and cell.read}


def _cell(row: Row, member: str) -> Cell:
    return next(cell for cell in row.cells if cell.member == member)


async def restrict(stage: Stage) -> Restricted:
    await stage.fw.restrict("EST", "LVA")
    denied = await _denied(stage, "EST", "LVA")
    own = await stage.publish("EST", TERROR, Draft(texts.OWN, label=texts.EVERYBODY))
    theirs = await stage.publish("FIN", TERROR, Draft(texts.NEIGHBOURS, label=texts.EVERYBODY))
    rows = rows_of(stage, [*own, *theirs])
    mine, neighbours = (next(row for row in rows if row.sender == code) for code in ("EST", "FIN"))
    row = _cell(mine, "LVA").rule or ""
    return Restricted(
        by="EST",
        against="LVA",
        row=row,
        denied=denied,
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim("nothing of EST reaches LVA any more", not _cell(mine, "LVA").read and row.startswith("EST/")),
            Claim("what FIN says reaches LVA as before", _cell(neighbours, "LVA").read),
            Claim("EST still reaches LTU and FIN", _cell(mine, "LTU").read and _cell(mine, "FIN").read),
            Claim("a message that must reach LVA is refused before anything leaves", bool(denied)),
        ),
    )


async def _denied(stage: Stage, by: str, against: str) -> str:
    channel = stage.node(by).channel(TERROR)
    try:
        await channel.publish(Draft(texts.OWN, label=texts.EVERYBODY), must_reach=[against])
    except PolicyDenied as error:
        return error.what
    return ""


async def amend(stage: Stage) -> Amended:
    before = stage.fw.relay_service.view.charter
    members = {**before.members, "LTU": _cleared(before)}
    too_few, enough = ("EST", "LTU"), ("EST", "LTU", "FIN")
    refused = ""
    try:
        await stage.fw.log(*stage.fw.founded.amended(before, members, too_few))
    except (Refused, RemoteError) as error:
        refused = error.what
    await stage.fw.log(*stage.fw.founded.amended(before, members, enough))
    after = stage.fw.relay_service.view.charter
    rows = rows_of(stage, await stage.publish("EST", TERROR, Draft(texts.UPDATE, label=texts.EVERYBODY)))
    earlier = next(one for one in stage.sent if one.draft.body is texts.ASSESSMENT)
    backlog = stage.desk("LTU", TERROR).read[earlier.receipt.reference]
    return Amended(
        version=after.version,
        signers=enough,
        too_few=too_few,
        refused=refused,
        changes=changes(before, after),
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim(
                "with two signatures the amendment is refused, with three of four it is law",
                bool(refused) and after.version == 2,
            ),
            Claim("LTU reads the second portion from now on", _read(rows, "LTU") == {0, 1, 2}),
            Claim("what was withheld before stays withheld: an amendment opens no backlog", backlog == {0, 1}),
            Claim(
                "the restriction of EST stands: no amendment lifts what a state says about its own material",
                not _read(rows, "LVA"),
            ),
        ),
    )


def _cleared(charter: Charter) -> Member:
    """LTU may now read REGIONAL SECRET, and so may its node."""
    member, like = charter.members["LTU"], charter.members["FIN"]
    nodes = {
        name: replace(node, accreditation={**node.accreditation, "REGIONAL": "SECRET"})
        for name, node in member.nodes.items()
    }
    return replace(member, entitlements={**member.entitlements, "REGIONAL": like.entitlements["REGIONAL"]}, nodes=nodes)


async def revoke(stage: Stage) -> Revoked:
    """LTU's node signs a message, somebody keeps it on the way, LTU revokes the node, the thief hands it in."""
    await stage.pass_time(HEARTBEAT)
    node = stage.node("LTU")
    honest = node.engine.ports[HOST]
    thief = KeepingWire(honest, "LTU")
    node.engine.ports = {HOST: thief}
    await node.channel(TERROR).publish(Draft(texts.STOLEN, label=texts.EVERYBODY))
    await stage.settle()
    await stage.fw.revoke(node.name)
    refused = await _handed_in(honest, thief)
    rows = rows_of(stage, await stage.publish("FIN", TERROR, Draft(texts.AFTER, label=texts.EVERYBODY)))
    stolen = any(body == texts.STOLEN for desk in stage.desks.values() for body in desk.bodies.values())
    return Revoked(
        node=node.name,
        by="LTU",
        refusal=refused,
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim(
                "what the stolen node had signed before is turned away, and no node has read it",
                bool(thief.kept) and refused.startswith("revoked") and not stolen,
            ),
            Claim("nothing is sealed to the stolen node any more", not _read(rows, "LTU")),
        ),
    )


async def _handed_in(port: RelayPort, thief: KeepingWire) -> str:
    """What the relay says to entries the node had signed while it was in good standing."""
    log = thief.kept[0][0]
    try:
        outcome = (await port.submit(log, [entry for _, entry in thief.kept[:1]]))[0]
    except Refused as refused:
        return f"{refused.code} (row {refused.row}): {refused.what}"
    if isinstance(outcome, Turned):
        return f"{outcome.refusal.code} (row {outcome.refusal.row}): {outcome.refusal.what}"
    return ""


async def ledger(stage: Stage, parts: list[Part]) -> Ledger:
    """Everything so far in one table, after every node has had time to sign for what it holds."""
    await stage.pass_time(HEARTBEAT)
    rows = refreshed(
        (row for part in parts if not isinstance(part, Founding) for row in getattr(part, "rows", ())), stage
    )
    unsigned = [cell for row in rows for cell in row.cells if cell.read and not cell.signed]
    return Ledger(
        members=STATES,
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim("every state has signed for everything it opened", not unsigned),
            Claim("no node has raised an alarm but the revoked one", not _alarms(stage)),
        ),
    )


def _alarms(stage: Stage) -> list[str]:
    return [alarm.what for node in stage.fw.nodes if node.member != "LTU" for alarm in node.alarms]
