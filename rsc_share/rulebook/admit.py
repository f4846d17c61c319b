"""`admit`: the verdict on one entry. Pure: the same case gives the same answer at relay, node and auditor."""

from __future__ import annotations

from collections.abc import Mapping

from rsc_share.envelope.entry import Signed, Stamp
from rsc_share.errors import Refused
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, Key, count_key, count_of, effects_of
from rsc_share.rulebook.in_log import confirmed
from rsc_share.rulebook.order import continues, kept_back
from rsc_share.rulebook.party import NODE
from rsc_share.rulebook.rules import LAST_IDENTITY_ROW, NO_CHECKS, RULES, Applied, Rules
from rsc_share.rulebook.unseen import NotCheckable, Unchecked
from rsc_share.value import Value


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
    try:
        for run in _checks(case).runs:
            run(case)
    except NotCheckable as open_:  # who decides what is logged holds what it needs, or refuses
        raise Refused("source-unknown", open_.unseen.reason, row=12) from None
    return Admitted(
        case.signed, case.stamp, case.index, _effects(case), unconfirmed=not confirmed(case), kept_back=kept_back(case)
    )


def judge(case: Case) -> Admitted | Void:
    """The verdict on an entry that already stands in a tree: admitted, void, or not checkable (`Admitted.unchecked`).

    What is void by a row that can be judged is void, whatever could not be.
    """
    passed = 0
    checks = NO_CHECKS
    unchecked: tuple[Unchecked, ...] = ()
    try:
        checks = _checks(case)
        for passed, run in enumerate(checks.runs):
            try:
                run(case)
            except NotCheckable as open_:
                unchecked = (*unchecked, Unchecked(checks.rows[passed], open_.unseen.reason))
    except Refused as refused:
        advances = passed < len(checks.rows) and checks.rows[passed] > LAST_IDENTITY_ROW and continues(case)
        return Void(case.signed, case.stamp, case.index, refused, _effects(case) if advances else {})
    return Admitted(
        case.signed,
        case.stamp,
        case.index,
        _effects(case),
        unconfirmed=not confirmed(case),
        kept_back=kept_back(case),
        unchecked=unchecked,
    )


def _rules(case: Case) -> Rules:
    version = case.at.charter.rules
    if version not in RULES:
        raise Refused("malformed", f"rulebook {version} is not known to this release", row=1, advice="upgrade")
    return RULES[version]


def _checks(case: Case) -> Applied:
    if not 0 < case.stamp.directory <= case.held:
        raise Refused("directory-ahead", "the stamp names a directory that is not held here", row=5)
    if not 0 < case.header.directory.size <= case.held:
        raise Refused("directory-ahead", "acted on a directory that is not held here", row=5)
    return _rules(case).applied_by(case.view.party)


def _effects(case: Case) -> dict[Key, Fact]:
    changed = effects_of(case.view.facts, case.signed, case.index, case.now)
    if case.view.party is not NODE:
        return changed
    # A node counts only for itself, and from its true opening: one gap must not raise an alarm for ever.
    mine = count_key(case.header.sender, case.view.me)
    kept = {key: fact for key, fact in changed.items() if key[0] != "count"}
    if mine in changed:
        kept[mine] = count_of(case.view.facts, case.header.sender, case.view.me) + 1 + kept_back(case)
    return kept
