"""The policy in force at a state: the quorum's bundle with the rows that agreements and restrictions add."""

from __future__ import annotations

from collections import OrderedDict

from rsc_share.charter.facts import State
from rsc_share.charter.model import MEMBERS, Charter
from rsc_share.charter.rowtext import Agreement, Restriction
from rsc_share.errors import RemoteError
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.rows import Row, parse_rows

_CACHED = 16


def agreement_rows(state: State, found: Agreement) -> tuple[Row, ...]:
    """Rows of an agreement: they permit its parties' own material and nobody else's. Raises `RemoteError`."""
    others = (held.rows for key, held in state.agreements.items() if key != found.id)
    rows = parse_rows(found.rows, "agreement", found.parties, name=f"agreement {found.id}")
    return _new(rows, {row.id for held in others for row in held})


def restriction_rows(state: State, found: Restriction) -> tuple[Row, ...]:
    """Rows of a restriction: they narrow, and only over its member's own material. Raises `RemoteError`."""
    others = (held.rows for key, held in state.party(found.member).restrictions.items() if key != found.id)
    rows = parse_rows(found.rows, "restriction", (found.member,), name=f"restriction {found.id}")
    return _new(rows, {row.id for held in others for row in held})


def _new(rows: tuple[Row, ...], taken: set[str]) -> tuple[Row, ...]:
    """Every row that may appear in an explanation has an id of its own."""
    for row in rows:
        if row.id in taken:
            raise RemoteError(f"row {row.id} is in force already", code="rows")
    return rows


def charter_groups(charter: Charter) -> dict[str, frozenset[str]]:
    """The charter's groups with their members; `@members` is every party."""
    found: dict[str, set[str]] = {MEMBERS: set(charter.members)}
    for code, member in charter.members.items():
        for group in member.groups:
            found.setdefault(group, set()).add(code)
    return {group: frozenset(codes) for group, codes in found.items()}


class Bundles:
    """Bundles by what they are made of: most states differ in certificates only and share one."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[int, ...], Bundle] = OrderedDict()

    def at(self, state: State) -> Bundle:
        added = [state.agreements[key] for key in sorted(state.agreements)]
        narrowed = list(state.restrictions())
        key = (state.charter_index, *(held.place.index for held in added), -1, *(h.place.index for h in narrowed))
        bundle = self._found.get(key)
        if bundle is None:
            rows = [row for held in added for row in held.rows]
            rows += [row for held in narrowed for row in held.rows]
            bundle = self._found[key] = state.bundle.with_rows(rows, groups=charter_groups(state.charter))
            if len(self._found) > _CACHED:
                self._found.popitem(last=False)
        return bundle
