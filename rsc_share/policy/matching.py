"""Which rows meet a label and the facts around it: everything in a row but who reads."""

from __future__ import annotations

from rsc_share.labels.label import EVERYBODY, Label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.resolved import Reading
from rsc_share.policy.rows import COMPARABLE, Row
from rsc_share.policy.subject import Facets


class Matcher:
    """The rows of one bundle. What is not known makes a permit miss and every other effect hit."""

    __slots__ = ("_by_sender", "_for_groups", "groups", "rows", "schemes")

    def __init__(self, bundle: Bundle) -> None:
        self.rows = bundle.rows
        self.schemes = bundle.schemes
        self.groups = bundle.groups
        self._by_sender: dict[str, list[int]] = {}
        self._for_groups = [i for i, row in enumerate(bundle.rows) if any(of.startswith("@") for of in row.senders)]
        for i, row in enumerate(bundle.rows):
            for sender in row.senders:
                self._by_sender.setdefault(sender, []).append(i)

    def matching(
        self, label: Label, read: tuple[Reading, ...], action: str, facets: Facets, day: int
    ) -> tuple[int, ...]:
        """The places of the rows that fit, in their order."""
        originators = label.originators or (facets.originator,)
        candidates = {*self._for_groups, *(i for who in originators for i in self._by_sender.get(who, ()))}
        return tuple(i for i in sorted(candidates) if self.fits(self.rows[i], label, read, action, facets, day))

    def at_most(self, reading: Reading, limit: tuple[str, str]) -> bool:
        top = self.schemes[reading.scheme].levels.get(limit[1]) if reading.scheme == limit[0] else None
        return top is not None and reading.rank <= top.rank

    def fits(self, row: Row, label: Label, read: tuple[Reading, ...], action: str, facets: Facets, day: int) -> bool:
        """Everything in a row but `to`. What is not known makes a permit miss and everything else hit."""
        if day not in row.valid or action not in row.actions:
            return False
        if row.families and facets.family not in row.families:
            return False
        if row.channels and facets.channel.name not in row.channels:
            return False
        permit = row.effect == "permit"
        if row.purposes and facets.purpose not in row.purposes and (permit or facets.purpose is not None):
            return False
        originators = label.originators or (facets.originator,)
        if not any(self.sent_by(row, originator, day) for originator in originators):
            return False
        carried = any(self._carries(label, tag, values) for tag, values in row.carrying)
        if row.carrying and carried == permit:
            return False
        below = row.max_level is None or any(self.at_most(reading, row.max_level) for reading in read)
        if permit:
            return below
        if row.effect == "ceiling":
            return not below
        return row.min_level is None or self._reaches(row.min_level, read)

    def _carries(self, label: Label, tag: str, values: frozenset[str]) -> bool:
        known = self.schemes[label.scheme].tags.get(tag)
        if known is None:
            return False
        # Joining labels takes permissive values away: a row that looked at them would permit the whole and deny a part.
        return known.type not in COMPARABLE or not values.isdisjoint(label.values(tag))

    def _reaches(self, floor: tuple[str, str], read: tuple[Reading, ...]) -> bool:
        scheme = self.schemes.get(floor[0])
        bottom = scheme.levels.get(floor[1]) if scheme is not None else None
        ranks = [reading.rank for reading in read if reading.scheme == floor[0]]
        return bottom is None or not ranks or max(ranks) >= bottom.rank

    def sent_by(self, row: Row, originator: str, day: int) -> bool:
        if originator in row.senders or EVERYBODY in row.senders:
            return True
        for group in row.senders:
            if group.startswith("@"):
                members = self._members(group, day)
                if originator in members or (not members and row.effect != "permit"):
                    return True
        return False

    def _members(self, group: str, day: int) -> frozenset[str]:
        """Empty for a group nobody knows."""
        found = self.groups.get(group, frozenset())
        return found.union(*(scheme.members_of(group, day) for scheme in self.schemes.values()))
