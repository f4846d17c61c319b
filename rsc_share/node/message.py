"""What a subscription yields: verified, decrypted, typed. `repr` shows reference and label, never content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from pydantic import PrivateAttr

from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages import Body
from rsc_share.node.desk import Desk
from rsc_share.node.draft import Precedence
from rsc_share.node.received import ReceivedAttachment
from rsc_share.node.submission import Submission

B = TypeVar("B", bound=Body, covariant=True)


class Answering(Desk, Protocol):
    """A desk at which a message can be answered."""

    async def acknowledge(
        self, place: Ref, reference: str, label: Label, sender: str, note: str, officer: str | None
    ) -> None: ...

    async def request_release(
        self, reference: str, portion: int, reason: str, label: Label, sender: str
    ) -> Submission: ...


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the reader has taken on by reading: name, value, and the text it stands on."""

    name: str
    value: str | int | None
    basis: str


class Message(Generic[B]):
    """One message. At least once, in log order; tell redeliveries apart by `id`."""

    __slots__ = (
        "_channel",
        "_consumer",
        "_position",
        "attachments",
        "body",
        "exercise",
        "id",
        "label",
        "logged_at",
        "obligations",
        "place",
        "precedence",
        "redelivered",
        "reference",
        "sender",
        "unconfirmed",
    )

    def __init__(
        self,
        body: B,
        *,
        channel: Answering,
        consumer: str,
        position: int,
        reference: str,
        place: Ref,
        message_id: bytes,
        sender: str,
        label: Label,
        precedence: Precedence,
        exercise: bool,
        redelivered: bool,
        unconfirmed: bool,
        logged_at: int,
        obligations: tuple[Obligation, ...],
        attachments: tuple[ReceivedAttachment, ...] = (),
    ) -> None:
        self.body = body
        self.reference, self.place, self.id, self.sender = reference, place, UUID(bytes=message_id), sender
        self.label, self.precedence, self.exercise = label, precedence, exercise
        self.redelivered, self.unconfirmed, self.logged_at = redelivered, unconfirmed, logged_at
        self.obligations, self.attachments = obligations, attachments
        self._channel, self._consumer, self._position = channel, consumer, position

    def __repr__(self) -> str:
        return f"Message({self.reference}, {self.label})"

    async def done(self, *, wait: bool = True) -> None:
        """This consumer has dealt with it: when this returns, it never comes again. The sender sees `handed-over`.

        `wait=False` returns at once, and it is written with whatever this node writes next, at the latest a second
        later: a crash before that brings it again. For who deals with a message twice as with one, at any rate.
        """
        self._channel.done(self._consumer, self._position)
        if wait:
            await self._channel.durable()
        else:
            self._channel.nudge()

    async def acknowledge(self, note: str = "", *, officer: str | None = None) -> None:
        """A person's act: an officer's signed word that it was read. `note` goes to the sender as a sealed message.

        Raises `LocalError` if no officer's key is unlocked at this node, or several are and none is named.
        """
        await self._channel.acknowledge(self.place, self.reference, self.label, self.sender, note, officer)

    async def request_release(self, portion: int, *, reason: str) -> Submission:
        """Ask the originator for a portion that is withheld from you."""
        return await self._channel.request_release(self.reference, portion, reason, self.label, self.sender)


class Recalled(Body):
    """Event: the originator took the message back. Its payload is erased here; erase your copies, then answer."""

    TYPE: ClassVar[str] = "control/recalled/1"

    reference: str
    reason: str

    _answer: Any = PrivateAttr(default=None)

    async def comply(
        self, *, copies: Literal["erased", "none", "held"], basis: str = "", officer: str | None = None
    ) -> None:
        """An officer's answer. `held` needs the legal basis: a legal hold beats a recall, visibly."""
        if copies == "held" and not basis:
            raise LocalError("held needs a basis", advice="name the legal hold")
        if self._answer is None:
            raise LocalError("this recall did not come from a subscription")
        await self._answer("held" if copies == "held" else "complied", basis or None, officer)
