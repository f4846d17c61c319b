"""What changes while they share: a restriction by one state, an amendment by a quorum, a revocation."""

from __future__ import annotations

from dataclasses import replace

from rsc_share.charter.changes import changes
from rsc_share.charter.model import Charter, Member
from rsc_share.demo import texts
from rsc_share.demo.cheats import KeepingWire
from rsc_share.demo.ledger import cell_of, only_as_decided, read_by, rows_of
from rsc_share.demo.parts import Amended, Claim, Restricted, Revoked
from rsc_share.demo.stage import HEARTBEAT, TERROR, Stage
from rsc_share.errors import PolicyDenied, Refused, RemoteError
from rsc_share.node.draft import Draft
from rsc_share.session.frames import Turned
from rsc_share.session.port import RelayPort
from rsc_share.testing.founding import HOST


async def restrict(stage: Stage) -> Restricted:
    await stage.fw.restrict("EST", "LVA")
    denied = await _denied(stage, "EST", "LVA")
    own = await stage.publish("EST", TERROR, Draft(texts.OWN, label=texts.EVERYBODY))
    theirs = await stage.publish("FIN", TERROR, Draft(texts.NEIGHBOURS, label=texts.EVERYBODY))
    rows = rows_of(stage, [*own, *theirs])
    mine, neighbours = (next(row for row in rows if row.sender == code) for code in ("EST", "FIN"))
    row = cell_of(mine, "LVA").rule or ""
    return Restricted(
        by="EST",
        against="LVA",
        row=row,
        denied=denied,
        rows=rows,
        claims=(
            only_as_decided(rows),
            Claim("nothing of EST reaches LVA any more", not cell_of(mine, "LVA").read and row.startswith("EST/")),
            Claim("what FIN says reaches LVA as before", cell_of(neighbours, "LVA").read),
            Claim("EST still reaches LTU and FIN", cell_of(mine, "LTU").read and cell_of(mine, "FIN").read),
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
            Claim("LTU reads the second portion from now on", read_by(rows, "LTU") == {0, 1, 2}),
            Claim("what was withheld before stays withheld: an amendment opens no backlog", backlog == {0, 1}),
            Claim(
                "the restriction of EST stands: no amendment lifts what a state says about its own material",
                not read_by(rows, "LVA"),
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
            Claim("nothing is sealed to the stolen node any more", not read_by(rows, "LTU")),
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
