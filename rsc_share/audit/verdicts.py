"""From a verdict of the rulebook to a finding: the grade of every code, and a sentence a committee can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsc_share import names
from rsc_share.audit.findings import Finding, Grade
from rsc_share.charter.view import DirectoryView
from rsc_share.rulebook.admit import Void

GRADES: Mapping[str, Grade] = {
    "malformed": Grade.INTEGRITY,
    "unknown-log": Grade.INTEGRITY,
    "unknown-sender": Grade.INTEGRITY,
    "revoked": Grade.BREACH,
    "suspended": Grade.BREACH,
    "role": Grade.BREACH,
    "bad-signature": Grade.INTEGRITY,
    "stale-directory": Grade.IRREGULARITY,
    "directory-ahead": Grade.IRREGULARITY,
    "duplicate-id": Grade.IRREGULARITY,
    "stale-head": Grade.IRREGULARITY,
    "clock": Grade.IRREGULARITY,
    "label": Grade.IRREGULARITY,
    "policy-denied": Grade.BREACH,
    "over-granted": Grade.BREACH,
    "under-granted": Grade.IRREGULARITY,
    "dead-grant": Grade.IRREGULARITY,
    "third-party": Grade.BREACH,
    "source-unknown": Grade.IRREGULARITY,
    "equivocation": Grade.INTEGRITY,
    "body-limit": Grade.IRREGULARITY,
    "body-missing": Grade.IRREGULARITY,
    "stamp": Grade.INTEGRITY,
}
"""A code that is not here is an integrity failure: nothing unknown is taken lightly."""

_STAMPED = 15
_RULES: Mapping[int, str] = {
    1: "an entry has one canonical form",
    2: "an entry stands in the log it names, and shows only heads that the logs signed",
    3: "only certified, active nodes with the right to send here send here",
    4: "every entry is signed by its sender",
    5: "a sender acts on a directory as new as everybody must have",
    6: "no message is sent twice",
    7: "every sender's entries are numbered without gaps, for the log and for each recipient",
    8: "an entry is logged soon after it was written and before it expires",
    9: "a label is valid, within the channel's ceiling, and given by its originator",
    10: "policy permits every recipient",
    11: "keys go to exactly the audience, and the audience is complete",
    12: "what came from others stays under their control; what needs an officer's signature has one",
    13: "a log shows everybody the same tree",
    14: "what is sent is there, and no larger than agreed",
    15: "the relay's times and directory sizes never go back and never lag",
}


def rule_of(row: int | None) -> str:
    return _RULES.get(row or 0, "")


def void_finding(void: Void, log: str, view: DirectoryView | None, *, made: bool, held: int) -> Finding:
    """An entry the rulebook refuses, standing in `log` (its header may name another): its sender's act where that is
    shown, and the relay's for logging it. `view`: the directory it is stamped with, if there is one. `made`: by its
    sender (`Makers`). `held`: size of the directory."""
    h, refused = void.signed.header, void.refused
    quoted = names.reference(h.sender, names.channel_of(h.log), h.seq)
    pairs = _pairs(refused.fields.get("pairs"))
    got = f" It went to {', '.join(node for node, _, _ in pairs)}." if pairs else ""
    row_ids = sorted({rule for _, _, rule in pairs if rule} | {r for r in [refused.fields.get("rule")] if r})
    evidence: dict[str, Any] = {"header": void.signed.header_hash, "id": h.id, "kind": h.kind}
    if pairs:
        evidence["received"] = [[node, code, rule] for node, code, rule in pairs]
    if h.label is not None:
        evidence["label"] = f"{h.label.scheme} {h.label.level}"
    unproved = "" if made else f" Nothing here shows that {h.sender} made it."
    # Where it stands nobody but the relay says.
    sent = made and h.log == log and not _stamped_wrong(void, held)
    return Finding(
        grade=GRADES.get(refused.code, Grade.INTEGRITY),
        code=refused.code,
        what=f"{_subject(h.kind)} {quoted} is void: {refused.what}.{got}{unproved} The relay logged it all the same.",
        row=refused.row,
        log=log,
        index=void.index,
        who=h.sender if sent else log.partition("/")[0],
        when=void.stamp.logged_at,
        rule=", ".join(row_ids) or rule_of(refused.row),
        basis=_basis(view, void.stamp.logged_at, row_ids),
        evidence=evidence,
    )


def _stamped_wrong(void: Void, held: int) -> bool:
    """Whether it is void by what is stamped on it, which nobody but the relay says: a time or a directory that goes
    back, or one that is smaller than that its sender acted on, where there is such a one."""
    ahead = void.refused.code == "directory-ahead" and void.signed.header.directory.size <= held
    return ahead or void.refused.row == _STAMPED


def _subject(kind: str) -> str:
    return {"grant": "the key hand-out", "message": "the message"}.get(kind, f"the {kind}")


def _pairs(value: Any) -> list[tuple[str, str, str | None]]:
    return [(node, code, rule) for node, code, rule in value or ()]


def _basis(view: DirectoryView | None, now: int, row_ids: list[str]) -> str:
    """What the rows rest on (`MoU 12/2026 art. 4`), as the parties wrote it."""
    if view is None or not row_ids:
        return ""
    rows = {row.id: row.basis for row in view.bundle(now).rows}
    return "; ".join(rows[name] for name in row_ids if rows.get(name))
