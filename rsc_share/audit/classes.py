"""Every entry ends in exactly one class, and the sums say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from rsc_share.rulebook.unseen import IN_DOUBT, NOT_SHOWN

CHECKED, FINDING = "checked", "finding"
ONLY_HASH = "only a hash in this view"
UNREADABLE = "the entry's file is missing or damaged"
NO_TREE = "the log's tree does not match a checkpoint its log signed"
AFTER_DAMAGE = "an entry before it in this log cannot be read"
NO_DIRECTORY = "the directory under it cannot be established"
NOT_REACHED = "the replay did not come to it"
ELSEWHERE = "it refers to an entry of a log that is not in this export"
BEHIND_END = "it refers to an entry behind the end of another log here"
IN_DAMAGE = "it refers to an entry that cannot be judged here"
REFERRING = (ELSEWHERE, BEHIND_END, IN_DAMAGE, NOT_SHOWN.reason, IN_DOUBT)
"""Why it cannot be said whether an entry that was read, and is not void by itself, may refer to what it refers to."""
REASONS = (ONLY_HASH, UNREADABLE, NO_TREE, AFTER_DAMAGE, NO_DIRECTORY, *REFERRING, NOT_REACHED)
"""Why an entry could not be checked: a closed list."""

_CODES = {CHECKED: 1, FINDING: 2} | {reason: number for number, reason in enumerate(REASONS, 3)}
_NAMES = {number: name for name, number in _CODES.items()}


class Classes:
    """The class of every entry of one log, one byte each. A finding overrides, nothing overrides a finding."""

    __slots__ = ("_codes",)

    def __init__(self, size: int) -> None:
        self._codes = bytearray(size)

    def put(self, index: int, name: str) -> None:
        if self._codes[index] != _CODES[FINDING]:
            self._codes[index] = _CODES[name]

    def put_all(self, indexes: Iterable[int], name: str) -> None:
        """As `put` of each."""
        codes, code, finding = self._codes, _CODES[name], _CODES[FINDING]
        for index in indexes:
            if codes[index] != finding:
                codes[index] = code

    def fill(self, start: int, name: str) -> None:
        """Everything from `start` on that has no class yet."""
        for index in range(start, len(self._codes)):
            if not self._codes[index]:
                self._codes[index] = _CODES[name]

    def of(self, index: int) -> str:
        return _NAMES.get(self._codes[index], NOT_REACHED)

    def spans(self) -> dict[str, list[tuple[int, int]]]:
        """Of every reason for not checking: the entries, as (first, last) of each run."""
        found: dict[str, list[tuple[int, int]]] = {}
        start = 0
        for code, run in groupby(self._codes):
            end = start + sum(1 for _ in run)
            if code not in (_CODES[CHECKED], _CODES[FINDING]):
                found.setdefault(_NAMES.get(code, NOT_REACHED), []).append((start, end - 1))
            start = end
        return found

    def counts(self) -> dict[str, int]:
        """Class to number of entries; the numbers add up to the size of the log."""
        found: Counter[str] = Counter()
        for number, count in Counter(self._codes).items():
            found[_NAMES.get(number, NOT_REACHED)] += count
        return {name: found[name] for name in sorted(found)}


@dataclass(slots=True)
class Sums:
    """What was counted while walking one log."""

    entries: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(sender, kind); bytes nobody could read are counted nowhere here."""
    signatures: int = 0
    decisions: int = 0
    openings: int = 0
    statements: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    """present, erased (with a reason that holds), missing."""
