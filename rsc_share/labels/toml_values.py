"""The values that schemes, bundles and rows are written with: tables, days, combinations, obligations.

Every problem names the place in the file and what belongs there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, TypeVar

from rsc_share import shape
from rsc_share.labels.invisible import spelled_invisible, written_invisible
from rsc_share.labels.label import level_name, tag_name, tag_value
from rsc_share.labels.scheme import Combination, Days, Obligations
from rsc_share.labels.toml10 import loads

T = TypeVar("T")
MAX_FILE = 262_144
_EPOCH = date(1970, 1, 1).toordinal()


def read_toml(data: bytes, where: str) -> dict[str, Any]:
    """TOML in UTF-8 with LF, without BOM and invisible characters: what people read is what is hashed. Raises
    `RemoteError`."""
    if len(data) > MAX_FILE:
        raise shape.wrong(where, f"is longer than {MAX_FILE} bytes")
    if b"\r" in data or data.startswith(b"\xef\xbb\xbf"):
        raise shape.wrong(where, "has CR line ends or a byte order mark: it reads the same and hashes differently")
    try:
        text = data.decode("utf-8")
        written = written_invisible(text)
        if written is not None:
            raise shape.wrong(where, f"has the invisible character U+{ord(written[1]):04X} in line {written[0]}")
        values = loads(text)
        spelled = spelled_invisible(values)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise shape.wrong(where, f"is not TOML: {error}") from None
    if spelled is not None:
        raise shape.wrong(where, f"spells the invisible character U+{ord(spelled):04X}, or a line end")
    return values


def table(value: Any, where: str, needed: Collection[str], allowed: Collection[str] = ()) -> dict[str, Any]:
    """A table with all of `needed`, perhaps some of `allowed`, and nothing else."""
    if type(value) is not dict:
        raise shape.wrong(where, "needs a table")
    odd = sorted(value.keys() - set(needed) - set(allowed))
    if odd:
        raise shape.wrong(where, f"has unknown keys: {', '.join(odd)[:200]}")
    missing = sorted(set(needed) - value.keys())
    if missing:
        raise shape.wrong(where, f"lacks {', '.join(missing)}")
    return value


def tables(value: Any, where: str) -> Iterator[tuple[dict[str, Any], str]]:
    for i, item in enumerate(shape.items(value, where)):
        yield item, f"{where}[{i}]"


def read_day(value: Any, where: str) -> int:
    if type(value) is not date:
        raise shape.wrong(where, "needs a date such as 2026-01-31")
    return value.toordinal() - _EPOCH


def read_days(value: Any, where: str) -> Days:
    """`[2026-01-01, 2028-12-31]`: UTC days, both included."""
    first, last = (read_day(item, where) for item in shape.row(value, where, 2))
    if last < first:
        raise shape.wrong(where, "ends before it begins")
    return Days(first, last)


def unique(read: Callable[..., T], value: Any, where: str, **bounds: Any) -> tuple[T, ...]:
    found = shape.each(read, value, where, **bounds)
    if len(set(found)) != len(found):
        raise shape.wrong(where, "says something twice")
    return tuple(found)


def read_combination(value: Any, where: str) -> Combination:
    """`{ level = ["SECRET"], caveat = ["SOURCE-SENSITIVE"] }`."""
    if type(value) is not dict:
        raise shape.wrong(where, "needs a table of tag to values")
    found: dict[str, frozenset[str]] = {}
    for name, values in value.items():
        read: Callable[..., str] = level_name if name == "level" else tag_value
        found[name if name == "level" else tag_name(name, where)] = frozenset(
            unique(read, values, f"{where}.{name}", low=1)
        )
    return MappingProxyType(found)


def read_obligations(value: Any, where: str) -> Obligations:
    """`{ onward = "no", retain_days = 365 }`: names from a closed list, plain values."""
    found = table(value, where, (), OBLIGATIONS)
    return tuple((name, OBLIGATIONS[name](found[name], f"{where}.{name}")) for name in sorted(found))


def _days_up_to(value: Any, where: str) -> int:
    return shape.integer(value, where, low=0, high=36_525)


def _one_of(*allowed: str) -> Callable[[Any, str], str]:
    return lambda value, where: shape.choice(value, where, allowed)


OBLIGATIONS: Mapping[str, Callable[[Any, str], str | int]] = MappingProxyType(
    {
        "onward": _one_of("no", "organisation", "clients", "community", "yes"),
        "retain_days": _days_up_to,
        "review_days": _days_up_to,
        "attribution": _one_of("may", "must", "must-not"),
        "use": _one_of("passive", "active", "intelligence-only", "law-enforcement"),
        "persons": _one_of("named"),
        "notice": lambda value, where: shape.text(value, where, low=1, high=200),
    }
)
"""What a reader can be bound to, and how each is spelled."""
