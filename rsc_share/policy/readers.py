"""The readers of one message side by side, so that a step of a decision is taken for all of them at once.

In every number here the bit `1 << i` stands for the i-th reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from rsc_share.policy.resolved import Holder, Pair
from rsc_share.policy.subject import Subject

K = TypeVar("K")
MOST = 4_096
"""Readers that are kept, of all circles together: some kilobytes each."""
AFTER = 16
MET = 64
"""Circles whose askings are counted, those that were asked about last."""


@dataclass(frozen=True, slots=True)
class Column:
    """Who holds what in one scheme, of those who are entitled in it and whose nodes are accredited in it: `readers`.
    For the others a label of this scheme is judged through an equivalence, if at all, and they are not in here."""

    readers: int
    levels: dict[str, int]
    """Within the accreditation of each node."""
    tags: dict[Pair, int]


NOBODY = Column(0, {}, {})


@dataclass(frozen=True, slots=True)
class Readers:
    """`names`, `insiders`: who has each of those that `Holder` tells of. `rows`: all that cover one of them."""

    holders: list[Holder]
    everyone: int
    columns: dict[str, Column]
    names: dict[str, int]
    insiders: dict[str, int]
    members: frozenset[str]
    """All of `insiders`."""
    rows: int


class Circles:
    """Readers by the tuple of their subjects and the day. A tuple is compared by identity and held here: those of a
    channel are one value.

    Placing readers side by side takes what deciding some forty messages for them takes, so it is done for those who
    were asked about `AFTER` times. Whoever stamps days in turn, or asks for more circles than are kept, has each reader
    judged alone, and nothing made for nothing. At most `most` readers are kept, the newest.
    """

    __slots__ = ("_kept", "_met", "_most", "_readers")

    def __init__(self, most: int) -> None:
        self._most = most
        self._readers = 0
        self._kept: dict[tuple[int, int], tuple[tuple[Subject, ...], Readers]] = {}
        self._met: dict[tuple[int, int], tuple[tuple[Subject, ...], int]] = {}

    def find(self, subjects: tuple[Subject, ...], day: int) -> Readers | None:
        found = self._kept.get((id(subjects), day))
        return found[1] if found is not None and found[0] is subjects else None

    def meet(self, subjects: tuple[Subject, ...], day: int) -> bool:
        """Take down that readers were asked about who are not kept. Whether they are to be, from now on."""
        at = id(subjects), day
        known, times = self._met.pop(at, (subjects, 0))
        times = times + 1 if known is subjects else 1
        if times > AFTER:
            return len(subjects) <= self._most
        if len(self._met) >= MET:
            del self._met[next(iter(self._met))]
        self._met[at] = subjects, times
        return False

    def keep(self, subjects: tuple[Subject, ...], day: int, readers: Readers) -> Readers:
        self._readers += len(subjects)
        while self._readers > self._most and self._kept:
            gone, _ = self._kept.pop(next(iter(self._kept)))
            self._readers -= len(gone)
        self._kept[id(subjects), day] = subjects, readers
        return readers


def side_by_side(holders: list[Holder]) -> Readers:
    names: dict[str, int] = {}
    insiders: dict[str, int] = {}
    rows = 0
    for i, holder in enumerate(holders):
        _mark(names, holder.names, 1 << i)
        _mark(insiders, (holder.insider,), 1 << i)
        rows |= holder.rows
    return Readers(
        holders=holders,
        everyone=(1 << len(holders)) - 1,
        columns={scheme: _column(holders, scheme) for scheme in {held for holder in holders for held in holder.held}},
        names=names,
        insiders=insiders,
        members=frozenset(insiders),
        rows=rows,
    )


def _column(holders: list[Holder], scheme: str) -> Column:
    levels: dict[str, int] = {}
    tags: dict[Pair, int] = {}
    readers = 0
    for i, holder in enumerate(holders):
        held = holder.held.get(scheme)
        if held is not None and held.usable is not None:
            readers |= 1 << i
            _mark(levels, held.usable, 1 << i)
            _mark(tags, held.tags, 1 << i)
    return Column(readers, levels, tags)


def _mark(known: dict[K, int], held: Iterable[K], bit: int) -> None:
    for key in held:
        known[key] = known.get(key, 0) | bit


def any_of(known: dict[K, int], wanted: frozenset[K]) -> int:
    """Who has one of `wanted`."""
    found = 0
    for key in wanted:
        found |= known.get(key, 0)
    return found


@lru_cache(maxsize=64)
def places(bits: int) -> tuple[int, ...]:
    """Which readers these are."""
    return tuple([i for i in range(bits.bit_length()) if bits >> i & 1])
