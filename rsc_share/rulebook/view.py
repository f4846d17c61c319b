"""What a party knows when it judges an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rsc_share.charter.directory import Directory
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Stamp
from rsc_share.labels.label import Label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide_each
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Facets, Subject
from rsc_share.rulebook.facts import Facts
from rsc_share.rulebook.party import Party
from rsc_share.rulebook.source import Known, Source, nothing_known

Decide = Callable[[Bundle, Label, tuple[Subject, ...], str, Facets], Sequence[Decision]]
"""One decision for each subject, in their order."""
RootAt = Callable[[int], bytes | None]

_KNOWLEDGE = (
    "party",
    "log",
    "directory",
    "directory_root",
    "witnessed",
    "facts",
    "size",
    "last",
    "root_at",
    "signatures",
    "known",
    "me",
    "confirmed_at",
    "decide",
)


class View:
    """One party's knowledge of one log up to `size` entries, under the directory it holds. No row changes one; whoever
    judges a whole log moves his own on from entry to entry.

    `witnessed`: the directory size that k members cosigned; nobody may act on more (I4). `confirmed_at`: for a node,
    the time (ms) of the newest k-cosigned directory checkpoint it holds, after which row 15 can be judged.
    `decide`: the policy decision; a relay may put a cache in front, an auditor a second opinion behind.
    """

    __slots__ = _KNOWLEDGE

    def __init__(
        self,
        party: Party,
        log: str,
        directory: Directory,
        directory_root: RootAt,
        witnessed: int,
        facts: Facts,
        size: int,
        last: Stamp | None,
        root_at: RootAt,
        signatures: VerifyCache,
        known: Known = nothing_known,
        me: str = "",
        confirmed_at: int | None = None,
        decide: Decide = decide_each,
    ) -> None:
        self.party, self.log, self.directory, self.directory_root = party, log, directory, directory_root
        self.witnessed, self.facts, self.size, self.last, self.root_at = witnessed, facts, size, last, root_at
        self.signatures, self.known, self.me = signatures, known, me
        self.confirmed_at, self.decide = confirmed_at, decide

    def __replace__(self, **changes: Any) -> View:
        return View(**{**{name: getattr(self, name) for name in _KNOWLEDGE}, **changes})


__all__ = ["Decide", "Known", "Party", "RootAt", "Source", "View", "nothing_known"]
