"""Errors on the wire: which class, which code, and the fields, so that a node raises what the relay raised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from rsc_share import shape
from rsc_share.codec import INT_MAX, INT_MIN
from rsc_share.errors import Refused, RemoteError, RscError, Unavailable

Kind = Literal["refused", "unavailable", "remote"]
KINDS: tuple[Kind, ...] = ("refused", "unavailable", "remote")
MAX_FIELDS = 16
MAX_TEXT = 1_000
MAX_BLOB = 255
ROW, RETRY = "row", "retry_after_ms"
"""Fields that become arguments of `Refused` and `Unavailable`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`[class, code, what, advice, fields]`. What a relay failed at inside itself is `unavailable`, `internal`."""

    kind: Kind
    code: str
    what: str
    advice: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: Exception) -> Fault:
        """What the other side may know of `error`: nothing of this machine's disk, calls or bugs."""
        if isinstance(error, Refused):
            return cls._of("refused", error, {ROW: error.row})
        if isinstance(error, Unavailable):
            retry = None if error.retry_after is None else max(0, round(error.retry_after * 1000))
            return cls._of("unavailable", error, {RETRY: retry})
        if isinstance(error, RemoteError):
            return cls._of("remote", error, {})
        return cls("unavailable", "internal", "the relay failed inside itself; its operator's log says why")

    @classmethod
    def _of(cls, kind: Kind, error: RscError, more: dict[str, Any]) -> Fault:
        known = {name: value for name, value in error.fields.items() if _fits(name, value)}
        fields = dict(sorted(known.items())[: MAX_FIELDS - len(more)]) | more
        return cls(kind, error.code[:40], error.what[:MAX_TEXT], error.advice[:MAX_TEXT], fields)

    def error(self) -> RscError:
        """The error to raise. A new one each time: one object raised in many tasks would collect their traces."""
        found = self._error()
        found.told = True
        return found

    def _error(self) -> RscError:
        fields = {name: value for name, value in self.fields.items() if name not in (ROW, RETRY)}
        if self.kind == "refused":
            row = self.fields.get(ROW)
            return Refused(self.code, self.what, row=row if type(row) is int else 0, advice=self.advice, **fields)
        if self.kind == "unavailable":
            retry = self.fields.get(RETRY)
            after = retry / 1000 if type(retry) is int else None
            return Unavailable(self.what, code=self.code, advice=self.advice, retry_after=after, **fields)
        return RemoteError(self.what, code=self.code, advice=self.advice, **fields)

    def wire(self) -> list[Any]:
        return [self.kind, self.code, self.what, self.advice, self.fields]

    @classmethod
    def from_wire(cls, value: Any, where: str = "fault") -> Fault:
        kind, code, what, advice, fields = shape.row(value, where, 5)
        if type(fields) is not dict or len(fields) > MAX_FIELDS:
            raise shape.wrong(where, f"needs a map of at most {MAX_FIELDS} fields")
        for name, item in fields.items():
            if not _fits(name, item):
                raise shape.wrong(where, "has a field that is no short value")
        return cls(
            shape.choice(kind, where, KINDS),
            shape.text(code, where, low=1, high=40),
            shape.text(what, where, high=MAX_TEXT),
            shape.text(advice, where, high=MAX_TEXT),
            fields,
        )


_ARGUMENTS = ("what", "code", "advice", "row", "retry_after", "evidence", "plan", "self")
"""Names a field must not have: they are arguments of the errors, and a stranger must not set them."""


def _fits(name: Any, value: Any) -> bool:
    if type(name) is not str or not 0 < len(name) <= 40 or not name.isidentifier():
        return False
    if name in _ARGUMENTS and name != ROW:
        return False
    if type(value) is str:
        return len(value) <= MAX_TEXT and _is_text(value)
    if type(value) is int:
        return INT_MIN <= value <= INT_MAX
    return value is None or type(value) is bool or (type(value) is bytes and len(value) <= MAX_BLOB)


def _is_text(value: str) -> bool:
    """Half a surrogate pair, in an error of our own, must not keep the fault from being sent."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
