"""All open sessions: one for each node, a number for each member, and an end for who may not be here any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rsc_share import names
from rsc_share.crypto.signing import PublicKey
from rsc_share.errors import Refused, Unavailable
from rsc_share.relay.net.instances import Instances
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.serving import Serving
from rsc_share.relay.net.who import keys_of
from rsc_share.relay.service import Relay
from rsc_share.session.token import Token


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A session, whose it is, and the key that proved it."""

    token: Token
    key: PublicKey
    serving: Serving
    since: int
    """ms UTC."""


class Sessions:
    """Kept by node. `limits` may be replaced while it is in use."""

    def __init__(self, relay: Relay, limits: Limits) -> None:
        self._relay, self.limits = relay, limits
        self._open: dict[str, Opened] = {}
        self._instances = Instances()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Opened]:
        return iter(list(self._open.values()))

    def enter(self, opened: Opened) -> None:
        """Make it the node's one session. Raises `Refused` (`cloned`) or `Unavailable` (`sessions`)."""
        node = opened.token.node
        before = self._open.get(node)
        if not self._instances.opened(node, opened.token.instance, self._relay.now()):
            error = Refused("cloned", f"{node} runs twice: stop both, and make one of them anew", row=3, node=node)
            if before is not None:
                before.serving.end(error)
            raise error
        member = names.member_of(node)
        if before is None and self._of_member(member) >= (most := self._most(member)):
            what = f"{member} has {most} sessions here already"
            raise Unavailable(what, code="sessions", retry_after=60.0)
        if before is not None:
            before.serving.end(Unavailable("a newer session of this node took over", code="fenced"))
        self._open[node] = opened

    def _most(self, member: str) -> int:
        """What the operator allows, or less: what the charter grants in the most generous of the member's channels.

        A session is of no one channel, so one that is kept short must not cut a member off from the others.
        """
        own = self.limits.sessions_per_member
        specs = self._relay.view.logs.values()
        granted = [spec.spec.limits.get("sessions", own) for spec in specs if spec.spec and member in spec.members]
        return min(own, max(granted, default=own))

    def _of_member(self, member: str) -> int:
        return sum(names.member_of(node) == member for node in self._open)

    def leave(self, opened: Opened) -> None:
        """It is over; a newer one of the same node stays."""
        if self._open.get(opened.token.node) is opened:
            del self._open[opened.token.node]

    def sweep(self) -> None:
        """The directory has changed: whoever's key is no longer certified is cut off."""
        now, view = self._relay.now(), self._relay.view
        for opened in self:
            try:
                good = opened.key in keys_of(view, opened.token.node, now)
            except Refused as error:
                opened.serving.end(error)
                continue
            if not good:
                node = opened.token.node
                opened.serving.end(Refused("revoked", f"that key of {node} is certified no more", row=3, node=node))
