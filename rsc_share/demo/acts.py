"""What the four states do together: found a framework, share files and an assessment, and count it up at the end."""

from __future__ import annotations

from rsc_share.charter.model import Member
from rsc_share.demo import texts
from rsc_share.demo.inputs import Input, Item
from rsc_share.demo.ledger import only_as_decided, read_by, refreshed, rows_of
from rsc_share.demo.parts import Assessed, Claim, Founding, Ledger, Part, Published, Seat
from rsc_share.demo.stage import HEARTBEAT, STATES, TERROR, Sent, Stage, others
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tlogproof import TlogProof
from rsc_share.messages import Withheld
from rsc_share.node.draft import Draft
from rsc_share.rulebook.witnesses import log_keys
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
            Claim("LTU opened the first portion and was not given the second", read_by(rows, "LTU") == {0, 1}),
            Claim("LVA and FIN opened both", read_by(rows, "LVA") == read_by(rows, "FIN") == {0, 1, 2}),
            Claim(
                "LTU is told that a portion is withheld, and by whom, and no word of it", isinstance(place, Withheld)
            ),
        ),
    )


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
