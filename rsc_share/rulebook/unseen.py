"""What this party cannot look up, and what follows: a check that is neither passed nor failed.

To say of an entry that it does not exist, one must hold the log it would stand in. A relay holds every log it hosts,
and says so. A node is shown some entries; an auditor has the logs that were exported, up to where they end.
"""

from __future__ import annotations

from rsc_share.errors import RscError
from rsc_share.value import Value


class Unseen(Value, frozen=True):
    """In place of an entry that is referred to: it may be there, and is not here. `reason` says why, for a report."""

    reason: str


NOT_SHOWN = Unseen("it refers to an entry that is not shown here, or is void")
"""A node is shown what it sent and what is for it; so is who looks through one member's eyes."""
IN_DOUBT = "it refers to an entry that could not be checked itself"


class NotCheckable(RscError):
    """A check that needs what is not at hand, and so says nothing against anybody.

    Raised by a check; it ends as `Unchecked` and never leaves the rulebook.
    """

    def __init__(self, unseen: Unseen) -> None:
        super().__init__(unseen.reason, code="source-unknown")
        self.unseen = unseen


class Unchecked(Value, frozen=True):
    """A row that could not be judged, and why."""

    row: int
    reason: str
