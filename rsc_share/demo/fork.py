"""The act of the cheating relay: an alert is kept from one node by showing it another tree."""

from __future__ import annotations

from datetime import UTC, datetime

from rsc_share.demo import texts
from rsc_share.demo.cheats import ForkingWire
from rsc_share.demo.parts import Caught, Claim
from rsc_share.demo.stage import DISASTER, SECOND, Stage
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.node.draft import Draft
from rsc_share.rulebook.witnesses import open_witnessed
from rsc_share.testing.founding import HOST

SENDER, OTHER = "LVA", "EST"


async def cheat(stage: Stage) -> Caught:
    log = stage.log(DISASTER)
    node, desk = stage.node(SECOND), stage.desk(SECOND, DISASTER)
    wire = ForkingWire(
        node.engine.ports[HOST], "FIN", log, stage.fw.founded.log_keys[0], lambda: stage.fw.store.whole_tree(log)
    )
    node.engine.ports = {HOST: wire}
    when = datetime.fromtimestamp(stage.fw.clock.now / 1000, UTC)
    draft = Draft(texts.second_alert(when), label="TLP:GREEN REL TO @members", precedence="FLASH")
    (sent,) = await stage.publish(SENDER, DISASTER, draft)
    reference = sent.receipt.reference
    notes = wire.two_trees()
    trees = _trees(stage, log, notes)
    alarms = [alarm for alarm in node.alarms if alarm.key == log]
    return Caught(
        victim=SECOND,
        log=log,
        hidden=reference,
        size=trees[0].size if trees else 0,
        shown_root=trees[0].root.hex() if trees else "",
        true_root=trees[1].root.hex() if trees else "",
        said=desk.stopped.what if desk.stopped is not None else "",
        alarm=", ".join(sorted({alarm.code for alarm in alarms})),
        notes=tuple(note.decode() for note in notes or ()),
        claims=(
            Claim(
                "the relay has signed two different trees of one size: both signatures verify, which is the proof",
                bool(trees) and trees[0].size == trees[1].size and trees[0].root != trees[1].root,
            ),
            Claim(
                f"{SECOND} heard of it in the loop it reads messages with, and raised an alarm",
                desk.stopped is not None and bool(alarms) and reference not in desk.read,
            ),
            Claim(f"{OTHER} has read the alert that was hidden", reference in stage.desk(OTHER, DISASTER).read),
            Claim(f"{SECOND} believes nothing of this log any more; its other channels go on", _only_that(stage, log)),
        ),
    )


def _trees(stage: Stage, log: str, notes: tuple[bytes, bytes] | None) -> tuple[Checkpoint, ...]:
    """The checkpoints of both notes, their signatures verified under the directory."""
    view, now = stage.fw.relay_service.view, stage.fw.clock.now
    try:
        return tuple(open_witnessed(note, view, log, now).checkpoint for note in notes or ())
    except RemoteError:
        return ()


def _only_that(stage: Stage, log: str) -> bool:
    lines = stage.node(SECOND).engine.lines
    return all((line.stopped is not None) == (origin == log) for origin, line in lines.items())
