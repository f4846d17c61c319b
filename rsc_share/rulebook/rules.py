"""The admission table as data: every named check, its row, its code, and who applies it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rsc_share.rulebook import bodies, identity, in_log, order, sharing, third_party
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.party import ALL, RELAY, Party

LAST_IDENTITY_ROW = 4
"""What passes up to here and continues its sender advances, even when it is void (I5)."""


Run = Callable[[Case], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of one row. `run` raises `Refused` or returns. `past`: it asks about the entries before."""

    name: str
    row: int
    who: Party
    run: Run
    past: bool


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """The checks of one party, one after the other: `runs`, and the row of each.

    `own` are those that ask about nothing but the entry and the directory, `past` the others, each with its place.
    """

    runs: tuple[Run, ...]
    rows: tuple[int, ...]
    own: tuple[tuple[int, Run], ...]
    past: tuple[tuple[int, Run], ...]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> Applied:
        placed = list(enumerate(checks))
        return cls(
            tuple(check.run for check in checks),
            tuple(check.row for check in checks),
            tuple((at, check.run) for at, check in placed if not check.past),
            tuple((at, check.run) for at, check in placed if check.past),
        )


NO_CHECKS = Applied.of(())


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the rulebook. Old versions ship for ever: a log is judged by the rules it was written under."""

    version: int
    checks: tuple[Check, ...]
    _parties: dict[Party, Applied] = field(default_factory=dict, repr=False, compare=False)

    def applied_by(self, party: Party) -> Applied:
        """The checks of one party, in their order."""
        found = self._parties.get(party)
        if found is None:
            checks = [check for check in self.checks if party in check.who]
            found = self._parties[party] = Applied.of(checks)
        return found

    def without(self, *names: str) -> Rules:
        """For proving that a check matters: the same rules with the named checks switched off."""
        unknown = set(names) - {check.name for check in self.checks}
        if unknown:
            raise KeyError(f"no such check: {', '.join(sorted(unknown))}")
        return Rules(self.version, tuple(check for check in self.checks if check.name not in names))


def _check(row: int, run: Run, who: Party = ALL, *, past: bool = False) -> Check:
    return Check(run.__name__.replace("_", "-"), row, who, run, past)


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
        _check(8, order.not_expired),
        _check(9, sharing.label_valid),
        _check(9, sharing.family_allowed),
        _check(9, sharing.sender_may_originate),
        _check(10, sharing.recipients_active),
        _check(10, sharing.policy_permits),
        _check(10, sharing.circle_kept, past=True),
        _check(11, sharing.grant_known, past=True),
        _check(11, sharing.grant_lives, past=True),
        _check(11, sharing.grant_fits, past=True),
        _check(11, sharing.grant_rows_fit),
        _check(11, sharing.nobody_left_out, past=True),
        _check(12, third_party.sources_kept, past=True),
        _check(12, third_party.approvals_verify),
        _check(12, third_party.approvals_present),
        _check(12, third_party.erasure_ordered),
        _check(13, in_log.seen_is_prefix, past=True),
        _check(14, bodies.bodies_fit),
        _check(14, bodies.bodies_here),
        _check(15, in_log.stamp_never_decreases, past=True),
        _check(15, in_log.revocations_bite),
    ),
)

RULES: dict[int, Rules] = {1: VERSION_1}
"""By the number the charter names."""
