"""What an audit finds: graded, placed, in plain language, and in an order that depends on nothing but the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from rsc_share.legible import is_legible


class Grade(IntEnum):
    """How serious it is; what a committee reads first comes first."""

    BREACH = 1
    """Somebody was sent, or sent, what the rules forbid."""
    INTEGRITY = 2
    """The record itself is wrong: altered, cut, forked, forged, or not what was handed over."""
    IRREGULARITY = 3
    """A rule of order was broken without anybody reading what he must not."""
    OBSERVATION = 4
    """Allowed, and worth knowing."""

    @property
    def text(self) -> str:
        return {1: "breach", 2: "integrity failure", 3: "irregularity", 4: "observation"}[self.value]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    `code` is stable; `row` is the row of the admission table, None outside it. `log` and `index` say where, `who`
    whose act it is, `when` the log's time (ms UTC). `rule` and `basis` name the rule broken and what it rests on;
    `evidence` is what a second examiner looks at, as plain values.
    """

    grade: Grade
    code: str
    what: str
    row: int | None = None
    log: str = ""
    index: int | None = None
    who: str = ""
    when: int | None = None
    rule: str = ""
    basis: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> tuple[Any, ...]:
        place = -1 if self.index is None else self.index
        return (self.grade, self.log, place, self.code, self.what, repr(sorted(self.evidence.items())))

    def values(self) -> dict[str, Any]:
        """For JSON: hashes as hex, absent as null, and the party's reply, which an audit cannot make up."""
        return {
            "basis": printable(self.basis),
            "code": self.code,
            "evidence": {name: plain(value) for name, value in sorted(self.evidence.items())},
            "grade": self.grade.text,
            "index": self.index,
            "log": self.log,
            "reply": None,
            "row": self.row,
            "rule": printable(self.rule),
            "what": printable(self.what),
            "when": self.when,
            "who": printable(self.who),
        }


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def spelled(value: Any) -> str:
    """What `plain` made, as people read it: a list of rows is no bracket and no quote."""
    if type(value) is not list:
        return str(value)
    rows = [[part for part in item if part is not None] if type(item) is list else [item] for item in value]
    return ", ".join(" ".join(map(str, row)) for row in rows) or "none"


def printable(text: str) -> str:
    """`text` without anything that moves a cursor or is no character: a file's name can hold both."""
    return text if is_legible(text) else text.encode("unicode_escape").decode("ascii")


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Gravest first, then by log and index; the same finding once."""
    unique = {finding.order: finding for finding in findings}
    return tuple(unique[key] for key in sorted(unique))


def file_finding(path: str, what: str, right: str = "") -> Finding:
    """Something about a file: which, what is wrong, what would be right."""
    evidence = {"path": path, "right": right} if right else {"path": path}
    return Finding(Grade.INTEGRITY, "file", f"{path} {what}", evidence=evidence)
