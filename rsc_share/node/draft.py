"""What an embedder hands over, and what becomes of it before anything is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from rsc_share.envelope.header import PRECEDENCES
from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages import Body
from rsc_share.node.attachments import MAX_ATTACHMENTS, Attachment

Precedence = Literal["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"]


class Quoted(Protocol):
    """A message one can refer to: any `Message` a subscription gave."""

    @property
    def place(self) -> Ref: ...

    @property
    def label(self) -> Label: ...


@dataclass(frozen=True, slots=True, init=False)
class Draft:
    """A message to be: a body, its label, and how it is to travel.

    `key` makes a rerun the same message (per channel, kept for OUTBOX_AGE). `purpose` is what agreement rows test.
    `approvers` are officers' posts unlocked at this node that sign beside it, where a policy row asks for four eyes.
    `attachments` are files, `Attachment.file(path)`: at most 15, for whoever may read the message itself. Under one
    `key` a rerun is the same message if their names, media types and lengths are the same.
    """

    body: Body
    label: str | Label
    key: str | None
    precedence: Precedence
    purpose: str | None
    reply_to: Quoted | None
    derived_from: tuple[Quoted, ...]
    supersedes: str | None
    expires_at: datetime | None
    approvers: tuple[str, ...]
    attachments: tuple[Attachment, ...]

    def __init__(
        self,
        body: Body,
        *,
        label: str | Label,
        key: str | None = None,
        precedence: Precedence = "ROUTINE",
        purpose: str | None = None,
        reply_to: Quoted | None = None,
        derived_from: Sequence[Quoted] = (),
        supersedes: str | None = None,
        expires_at: datetime | None = None,
        approvers: Sequence[str] = (),
        attachments: Sequence[Attachment] = (),
    ) -> None:
        if precedence not in PRECEDENCES:
            raise LocalError(f"no precedence {precedence!r}", advice=f"one of {', '.join(PRECEDENCES)}")
        if expires_at is not None and expires_at.tzinfo is None:
            raise LocalError("expires_at has no time zone", advice="give it one, such as datetime.UTC")
        if len(attachments) > MAX_ATTACHMENTS:
            raise LocalError(f"{len(attachments)} attachments", code="too-large", advice=f"at most {MAX_ATTACHMENTS}")
        if len({item.name for item in attachments}) != len(attachments):
            raise LocalError("two attachments have one name", advice="Attachment.file(path, name=...)")
        values = (body, label, key, precedence, purpose, reply_to, tuple(derived_from), supersedes, expires_at)
        for name, value in zip(self.__slots__, (*values, tuple(approvers), tuple(attachments)), strict=True):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"Draft({self.body!r}, label={self.label!r}, precedence={self.precedence!r})"
