"""What a person is told of one log as this node reads it: what is void, held back or late, and on whose side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rsc_share.envelope.parts import Ref
from rsc_share.node.alarms import Alarms
from rsc_share.node.reading import Unread
from rsc_share.node.trust import Trust
from rsc_share.rulebook.admit import Admitted, Void


class Complaints:
    """Each is an alarm, raised once for what it is about. `now` is always an argument."""

    def __init__(self, log: str, alarms: Alarms, trust: Trust) -> None:
        self._log, self._alarms, self._trust = log, alarms, trust
        self._waiting_since: int | None = None

    def unreadable(self, found: Iterable[tuple[int, str]], now: int) -> None:
        """Indices, and why nothing at all can be read there."""
        for index, why in found:
            what = f"entry {index} of {self._log} cannot be read: {why}"
            self._alarms.raise_("void-entry", f"{self._log}/{index}", what, now, refused="malformed")

    def void(self, found: Void, now: int) -> None:
        what = f"entry {found.index} of {self._log} is void: {found.refused.what}"
        self._alarms.raise_("void-entry", f"{self._log}/{found.index}", what, now, refused=found.refused.code)

    def kept_back(self, found: Admitted, now: int, *, opening_true: bool) -> None:
        """What a relay did not hand out of an entry, and before it."""
        sender, key = found.signed.header.sender, f"{self._log}/{found.index}"
        if found.kept_back:
            what = f"{found.kept_back} earlier entries of {sender} to this node never arrived"
            self._alarms.raise_("kept-back", key, what, now, count=found.kept_back, sender=sender)
        if not opening_true:
            self._alarms.raise_("opening-missing", key, f"no true opening for entry {found.index}", now)

    def unread(self, found: Mapping[Ref, Unread], now: int) -> None:
        """All that is logged has been read: what is still unread is somebody's fault, the relay's or the sender's."""
        for place, held in found.items():
            if held.expires_at is None or held.expires_at > now:
                what = f"entry {place.index} of {self._log} by {held.sender} cannot be read here: {held.state}"
                self._alarms.raise_(held.state, f"{self._log}/{place.index}", what, now, sender=held.sender)

    def waiting(self, checked: int | None, now: int) -> None:
        """`checked`: how far the log is read, if entries there wait for a directory; None if none do."""
        if checked is None:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > self._trust.view.parameters.lag:
            what = f"entries of {self._log} wait for a directory this node has not been given"
            self._alarms.raise_("stalled", f"{self._log}/{checked}", what, now)

    def stale_directory(self, now: int) -> None:
        """A relay that answers, and a directory nobody has witnessed lately: what waits here waits for that."""
        if not self._trust.fresh(now):
            what = "the directory has not been witnessed lately: nothing is sent or admitted until it is"
            self._alarms.raise_("directory-stale", f"{self._log}/{self._trust.confirmed_at}", what, now)
