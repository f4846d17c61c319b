"""A label: what a piece of information is, who made it, and who may have it.

The wire form is a closed map with every key present and every set sorted, so that one label has one digest:

    {audience: [...], created: ms|nil, level: "SECRET", originators: [...], review: ms|nil,
     scheme: "REGIONAL", successor: map|nil, tags: {caveat: ["SOURCE-SENSITIVE"]}}

`audience` is mandatory (ADatP-4774 has it as an ordinary permissive category that its dominant label rules may drop;
a dropped category widens). An empty audience means originators only. Two spellings of one audience are closed here:
`@members` stands alone, because nobody is outside it, and a sole originator is not listed, because it always reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.errors import LocalError, RemoteError

EVERYBODY = "@members"
"""The built-in group: every member of the charter."""
MAX_TAGS, MAX_VALUES, MAX_AUDIENCE, MAX_ORIGINATORS = 16, 64, 512, 64

MAX_SHORT = 64
"""Names in a label that may be kept."""

_KEYS = ("audience", "created", "level", "originators", "review", "scheme", "successor", "tags")
_SCHEME = re.compile(r"[A-Z][A-Z0-9-]{1,31}")
_LEVEL = re.compile(r"[A-Z][A-Z0-9+-]*( [A-Z0-9+-]+)*")
_TAG = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VALUE = re.compile(r"[A-Z0-9][A-Z0-9.+-]*( [A-Z0-9][A-Z0-9.+-]*)*")

Tags = tuple[tuple[str, tuple[str, ...]], ...]


class LabelError(LocalError):
    """A label text or value is wrong. `position` is where in the text; `expected` what would be right there."""

    default_code = "label"


def scheme_id(value: Any, where: str = "scheme") -> str:
    return _word(_SCHEME, value, where, "a scheme name such as REGIONAL", 32)


def level_name(value: Any, where: str = "level") -> str:
    return _word(_LEVEL, value, where, "a level in capitals such as TOP SECRET", 64)


def tag_name(value: Any, where: str = "tag") -> str:
    return _word(_TAG, value, where, "a tag name such as caveat", 32)


def tag_value(value: Any, where: str = "value") -> str:
    return _word(_VALUE, value, where, "a tag value in capitals such as SOURCE-SENSITIVE", 64)


def reader(value: Any, where: str = "audience") -> str:
    """A member code or a group."""
    return names.group(value, where) if type(value) is str and value.startswith("@") else names.member(value, where)


def _word(pattern: re.Pattern[str], value: Any, where: str, what: str, limit: int) -> str:
    if type(value) is not str or len(value) > limit or not pattern.fullmatch(value):
        raise shape.wrong(where, f"is not {what}")
    return value


@dataclass(frozen=True, slots=True)
class Label:
    """One label, in its one spelling. Build it with `Label.of`, `Label.from_wire` or `parse_label`.

    `created` and `review` are milliseconds UTC. With a `successor`, `review` is the time it takes over
    (ADatP-4774 SuccessionHandling); without one it is a reminder.
    """

    scheme: str
    level: str
    tags: Tags = ()
    originators: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    created: int | None = None
    review: int | None = None
    successor: Label | None = None
    core: tuple[Any, ...] = field(init=False, repr=False, compare=False)
    """What policy looks at: everything but `created`. A ready tuple, because decisions are looked up by it."""
    short: bool = field(init=False, repr=False, compare=False)
    """Whether a cache of labels may keep it: caches count labels, and one may hold hundreds of names. Worked out when
    it is made, because every decision asks."""
    _packed: list[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        successor = self.successor.core if self.successor is not None else None
        core = (self.scheme, self.level, self.tags, self.originators, self.audience, self.review, successor)
        listed = len(self.originators) + len(self.audience) + sum([len(of) for _, of in self.tags])
        short = listed <= MAX_SHORT and (self.successor is None or self.successor.short)
        object.__setattr__(self, "core", core)
        object.__setattr__(self, "short", short)
        object.__setattr__(self, "_packed", [])

    @property
    def digest(self) -> bytes:
        """SHA-256 of the packed wire form, computed once."""
        if len(self._packed) < 2:
            self._packed[1:] = [sha256(self.packed).digest()]
        return self._packed[1]

    @property
    def packed(self) -> bytes:
        """The packed wire form, made once."""
        if not self._packed:
            self._packed.append(codec.pack(self.wire()))
        return self._packed[0]

    @classmethod
    def of(
        cls,
        scheme: str,
        level: str,
        *,
        tags: Mapping[str, Iterable[str]] | Tags = (),
        originators: Iterable[str] = (),
        audience: Iterable[str] = (),
        created: int | None = None,
        review: int | None = None,
        successor: Label | None = None,
    ) -> Label:
        """A label from unsorted values. Raises `LabelError` for what has no place in a label."""
        pairs = tags.items() if isinstance(tags, Mapping) else tags
        sorted_tags = {name: sorted(set(values)) for name, values in sorted(pairs)}
        authors = sorted(set(originators))
        wire = {
            "audience": list(canonical_audience(audience, authors)),
            "created": created,
            "level": level,
            "originators": authors,
            "review": review,
            "scheme": scheme,
            "successor": None if successor is None else successor.wire(),
            "tags": sorted_tags,
        }
        try:
            return cls.from_wire(wire)
        except RemoteError as error:
            raise LabelError(error.what) from None

    def __str__(self) -> str:
        """Scheme, level, tags and readers in plain words, for logs. The marking itself is `text.render_label`'s."""
        tags = " ".join(" ".join(values) for _, values in self.tags)
        readers = ", ".join((*self.originators, *self.audience)) if self.audience else "ORIGINATOR ONLY"
        shown = f"REL TO {readers}" if self.audience else readers
        return " ".join(part for part in (self.scheme, self.level, tags, shown) if part)

    def wire(self) -> dict[str, Any]:
        return {
            "audience": list(self.audience),
            "created": self.created,
            "level": self.level,
            "originators": list(self.originators),
            "review": self.review,
            "scheme": self.scheme,
            "successor": None if self.successor is None else self.successor.wire(),
            "tags": {name: list(values) for name, values in self.tags},
        }

    @classmethod
    def from_wire(cls, value: Any, where: str = "label") -> Label:
        """The label `value` spells. Raises `RemoteError` for anything but the one spelling."""
        label = _read(value, where)
        successor = shape.closed(value, where, _KEYS)["successor"]
        if successor is None:
            return label
        after = _read(successor, f"{where}.successor")
        if successor["successor"] is not None:
            raise shape.wrong(where, "has a successor of a successor")
        return replace(label, successor=after)

    def values(self, tag: str) -> tuple[str, ...]:
        """The values of `tag`, none if the label does not carry it."""
        return next((values for name, values in self.tags if name == tag), ())

    def made_by(self, originators: Iterable[str]) -> Label:
        """The same label with these originators."""
        authors = tuple(sorted(set(originators)))
        listed = (*self.audience, *self.originators) if len(self.originators) == 1 else self.audience
        if self.originators == authors:
            return self
        return replace(self, originators=authors, audience=canonical_audience(listed, authors))


def canonical_audience(audience: Iterable[str], originators: Iterable[str]) -> tuple[str, ...]:
    """The one spelling of an audience: `@members` alone, and no sole originator in it."""
    listed, authors = set(audience), set(originators)
    if EVERYBODY in listed:
        return (EVERYBODY,)
    return tuple(sorted(listed - authors if len(authors) == 1 else listed))


def _read(value: Any, where: str) -> Label:
    fields = shape.closed(value, where, _KEYS)
    originators = shape.each(names.member, fields["originators"], f"{where}.originators", high=MAX_ORIGINATORS)
    shape.ascending(originators, f"{where}.originators")
    audience = shape.each(reader, fields["audience"], f"{where}.audience", high=MAX_AUDIENCE)
    shape.ascending(audience, f"{where}.audience")
    if tuple(audience) != canonical_audience(audience, originators):
        raise shape.wrong(f"{where}.audience", "lists the sole originator, or somebody beside @members")
    return Label(
        scheme=scheme_id(fields["scheme"], f"{where}.scheme"),
        level=level_name(fields["level"], f"{where}.level"),
        tags=_read_tags(fields["tags"], f"{where}.tags"),
        originators=tuple(originators),
        audience=tuple(audience),
        created=shape.maybe(shape.integer, fields["created"], f"{where}.created"),
        review=shape.maybe(shape.integer, fields["review"], f"{where}.review"),
    )


def _read_tags(value: Any, where: str) -> Tags:
    if type(value) is not dict or len(value) > MAX_TAGS:
        raise shape.wrong(where, f"needs a map of at most {MAX_TAGS} tags")
    tags = []
    for name in sorted(map(tag_name, value)):
        values = shape.each(tag_value, value[name], f"{where}.{name}", high=MAX_VALUES)
        shape.ascending(values, f"{where}.{name}")
        tags.append((name, tuple(values)))
    return tuple(tags)
