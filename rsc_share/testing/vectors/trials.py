"""Entries as they would stand next in a log, and how the vectors write what was judged of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rsc_share.envelope.approval import approval_digest
from rsc_share.envelope.entry import DirectoryEntry, Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.rulebook.admit import Admitted, Void
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import Channel, Draft, Verdict
from rsc_share.testing.vectors.framework import LOG


@dataclass
class Trial:
    """One entry as it would stand next in the log."""

    why: str
    draft: Draft
    signed: Signed
    stamp: Stamp


def told(channel: Channel, trials: Iterable[Trial], what: str) -> Vectors:
    """A story and its cases, as the vectors write them."""
    framework = channel.framework
    return {
        "what": what,
        "framework_id": framework.id.hex(),
        "log": LOG,
        "directory": [
            DirectoryEntry.stamped(item.data, Stamp(item.logged_at, i)).raw.hex()
            for i, item in enumerate(framework.entries)
        ],
        "bodies": {digest.hex(): body.hex() for digest, body in sorted(framework.bodies.items())},
        "entries": [
            _case("", draft, entry, verdict)
            for draft, entry, verdict in zip(channel.beside, channel.entries, channel.verdicts, strict=True)
        ],
        "cases": [_tried(channel, trial) for trial in trials],
    }


def _tried(channel: Channel, trial: Trial) -> dict[str, Any]:
    verdict = channel.judge(trial.signed, trial.stamp, trial.draft)
    return _case(trial.why, trial.draft, UnverifiedEntry.stamped(trial.signed, trial.stamp), verdict)


def _case(why: str, draft: Draft, entry: UnverifiedEntry, verdict: Verdict) -> dict[str, Any]:
    h: Header = entry.header
    return {
        "why": why,
        "entry": entry.raw.hex(),
        "leaf": entry.leaf.hex(),
        "header_hash": entry.signed.header_hash.hex(),
        "approval_digest": approval_digest(h).hex(),
        "openings": [[node, opening.salt.hex(), opening.n] for node, opening in sorted(draft.openings.items())],
        "statements": [[n, s.salt.hex(), s.header_hash.hex(), s.state] for n, s in sorted(draft.statements.items())],
        "body_sizes": {digest.hex(): len(body) for digest, body in sorted(draft.bodies.items())},
        "verdict": _verdict(verdict),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    if isinstance(verdict, Admitted):
        return {"admitted": True, "code": None, "row": None, "advances": True}
    void: Void = verdict
    return {"admitted": False, "code": void.refused.code, "row": void.refused.row, "advances": bool(void.effects)}
