"""What every message model shares: strict when it is written, tolerant of news when it is read, silent in logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rsc_share.errors import LocalError, RemoteError
from rsc_share.names import message_type

_STRICT = ConfigDict(
    strict=True,
    extra="forbid",
    frozen=True,
    allow_inf_nan=False,
    ser_json_inf_nan="constants",  # the default turns NaN into nil without a word; the codec refuses it instead
    ser_json_bytes="base64",
    val_json_bytes="base64",
    hide_input_in_errors=True,  # a validation error ends up in a log, and the input is somebody's secret
    regex_engine="rust-regex",  # linear time: patterns meet text of strangers
)


class Element(BaseModel):
    """A part of a message that is no message itself: an area of an alert, a reference, a source."""

    model_config = _STRICT

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Nothing: `repr`, `str` and rich would otherwise print content into logs."""
        return iter(())


class Body(BaseModel):
    """Base of every message type. `TYPE` is the wire id `family/name/version`, such as `threat/assessment/1`.

    Building one checks strictly and raises `pydantic.ValidationError` (a `ValueError`) that never quotes the values.
    On receive, fields this version does not know stand in `model_extra`; a body that has some cannot be sent.
    `repr` and `str` show the type and never the content.
    """

    model_config = _STRICT

    TYPE: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "TYPE" not in cls.__dict__:
            return
        try:
            message_type(cls.TYPE, f"{cls.__name__}.TYPE")
        except RemoteError as error:
            raise LocalError(error.what, where=f"{cls.__name__}.TYPE") from None

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The type only: messages end up in logs, their content must not."""
        return iter([(None, getattr(self, "TYPE", ""))])


class UnknownMessage(Body):
    """A message of a type this node does not know: delivered with its bytes, never dropped.

    `payload` is portion 0 as it was sent (canonical msgpack), `portions` are the others this node may read.
    """

    TYPE: ClassVar[str] = "unknown/message/1"

    type: str
    payload: bytes
    portions: dict[int, bytes] = Field(default_factory=dict)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return iter([("type", self.type)])
