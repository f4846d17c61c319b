"""`admit`: the verdict on one entry. Pure: the same case gives the same answer at relay, node and auditor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsc_share.envelope.entry import Signed, Stamp
from rsc_share.errors import Refused, RscError
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, Key, count_key, count_of, effects_of
from rsc_share.rulebook.in_log import confirmed
from rsc_share.rulebook.order import continues, kept_back
from rsc_share.rulebook.party import NODE
from rsc_share.rulebook.rules import LAST_IDENTITY_ROW, NO_CHECKS, RULES, Applied, Placed
from rsc_share.rulebook.unseen import NotCheckable, Unchecked
from rsc_share.value import Value

AHEAD = 64
"""Entries that are begun together: more than these would drive each other out of the cache."""
ALL_CHECKED: tuple[Unchecked, ...] = ()
"""Of this type and not of that of `()`, which a compiler would hold the rest of a function to."""


class Admitted(Value, frozen=True):
    """An entry that passed every row this party applies. `effects` are the facts it changes.

    `unchecked`: rows it could not judge, for want of an entry that is not at hand. With any, the entry is *not
    checkable*: a node reads it, because the relay that took it holds what is missing; an auditor says so.
    `kept_back`: how many earlier entries to this node its sender counted and the relay never delivered.
    `unconfirmed`: row 15 could not be judged for good yet.
    """

    signed: Signed
    stamp: Stamp
    index: int
    effects: Mapping[Key, Fact]
    unconfirmed: bool = False
    kept_back: int = 0
    unchecked: tuple[Unchecked, ...] = ()


class Void(Value, frozen=True):
    """An entry in the tree that fails a row: never shown, a finding, reading goes on."""

    signed: Signed
    stamp: Stamp
    index: int
    refused: Refused
    effects: Mapping[Key, Fact]


def admit(case: Case) -> Admitted:
    """Raises `Refused` with the code and row of the first check that fails."""
    return _admitted(case, _checks(case).every)


def _admitted(case: Case, placed: tuple[Placed, ...]) -> Admitted:
    try:
        for _, run in placed:
            run(case)
    except NotCheckable as open_:  # who decides what is logged holds what it needs, or refuses
        raise Refused("source-unknown", open_.unseen.reason, row=12) from None
    return _passed(case, ALL_CHECKED)


def _passed(case: Case, unchecked: tuple[Unchecked, ...]) -> Admitted:
    view = case.view
    unconfirmed = view.party is NODE and not confirmed(case)
    missed = kept_back(case) if view.me else 0
    return Admitted(case.signed, case.stamp, case.index, _effects(case), unconfirmed, missed, unchecked)


def judge(case: Case) -> Admitted | Void:
    """The verdict on an entry that already stands in a tree: admitted, void, or not checkable (`Admitted.unchecked`).

    What is void by a row that can be judged is void, whatever could not be.
    """
    return Judging(case).verdict()


class Judging:
    """A case on its way through the rows.

    `begin_all` takes some through those that ask about nothing but the entry and the directory. Who replays a log may
    begin entries before he has judged the ones they follow; what is refused is the same, and so is the row.
    """

    __slots__ = ("_begun", "_checks", "_refused", "_row_at", "_unchecked", "case")

    def __init__(self, case: Case) -> None:
        self.case = case
        self._begun = False
        self._checks = NO_CHECKS
        self._row_at = 0
        """The place of the check that refused."""
        self._refused: Refused | None = None
        self._unchecked = ALL_CHECKED

    def verdict(self) -> Admitted | Void:
        """Raises what a check raises besides `Refused`; then it can be asked for again."""
        self._unchecked = ALL_CHECKED
        if not self._begun:
            self._run(self._start().own)
        self._run(self._checks.past)
        case, checks = self.case, self._checks
        if self._refused is not None:
            known = self._row_at < len(checks.rows) and checks.rows[self._row_at] > LAST_IDENTITY_ROW
            effects = _effects(case) if known and continues(case) else {}
            return Void(case.signed, case.stamp, case.index, self._refused, effects)
        return _passed(case, self._unchecked)

    def admitted(self) -> Admitted:
        """As `admit`. Raises what a check raises."""
        if not self._begun:
            return admit(self.case)
        if self._refused is None:
            return _admitted(self.case, self._checks.past)
        _admitted(self.case, self._before(self._checks.past))
        raise self._refused

    def _start(self) -> Applied:
        try:
            self._checks = _checks(self.case)
        except Refused as refused:
            self._refused = refused
        return self._checks

    def _run(self, placed: tuple[Placed, ...]) -> None:
        """Checks in their order, up to one that refuses, or has refused before."""
        case = self.case
        for at, run in placed if self._refused is None else self._before(placed):
            try:
                run(case)
            except NotCheckable as open_:
                self._unchecked = (*self._unchecked, Unchecked(self._checks.rows[at], open_.unseen.reason))
            except Refused as refused:
                self._row_at, self._refused = at, refused
                return

    def _before(self, placed: tuple[Placed, ...]) -> tuple[Placed, ...]:
        """Those that come before the one that has refused."""
        return tuple([(at, run) for at, run in placed if at < self._row_at])


def begin_all(judgings: Sequence[Judging]) -> None:
    """Row by row, because one check on many entries costs less than many on one (what it needs
    is in the processor's cache). One by itself is left for its turn, where it costs less; so is one at which a check
    raises something else, to raise it again."""
    if len(judgings) < 2:
        return
    waiting: dict[Applied, list[Judging]] = {}
    for judging in judgings:
        waiting.setdefault(judging._start(), []).append(judging)
        judging._begun = True
    for checks, group in waiting.items():
        live = group
        for at, run in checks.own:
            left = live
            for judging in live:
                try:
                    run(judging.case)
                except Refused as refused:
                    judging._row_at, judging._refused = at, refused
                    left = [other for other in left if other is not judging]
                except RscError:
                    judging._begun = False
                    left = [other for other in left if other is not judging]
            live = left


def _checks(case: Case) -> Applied:
    held = case.held
    if not 0 < case.stamp.directory <= held:
        raise Refused("directory-ahead", "the stamp names a directory that is not held here", row=5)
    if not 0 < case.header.directory.size <= held:
        raise Refused("directory-ahead", "acted on a directory that is not held here", row=5)
    version = case.at.charter.rules
    rules = RULES.get(version)
    if rules is None:
        raise Refused("malformed", f"rulebook {version} is not known to this release", row=1, advice="upgrade")
    return rules.applied_by(case.view.party, case.header.kind)


def _effects(case: Case) -> dict[Key, Fact]:
    view = case.view
    changed = effects_of(view.facts, case.signed, case.index, case.now)
    if view.party is not NODE:
        return changed
    # A node counts only for itself, and from its true opening: one gap must not raise an alarm for ever.
    mine = count_key(case.header.sender, view.me)
    kept = {key: fact for key, fact in changed.items() if key[0] != "count"}
    if mine in changed:
        kept[mine] = count_of(view.facts, case.header.sender, view.me) + 1 + kept_back(case)
    return kept
