"""The admission table as data: every named check, its row, its code, and who applies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rsc_share.envelope.header import KINDS
from rsc_share.rulebook import bodies, identity, in_log, order, sharing, third_party
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.party import ALL, RELAY, Party

LAST_IDENTITY_ROW = 4
"""What passes up to here and continues its sender advances, even when it is void (I5)."""


Run = Callable[[Case], None]
Placed = tuple[int, Run]

EVERY_KIND = frozenset(KINDS)
MESSAGE = frozenset({"message"})
"""Nothing else has a type, a label, a grant, an expiry, sources or parts: no other header parses."""
GRANT = frozenset({"grant"})
ERASURE = frozenset({"erasure"})


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of one row. `run` raises `Refused` or returns. `past`: it asks about the entries before.

    `kinds` of entry that it is about. Of any other it would say nothing, whatever stands in it.
    """

    name: str
    row: int
    who: Party
    run: Run
    past: bool
    kinds: frozenset[str] = EVERY_KIND


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """The checks of one party on one kind of entry, one after the other, each with its place, and the row of each.

    `own` are those of `every` that ask about nothing but the entry and the directory, `past` the others.
    """

    rows: tuple[int, ...]
    every: tuple[Placed, ...]
    own: tuple[Placed, ...]
    past: tuple[Placed, ...]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> Applied:
        placed = list(enumerate(checks))
        return cls(
            tuple(check.row for check in checks),
            tuple((at, check.run) for at, check in placed),
            tuple((at, check.run) for at, check in placed if not check.past),
            tuple((at, check.run) for at, check in placed if check.past),
        )


NO_CHECKS = Applied.of(())


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the rulebook. Old versions ship for ever: a log is judged by the rules it was written under."""

    version: int
    checks: tuple[Check, ...]
    _parties: dict[Party, Mapping[str, Applied]] = field(default_factory=dict, repr=False, compare=False)

    def applied_by(self, party: Party, kind: str) -> Applied:
        """The checks of one party on one kind of entry, in their order."""
        kinds = self._parties.get(party)
        if kinds is None:
            checks = [check for check in self.checks if party in check.who]
            kinds = {kind: Applied.of([check for check in checks if kind in check.kinds]) for kind in KINDS}
            self._parties[party] = kinds
        return kinds[kind]

    def without(self, *names: str) -> Rules:
        """For proving that a check matters: the same rules with the named checks switched off."""
        unknown = set(names) - {check.name for check in self.checks}
        if unknown:
            raise KeyError(f"no such check: {', '.join(sorted(unknown))}")
        return Rules(self.version, tuple(check for check in self.checks if check.name not in names))


def _check(row: int, run: Run, who: Party = ALL, *, past: bool = False, kinds: frozenset[str] = EVERY_KIND) -> Check:
    return Check(run.__name__.replace("_", "-"), row, who, run, past, kinds)


VERSION_1 = Rules(
    1,
    (
        _check(1, order.openings_true, RELAY),
        _check(2, identity.right_log),
        _check(2, identity.heads_signed),
        _check(3, identity.certified_sender),
        _check(3, identity.sender_may_send_here),
        _check(4, identity.signed_by_sender),
        _check(5, identity.directory_not_ahead),
        _check(5, identity.directory_same),
        _check(5, identity.directory_not_stale),
        _check(6, order.id_is_new, past=True),
        _check(7, order.continues_sender, past=True),
        _check(7, order.counters_continue, past=True),
        _check(8, order.composed_in_time),
        _check(8, order.not_expired, kinds=MESSAGE),
        _check(9, sharing.label_valid, kinds=MESSAGE),
        _check(9, sharing.family_allowed, kinds=MESSAGE),
        _check(9, sharing.sender_may_originate, kinds=MESSAGE),
        _check(10, sharing.recipients_active),
        _check(10, sharing.policy_permits, kinds=MESSAGE),
        _check(10, sharing.circle_kept, past=True, kinds=EVERY_KIND - MESSAGE),
        _check(11, sharing.grant_known, past=True, kinds=MESSAGE),
        _check(11, sharing.grant_lives, past=True, kinds=MESSAGE),
        _check(11, sharing.grant_fits, past=True, kinds=MESSAGE),
        _check(11, sharing.grant_rows_fit, kinds=GRANT),
        _check(11, sharing.nobody_left_out, past=True),
        _check(12, third_party.sources_kept, past=True, kinds=MESSAGE),
        _check(12, third_party.approvals_verify),
        _check(12, third_party.approvals_present),
        _check(12, third_party.erasure_ordered, kinds=ERASURE),
        _check(13, in_log.seen_is_prefix, past=True),
        _check(14, bodies.bodies_fit, kinds=MESSAGE),
        _check(14, bodies.bodies_here, kinds=MESSAGE | GRANT),
        _check(15, in_log.stamp_never_decreases, past=True),
        _check(15, in_log.revocations_bite),
    ),
)

RULES: dict[int, Rules] = {1: VERSION_1}
"""By the number the charter names."""
