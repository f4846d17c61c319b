"""One channel as an embedder sees it: plan, publish, subscribe, recall."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, overload
from uuid import UUID

from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages import Body, ReadReceipt, ReleaseRequest
from rsc_share.node.acts import Acts
from rsc_share.node.desk import Host
from rsc_share.node.draft import Draft, Precedence
from rsc_share.node.inbox import Arrival, Cursor
from rsc_share.node.line import Line
from rsc_share.node.message import Message
from rsc_share.node.plan import ReleasePlan
from rsc_share.node.present import present_message, present_recall
from rsc_share.node.publishing import Publishing
from rsc_share.node.submission import Submission
from rsc_share.node.subscription import Subscription
from rsc_share.progress import Progress, silent

B1 = TypeVar("B1", bound=Body)
B2 = TypeVar("B2", bound=Body)
DEFAULT_CONSUMER = "default"
WINDOW = 64


class Channel:
    """Built by `Node.channel`; holds no connection of its own."""

    def __init__(self, node: Host, line: Line, name: str) -> None:
        self._node, self.line, self.name = node, line, name
        self.windows: dict[str, set[int]] = {}
        self._cursors: dict[str, Cursor] = {}
        self._acts = Acts(node, line, name, self._publish_id)
        self._publishing = Publishing(node, line, self._acts.place_of)

    def __repr__(self) -> str:
        return f"Channel({self.name})"

    @property
    def node_name(self) -> str:
        return self._node.name

    @property
    def degraded(self) -> bool:
        """Fewer than four witnesses: no redundancy against the relay and one member together."""
        return len(self._node.engine.trust.view.witnesses(self._node.now(), self.line.log)) < 4

    # --- publishing

    def plan(self, draft: Draft) -> ReleasePlan:
        """What would go where, by which rule. Nothing leaves and nothing is promised.

        Raises `PolicyDenied` (with the plan) where nobody is entitled, `LocalError` for a wrong label or body.
        """
        return self._publishing.compose(draft).plan

    @overload
    async def publish(
        self, draft: Draft, /, *, must_reach: Iterable[str] = (), progress: Progress = ...
    ) -> Submission: ...
    @overload
    async def publish(
        self,
        body: Body,
        /,
        *,
        label: str | Label,
        key: str | None = None,
        precedence: Precedence = "ROUTINE",
        must_reach: Iterable[str] = (),
    ) -> Submission: ...
    async def publish(
        self,
        what: Draft | Body,
        /,
        *,
        label: str | Label | None = None,
        key: str | None = None,
        precedence: Precedence = "ROUTINE",
        must_reach: Iterable[str] = (),
        progress: Progress = silent,
    ) -> Submission:
        """Queue a message; it is durable when this returns, and goes out once, whatever happens to this process.

        Files attached to it are read once before that (`progress` hears how far), and again when they are handed in.

        Raises `PolicyDenied(plan)` before that if `must_reach` is not reached, `StorageError` if the disk fails.
        """
        if isinstance(what, Body):
            if label is None:
                raise LocalError("a body needs a label", advice="publish(body, label=...)")
            what = Draft(what, label=label, key=key, precedence=precedence)
        elif not isinstance(what, Draft):
            raise LocalError(f"a {type(what).__name__} is no message", advice="a Body of a registered type, or a Draft")
        return (await self.publish_all([what], must_reach=must_reach, progress=progress))[0]

    async def publish_all(
        self, drafts: Iterable[Draft], *, must_reach: Iterable[str] = (), progress: Progress = silent
    ) -> list[Submission]:
        """Queue all, or none."""
        self.raise_if_stopped()
        if isinstance(must_reach, str):  # which is many members of one letter
            raise LocalError("must_reach is one text", advice=f"a list of members: must_reach=[{must_reach!r}]")
        self.line.may_send(self._node.now())
        tickets = await self._publishing.queue(drafts, frozenset(must_reach), progress)
        self.nudge()  # signed at once, it is made durable with its signature and leaves a write earlier
        await self.durable()
        return [Submission(self, ticket) for ticket in tickets]

    def submission(self, which: str | UUID) -> Submission:
        """A message of this node again, by its key (text) or id: its state outlives the process that published it.

        Raises `LocalError` if none was published here under that key or id.
        """
        if isinstance(which, UUID):
            ticket = self.line.tickets.get(which.bytes)
        else:
            named = self.line.tickets.under(which)
            ticket = None if named is None else named[1]
        if ticket is None:
            raise LocalError(f"no message {which} was published here", code="unknown-message")
        return Submission(self, ticket)

    # --- recall, acknowledgement, requests

    async def recall(self, reference: str, *, reason: str) -> Submission:
        """Take a message of this node back: every portion of it, with the reason sealed for those who had it."""
        ticket = await self._acts.recall(reference, reason)
        await self.durable()
        self.nudge()
        return Submission(self, ticket)

    async def acknowledge(
        self, place: Ref, reference: str, label: Label, sender: str, note: str, officer: str | None
    ) -> None:
        """An officer's `acknowledged`, and the note beside it as a sealed message to the originator."""
        if note:
            await self.publish(self._acts.to_originator(ReadReceipt(message=reference, note=note), label, sender))
        self.state(place, sender, "acknowledged", None, officer)
        await self.durable()

    def state(self, place: Ref, sender: str, statement: str, basis: str | None, officer: str | None) -> None:
        """An officer's statement about a message."""
        self._acts.state(place, sender, statement, basis, officer)
        self.nudge()

    async def request_release(self, reference: str, portion: int, reason: str, label: Label, sender: str) -> Submission:
        """Ask the originator for a portion, under the label of the message, for the originator alone."""
        asked = ReleaseRequest(message=reference, portion=portion, reason=reason)
        return await self.publish(self._acts.to_originator(asked, label, sender))

    async def _publish_id(self, draft: Draft) -> bytes:
        return (await self.publish(draft)).id.bytes

    # --- subscribing

    @overload
    def subscribe(
        self, a: type[B1], /, *, consumer: str = ..., window: int = ...
    ) -> AbstractAsyncContextManager[Subscription[B1]]: ...
    @overload
    def subscribe(
        self, a: type[B1], b: type[B2], /, *, consumer: str = ..., window: int = ...
    ) -> AbstractAsyncContextManager[Subscription[B1 | B2]]: ...
    @overload
    def subscribe(
        self, *types: type[Body], consumer: str = ..., window: int = ...
    ) -> AbstractAsyncContextManager[Subscription[Body]]: ...
    def subscribe(
        self, *types: type[Body], consumer: str = DEFAULT_CONSUMER, window: int = WINDOW
    ) -> AbstractAsyncContextManager[Subscription[Any]]:
        """Messages from `consumer`'s cursor on. Without types: all, also those this node has no type for.

        The same consumer twice at once is a `LocalError`; two consumers each get everything.
        """
        if window < 1:
            raise LocalError("a window of at least 1 message is needed")
        return Subscription(self, consumer, types, window)

    def cursor(self, consumer: str) -> Cursor:
        if consumer not in self._cursors:
            self._cursors[consumer] = Cursor(self.line.shelf, consumer)
        return self._cursors[consumer]

    def message(self, position: int, consumer: str, *, again: bool) -> Message[Any] | None:
        """The event at `position` as an embedder sees it; None for a tombstone."""
        event = self.line.reading.inbox.events[position]
        if not isinstance(event, Arrival):
            return present_recall(event, self, consumer, position, again=again)
        if not event.payloads:
            return None
        return present_message(event, self, self._node, consumer, position, again=again)

    def label_of(self, place: Ref) -> Label:
        """The label of an entry this node holds; a recalled one keeps it."""
        events = self.line.reading.events
        for position in reversed(events.at(place)):
            event = events[position]
            if isinstance(event, Arrival) and event.labels:
                return event.labels.get(0) or next(iter(event.labels.values()))
        raise LocalError("nothing is held at this place")

    def done(self, consumer: str, position: int) -> None:
        cursor = self.cursor(consumer)
        cursor.done(position)
        self.windows.get(consumer, set()).discard(position)
        event = self.line.reading.inbox.events[position]
        if isinstance(event, Arrival):
            self.line.heartbeat.held(event.header.sender, event.place.header_hash, "opened")
        self.line.reading.inbox.wake()

    # --- for submissions and subscriptions

    async def durable(self) -> None:
        """Return when everything done so far would survive a power cut. Raises `StorageError`."""
        await self.line.shelf.store.commit()

    def nudge(self) -> None:
        """There may be something to do."""
        self._node.nudge()

    def raise_if_stopped(self) -> None:
        self._node.raise_if_closed()
        for stopped in (self._node.engine.stopped, self.line.stopped, self._node.engine.turned_away):
            if stopped is not None:
                raise stopped
