"""What the examiner brought along, from outside the export: without it an export is only checked against itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.heads import compare, ever_witnesses, knowing, match_vkeys, outside_head, verify_head
from rsc_share.audit.tree import LogTree
from rsc_share.audit.trust import Trust
from rsc_share.charter.directory import Directory
from rsc_share.errors import RscError
from rsc_share.log.note import VerifierKey
from rsc_share.rulebook.witnesses import log_keys, witness_keys

AGAINST_ITSELF = "CHECKED AGAINST ITSELF ONLY"


@dataclass(frozen=True, slots=True)
class Anchors:
    """`charter_digest`: SHA-256 of charter version 1, as the parties published it. `checkpoints`: signed notes of any
    of the logs, straight from a member or a witness, by where each came from. `vkeys`: verifier keys, likewise."""

    charter_digest: bytes | None = None
    checkpoints: Mapping[str, bytes] = field(default_factory=dict)
    vkeys: tuple[VerifierKey, ...] = ()


@dataclass(frozen=True, slots=True)
class OutsideHead:
    """An outside checkpoint that verified: of which log, what it says, and when a quorum had witnessed it (ms): the
    k-th newest and the k-th oldest time."""

    source: str
    origin: str
    size: int
    root: bytes
    quorum_time: int | None
    seen_time: int | None


@dataclass(frozen=True, slots=True)
class Anchored:
    """What the anchors came to. `firm`: the charter was pinned, and a head or a key from outside agreed."""

    pinned: bool
    heads: tuple[OutsideHead, ...]
    keys: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def firm(self) -> bool:
        # A head of an empty tree agrees with every history.
        return self.pinned and (bool(self.keys) or any(head.size for head in self.heads))

    @property
    def sizes(self) -> dict[str, int]:
        """The largest size of each log that a checkpoint from outside shows."""
        found: dict[str, int] = {}
        for head in self.heads:
            found[head.origin] = max(head.size, found.get(head.origin, 0))
        return found


def hold_against(anchors: Anchors, trust: Trust, trees: Mapping[str, LogTree]) -> Anchored:
    """Compare every anchor with what the export says. One that does not verify anchors nothing and is a finding."""
    if not trust.directory.size:
        return Anchored(anchors.charter_digest is not None, (), (), ())
    now = trust.directory.logged_at(trust.directory.size - 1)
    findings: list[Finding] = []
    heads = []
    for source, note in sorted(anchors.checkpoints.items()):
        try:
            heads.append(_outside(source, note, trust.directory, now, trees, findings))
        except RscError as error:
            what = f"the checkpoint from {source} does not verify under this export's directory: {error.what}"
            findings.append(Finding(Grade.INTEGRITY, "outside-checkpoint", what, evidence={"source": source}))
    wrong, keys = _keys(anchors.vkeys, trust, now)
    return Anchored(anchors.charter_digest is not None, tuple(heads), keys, (*findings, *wrong))


def _outside(
    source: str,
    note: bytes,
    directory: Directory,
    now: int,
    trees: Mapping[str, LogTree],
    findings: list[Finding],
) -> OutsideHead:
    checkpoint = outside_head(note)
    head, _ = verify_head(note, knowing(directory, checkpoint.origin), checkpoint.origin, now)
    mine = trees.get(checkpoint.origin)
    if mine is None:
        what = f"the log {checkpoint.origin}, of which {source} shows {checkpoint.size} entries, is not in this export"
        findings.append(Finding(Grade.INTEGRITY, "truncated", what, log=checkpoint.origin))
    elif mine.tree is not None:
        findings += compare(checkpoint, mine.tree, source)
    times = head.quorum_time, head.seen_time
    return OutsideHead(source, checkpoint.origin, checkpoint.size, checkpoint.root, *times)


def _keys(given: tuple[VerifierKey, ...], trust: Trust, now: int) -> tuple[list[Finding], tuple[str, ...]]:
    if not given:
        return [], ()
    view = trust.directory.at(trust.directory.size)
    held = [key for log in view.logs for key in (*log_keys(view, log), *witness_keys(view, log, now))]
    # Of a node that was revoked since, or that a charter names no more: the examiner's list is older.
    once = {key.vkey for size in trust.remembering for key in ever_witnesses(trust.directory.at(size))}
    known = once.union(key.vkey for key in held)
    wrong = match_vkeys([key for key in given if key.vkey not in once], held)
    return wrong, tuple(sorted(key.vkey for key in given if key.vkey in known))
