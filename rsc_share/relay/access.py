"""Who may ask what of a relay. Asked on every call, by the newest directory: a revocation ends a session, too."""

from __future__ import annotations

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.errors import Refused, Unavailable
from rsc_share.relay.commit import is_directory
from rsc_share.relay.house import House
from rsc_share.relay.live import LiveLog, State


class Access:
    """One connected node's rights. Names and keys are charter's; nothing here judges an entry."""

    def __init__(self, relay: House, node: str) -> None:
        self.relay, self.node, self.member = relay, node, names.member_of(node)
        self._cut: str | None = None

    @property
    def closed(self) -> bool:
        return self._cut is not None

    def cut(self, why: str) -> None:
        """Every later call raises `Unavailable` (`cut-off`)."""
        self._cut = self._cut or why

    def enter(self) -> None:
        """Known to the directory and not revoked, or `Refused`."""
        if self._cut is not None:
            raise Unavailable(f"the session is closed: {self._cut}", code="cut-off")
        facts = self.relay.view.node_facts(self.node) if self.relay.directory.size else ()
        if not facts:
            raise Refused("unknown-sender", f"{self.node} is not certified in this directory", row=3, node=self.node)
        if all(fact.revoked for fact in facts):
            raise Refused("revoked", f"{self.node} is revoked", row=3, node=self.node)

    def log(self, origin: str) -> LiveLog:
        """A log this node may read. Raises `Refused` or `Unavailable`."""
        self.enter()
        log = self.relay.logs.get(origin)
        if log is None:
            raise Refused("unknown-log", f"no log {origin} on this relay", row=2, log=origin)
        if log.state is State.STOPPED:
            raise Unavailable(f"{origin} has stopped: its operator has to look", code="not-ready")
        if not is_directory(origin):
            # Waiting for NODE_DELAY, suspended, frozen: the directory stays open to it, so that it learns of changes.
            self.relay.view.subject(self.node, self.relay.now())
        return log

    def visible(self) -> dict[str, LiveLog]:
        """Every log this node may read: an active node all of them, since every member witnesses every log."""
        self.enter()
        active = self.relay.view.is_active(self.node, self.relay.now())
        return {origin: log for origin, log in self.relay.logs.items() if active or is_directory(origin)}

    def witnesses(self, log: LiveLog) -> bool:
        """Whether this node may cosign `log`, by all that is logged: what is restrictive is obeyed at once."""
        view = self.relay.view
        if view.log(log.origin) is None:
            return False  # closed by the charter: read for ever, cosigned no more
        return self._among(view, log)

    def counts(self, log: LiveLog, size: int) -> bool:
        """Whether this node's cosignature of the tree of `size` counts: who was just admitted has to wait until k
        members have cosigned the directory that says so, and is offered nothing before."""
        return self._among(self.relay.counting_view(log.origin, size), log)

    def _among(self, view: DirectoryView, log: LiveLog) -> bool:
        return any(key.node == self.node for key in view.witnesses(self.relay.now(), log.origin).get(self.member, ()))
