"""The candidates of one batch, judged as far as nothing before them matters, a few at a time.

Row by row many cost less than each in its turn (`rulebook.admit.begin_all`). What asks about the past waits for the
candidate's turn. One that was begun and never comes to its turn, because something of its run was refused before, was
begun for nothing: as much work as if all had been good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rsc_share.envelope.entry import Stamp
from rsc_share.relay.intake import Candidate, Malformed
from rsc_share.rulebook.admit import AHEAD, Judging, begin_all
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Key, id_key
from rsc_share.rulebook.view import View


class Ahead:
    """`view` is moved on from entry to entry by whoever judges them; `used` are the ids that are taken by then."""

    def __init__(self, view: View, stamp: Stamp, items: Sequence[Candidate | Malformed], used: Collection[Key]) -> None:
        self._view, self._stamp, self._items, self._used = view, stamp, items, used
        self._places = {id(item): place for place, item in enumerate(items)}
        self._begun: dict[int, Judging] = {}

    def take(self, candidate: Candidate, bodies: Mapping[bytes, int]) -> Judging:
        """The judging of a candidate whose turn it is: at the place where the log ends now.

        `bodies`: sizes of those it would bring. Where these are not all that came with it, and no others, it is judged
        in one go: which blobs are still free, and what another entry has brought before it, is known only now.
        """
        mark, foreseen = id(candidate), bodies.keys() == candidate.bodies.keys()
        if foreseen and mark not in self._begun and mark in self._places and self._goes_ahead(candidate):
            self._begin(self._places[mark])
        found = self._begun.pop(mark, None)
        if found is None or not foreseen:
            found = Judging(self._case(candidate, bodies))
        found.case.index = self._view.size
        return found

    def _begin(self, place: int) -> None:
        items = [item for item in self._items[place : place + AHEAD] if self._goes_ahead(item)]
        self._begun = {
            id(item): Judging(self._case(item, sizes_of(item))) for item in items if isinstance(item, Candidate)
        }
        begin_all(list(self._begun.values()))

    def _goes_ahead(self, item: Candidate | Malformed) -> bool:
        """Not what is refused unjudged, nor what is most likely answered from the log."""
        if isinstance(item, Malformed) or item.fault is not None:
            return False
        header = item.signed.header
        return id_key(header.sender, header.id) not in self._used

    def _case(self, candidate: Candidate, bodies: Mapping[bytes, int]) -> Case:
        return Case(self._view, candidate.signed, self._stamp, candidate.openings, bodies)


def sizes_of(candidate: Candidate) -> dict[bytes, int]:
    return {digest: len(body) for digest, body in candidate.bodies.items()}
