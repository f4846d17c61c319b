"""A body becomes one payload for each label, and the payloads a reader may have become a body again.

Portion 0 is the model with a mark `{"$portion": n}` where each portion stood; portions 1..n follow in field order. A
payload is canonical msgpack of the JSON form of the value. A reader of portion 0 learns how many portions there are and
where they stand, so that he can ask for one; he learns nothing of their size, label or audience. A portion whose
existence must not be known belongs into a message of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from rsc_share.codec import pack, unpack
from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels.label import Label
from rsc_share.messages.body import Body, UnknownMessage
from rsc_share.messages.portion import MARK, Arrived, Collector, Portion, Withheld

B = TypeVar("B", bound=Body)

MAX_PAYLOAD = 1 << 20
"""Bytes of one payload of a typed message. Bulk data travels as a blob beside it."""
MAX_LIST = 4096
"""Items of one list or map."""
MAX_PORTIONS = 255
"""With portion 0 that is 256 entries: what one signature covers."""
_CONTAINERS = (list, tuple, dict)
_MARKED = MARK.encode()
# Steps of a place that may stand in an error: a sender's map key could be content, or carry a line break into a log.
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PortionDraft:
    """What becomes one entry: its label as the author gave it, and its payload."""

    label: str | Label
    payload: bytes

    def __repr__(self) -> str:
        return f"PortionDraft(label={self.label!r}, {len(self.payload)} bytes)"


def split(body: Body, label: str | Label) -> list[PortionDraft]:
    """Portion 0 under `label`, then the body's portions in field order. Raises `LocalError` for what cannot be sent."""
    _sendable(body)
    collector = Collector()
    frame = body.model_dump(mode="json", context=collector)
    if len(collector.found) > MAX_PORTIONS:
        raise LocalError(f"{len(collector.found)} portions", advice=f"at most {MAX_PORTIONS} in one message")
    drafts = [PortionDraft(label, write_payload(frame, body.TYPE))]
    for index, (own, value) in enumerate(collector.found, 1):
        drafts.append(PortionDraft(own or label, write_payload(value, f"{body.TYPE} portion {index}")))
    if _count(drafts[0].payload, frame, "portion 0") != len(collector.found):
        raise LocalError(f"a field of {body.TYPE} is called {MARK}", advice="rename it")
    return drafts


def assemble(
    kind: type[B],
    payloads: Mapping[int, bytes],
    total: int | None,
    withheld: Mapping[int, Sequence[str]],
    labels: Mapping[int, Label],
) -> B:
    """The body of type `kind` from the portions this reader has; the others become `Withheld`.

    `payloads` maps portion number to payload and must hold 0. `total` counts portions without portion 0 (None: whatever
    portion 0 says). `withheld` names the originators, member codes, of portions that are not in `payloads`.
    Raises `RemoteError` (`bad-body`) for anything that `split` could not have written.
    """
    if 0 not in payloads:
        raise RemoteError(f"portion 0 of a {kind.TYPE} is not here", code="bad-body", advice="wait for it")
    frame = read_payload(payloads[0], kind.TYPE)
    count = _count(payloads[0], frame, kind.TYPE)
    if (total is not None and total != count) or any(not 0 <= index <= count for index in payloads):
        raise RemoteError(f"{kind.TYPE}: portion 0 speaks of {count} portions, the entries of others", code="bad-body")
    values = {i: read_payload(data, f"{kind.TYPE} portion {i}") for i, data in payloads.items() if i}
    arrived = Arrived(labels, {index: tuple(who) for index, who in withheld.items()})
    return _validate(kind, _filled(frame, values) if count else frame, arrived)


def portion_count(payload: bytes) -> int:
    """How many portions belong to a message, by its portion 0. Raises `RemoteError` (`bad-body`)."""
    return _count(payload, read_payload(payload, "portion 0"), "portion 0")


def write_payload(value: Any, where: str) -> bytes:
    """Canonical msgpack of a JSON value that `read_payload` will take. Raises `LocalError` with the place."""
    try:
        data = pack(value)
        if len(data) > MAX_PAYLOAD or not _is_json(value):
            read_payload(data, where)  # says what is wrong
    except UnicodeEncodeError:
        raise LocalError(f"{where}: a text holds half a surrogate pair, which UTF-8 cannot spell") from None
    except LocalError as error:
        raise LocalError(f"{where}{_odd_float(value)}: {error.what}", where=where) from None
    except RemoteError as error:
        raise LocalError(error.what, where=where) from None
    return data


def read_payload(data: bytes, where: str) -> Any:
    """The JSON value in a payload. Raises `RemoteError` (`bad-body`)."""
    try:
        value = unpack(data, max_size=MAX_PAYLOAD, max_items=MAX_LIST)
    except RemoteError as error:
        raise RemoteError(f"{where}: {error.what}", code="bad-body", where=where) from None
    if not _is_json(value):
        raise RemoteError(f"{where}: holds msgpack bin, which no JSON form has", code="bad-body", where=where)
    return value


def _validate(kind: type[B], value: Any, arrived: Arrived) -> B:
    """JSON mode, so that a strict model reads back the times, numbers and bytes it wrote as text."""
    try:
        return kind.model_validate_json(msgspec.json.encode(value), context=arrived, extra="allow")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if _PLAIN.fullmatch(str(part)))
        raise RemoteError(f"{kind.TYPE}: {place}: {first['msg']}", code="bad-body", where=place) from None


def _sendable(body: Body) -> None:
    if isinstance(body, UnknownMessage) or not hasattr(body, "TYPE"):
        raise LocalError(f"a {type(body).__name__} cannot be sent", advice="give its class a TYPE of its own")
    for item in _models(body):
        if isinstance(item, Withheld):
            raise LocalError(f"portion {item.index} is withheld from you and cannot be sent on", advice="leave it out")
        if isinstance(item, BaseModel) and item.model_extra:
            names = ", ".join(sorted(item.model_extra))[:200]
            raise LocalError(
                f"{body.TYPE} holds fields this version does not know: {names}", advice="build a new body or upgrade"
            )


def _models(item: Any) -> Iterator[Any]:
    """Every model, portion and withheld portion inside `item`, itself included."""
    if isinstance(item, BaseModel):
        yield item
        for _, value in item:
            yield from _models(value)
    elif isinstance(item, Portion):
        yield from _models(item.value)
    elif isinstance(item, Withheld):
        yield item
    elif isinstance(item, dict):
        for value in item.values():
            yield from _models(value)
    elif isinstance(item, list | tuple | set | frozenset):
        for value in item:
            yield from _models(value)


def _walk(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Every value in a JSON tree with its path, parents first."""
    yield value, path
    if type(value) is dict:
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}")
    elif type(value) in (list, tuple):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{index}]")


def _is_json(value: Any) -> bool:
    """Whether no bytes stand anywhere in it, and no list or map is longer than a payload may hold."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is bytes:
            return False
        if kind in _CONTAINERS:
            if len(item) > MAX_LIST:
                return False
            waiting.extend(item.values() if kind is dict else item)
    return True


def _count(payload: bytes, frame: Any, where: str) -> int:
    """The number of marks in `frame`, which `payload` spells, after checking that they are 1..n, once each, and
    nothing but a mark."""
    if _MARKED not in payload:  # as in most messages: a key is spelled in one way
        return 0
    marks = []
    for item, path in _walk(frame, ""):
        if type(item) is dict and MARK in item:
            if len(item) != 1 or type(item[MARK]) is not int:
                raise RemoteError(f"{where}{path}: not a portion mark", code="bad-body", where=path)
            marks.append(item[MARK])
    if sorted(marks) != list(range(1, len(marks) + 1)) or len(marks) > MAX_PORTIONS:
        raise RemoteError(f"{where}: portion marks are not 1 to {MAX_PORTIONS}, once each", code="bad-body")
    return len(marks)


def _filled(value: Any, values: Mapping[int, Any]) -> Any:
    """`value` with the values of the portions that are here set beside their marks."""
    if type(value) is list:
        return [_filled(item, values) for item in value]
    if type(value) is not dict:
        return value
    index = value.get(MARK)
    if index is not None:
        return value | {"value": values[index]} if index in values else value
    return {key: _filled(item, values) for key, item in value.items()}


def _odd_float(value: Any) -> str:
    """Where the float stands that has no one spelling, for the sentence; empty where none does."""
    for item, path in _walk(value, ""):
        if type(item) is float and (not math.isfinite(item) or (item == 0 and math.copysign(1, item) < 0)):
            return path
    return ""
