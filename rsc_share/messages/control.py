"""Messages about messages: asking for what was withheld, answering, recall and its compliance.

`message` is a reference as it is quoted, `EST/mod-1/counter-terrorism/417`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from rsc_share.messages.body import Body
from rsc_share.messages.common import Line, Text
from rsc_share.messages.portions import MAX_PORTIONS

MessageReference: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9-]{1,31}/[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}/[1-9][0-9]{0,18}$")
]
PortionNumber: TypeAlias = Annotated[int, Field(ge=0, le=MAX_PORTIONS)]


class ReleaseRequest(Body):
    """Asks the originator for a portion that is withheld from the asker."""

    TYPE: ClassVar[str] = "control/release-request/1"

    message: MessageReference
    portion: PortionNumber
    reason: Line


class CannotRelease(Body):
    """The originator's no. A yes is a release entry and a re-seal, not a message."""

    TYPE: ClassVar[str] = "control/cannot-release/1"

    request: MessageReference
    reason: Text = ""


class ResendRequest(Body):
    """A node could not open what it was sent and asks its sender to seal it again. Written by a machine."""

    TYPE: ClassVar[str] = "control/resend-request/1"

    message: MessageReference
    cause: Literal["bad-grant", "bad-part", "body-missing", "no-key"]


class RecallNotice(Body):
    """Why a message is recalled, for the people who had it. The recall itself is an entry kind of its own."""

    TYPE: ClassVar[str] = "control/recall-notice/1"

    message: MessageReference
    reason: Text
    replaced_by: MessageReference | None = None


class RecallCompliance(Body):
    """An officer's answer to a recall. The library never signs for copies that it does not control.

    `held` needs a basis: a legal hold beats a recall, visibly.
    """

    TYPE: ClassVar[str] = "control/recall-compliance/1"

    message: MessageReference
    outcome: Literal["complied", "held", "cannot"]
    copies: Literal["erased", "none", "held"]
    basis: Text = ""

    @model_validator(mode="after")
    def _held_on_a_basis(self) -> RecallCompliance:
        if (self.outcome != "complied" or self.copies == "held") and not self.basis:
            raise ValueError("held and cannot need a basis")
        return self


class ReadReceipt(Body):
    """A person has read the message. Never sent by a machine."""

    TYPE: ClassVar[str] = "control/read-receipt/1"

    message: MessageReference
    note: Text = ""
