"""Reading a signed TOML text: strict about its bytes, and every complaint names the line.

CRLF parses equal and hashes differently; a byte order mark or an invisible character makes two texts that look the
same on paper. So a text is UTF-8, LF, without control or format characters, and ends in one newline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels.invisible import invisible, written_invisible
from rsc_share.labels.toml10 import loads

T = TypeVar("T")
MAX_TEXT = 262_144
"""Bytes of a charter's text; 60 members take about 40 kB."""
MAX_DEPTH = 8


def decode(data: bytes, name: str) -> str:
    """The text, if its bytes are the only way to write it. Raises `LocalError` with what is wrong and where."""
    if len(data) > MAX_TEXT:
        raise _refuse(name, None, f"{len(data)} bytes; at most {MAX_TEXT} are allowed")
    if data.startswith(b"\xef\xbb\xbf"):
        raise _refuse(name, 1, "starts with a byte order mark: save it as UTF-8 without BOM")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refuse(name, data.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None
    written = written_invisible(text)
    if written is not None:
        number, odd = written
        if "\r" in text.split("\n")[number - 1]:
            raise _refuse(name, number, "has a carriage return: lines end with LF alone (a mail gateway adds CR)")
        raise _refuse(name, number, f"has the invisible character U+{ord(odd):04X}")
    if not text.endswith("\n"):
        raise _refuse(name, text.count("\n") + 1, "does not end with a newline")
    if text.endswith("\n\n"):
        raise _refuse(name, text.count("\n"), "ends with empty lines")
    return text


def _refuse(name: str, line: int | None, what: str, **fields: Any) -> LocalError:
    place = name if line is None else f"{name}:{line}"
    return LocalError(f"{place}: {what}", code="charter", file=name, line=line, **fields)


def tables(data: bytes, name: str) -> tuple[Table, str]:
    """The root table of a strict TOML text, and the text."""
    text = decode(data, name)
    try:
        values = loads(text)
    except ValueError as error:  # TOMLDecodeError is one; a number of 5,000 digits raises the plain kind
        raise _refuse(name, None, str(error)) from None
    except RecursionError:
        raise _refuse(name, None, "is nested too deep") from None
    source = Source(name, tuple(text.split("\n")))
    _shallow(values, source, MAX_DEPTH)
    return Table(source, (), values), text


def _shallow(value: Any, source: Source, depth: int) -> None:
    if depth == 0:
        raise _refuse(source.name, None, "is nested too deep")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _shallow(item, source, depth - 1)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name and lines, to say where something stands."""

    name: str
    lines: tuple[str, ...]

    def line_of(self, path: tuple[str, ...]) -> int | None:
        """The line a key most likely stands on: its table's header, then the key under it. Only for messages."""
        best = None
        start = 0
        for part in path:
            found = self._find(part, start)
            if found is None:
                break
            best, start = found + 1, found
        return best

    def _find(self, part: str, start: int) -> int | None:
        bare = part.partition("[")[0]
        for number in range(start, len(self.lines)):
            code = self.lines[number].partition("#")[0]
            words = code.replace("[", " ").replace("]", " ").replace(".", " ").replace('"', " ").replace("=", " ")
            if bare in words.split() or (not bare.isidentifier() and bare in code):
                return number
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """One TOML table with its path. Readers check and raise `LocalError`; `done` refuses what nobody asked for."""

    source: Source
    path: tuple[str, ...]
    values: dict[str, Any]

    def wrong(self, key: str | None, what: str) -> LocalError:
        path = self.path if key is None else (*self.path, key)
        dotted = ".".join(path) or "the text"
        return _refuse(self.source.name, self.source.line_of(path), f"{dotted}: {what}", key=dotted)

    def closed(self, *known: str) -> None:
        """Refuse unknown keys: a misspelt `suspended` that is skipped is a state that is not suspended."""
        for key in self.values:
            if key not in known:
                raise self.wrong(key, f"is not a known key here; known are {', '.join(sorted(known))}")

    def need(self, key: str) -> Any:
        if key not in self.values:
            raise self.wrong(None, f"{key} is missing")
        return self.values[key]

    def text(self, key: str, *, high: int = 200) -> str:
        value = self.need(key)
        if type(value) is not str or not 0 < len(value) <= high:
            raise self.wrong(key, f"needs a text of 1 to {high} characters")
        # The text's bytes are clean, but TOML spells any character as an escape, and a terminal would obey it.
        if invisible(value) is not None:
            raise self.wrong(key, "holds an invisible character or a line end")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.need(key)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(key, f"needs a whole number from {low} to {high}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if type(value) is not bool:
            raise self.wrong(key, "needs true or false")
        return value

    def choice(self, key: str, allowed: Iterable[T]) -> T:
        value = self.need(key)
        options = tuple(allowed)
        if type(value) is not str or value not in options:
            raise self.wrong(key, f"needs one of {', '.join(map(str, options))}")
        return value

    def digest(self, key: str) -> bytes:
        """32 bytes as 64 lower-case hexadecimal digits: one spelling."""
        return bytes.fromhex(self.fingerprint(key))

    def fingerprint(self, key: str) -> str:
        return self._hex(key, self.need(key))

    def _hex(self, key: str, value: Any) -> str:
        if type(value) is not str or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise self.wrong(key, "needs 64 hexadecimal digits in lower case")
        return value

    def fingerprints(self, key: str, *, low: int, high: int) -> tuple[str, ...]:
        return tuple(self._hex(key, item) for item in self._list(key, low, high))

    def named(self, key: str, check: Callable[[Any, str], str]) -> str:
        """A value that passes one of the checks in `names`."""
        return self.check(key, check, self.need(key))

    def check(self, key: str, check: Callable[[Any, str], str], value: Any) -> str:
        try:
            return check(value, key)
        except RemoteError as error:
            raise self.wrong(key, error.what.removeprefix(f"{key}: ")) from None

    def several(self, key: str, check: Callable[[Any, str], str], *, low: int = 0, high: int = 256) -> tuple[str, ...]:
        """A list of distinct checked names, in the order of the text."""
        found = tuple(self.check(key, check, item) for item in self._list(key, low, high))
        if len(set(found)) != len(found):
            raise self.wrong(key, "names something twice")
        return found

    def _list(self, key: str, low: int, high: int) -> list[Any]:
        value = self.values.get(key, []) if low == 0 else self.need(key)
        if type(value) is not list or not low <= len(value) <= high:
            raise self.wrong(key, f"needs a list of {low} to {high} items")
        return value

    def pair(self, key: str, low: int, high: int) -> tuple[int, int]:
        value = self._list(key, 2, 2)
        if not all(type(n) is int and low <= n <= high for n in value):
            raise self.wrong(key, f"needs two whole numbers from {low} to {high}")
        return value[0], value[1]

    def days(self, key: str) -> tuple[int, int]:
        """Two dates, UTC, both included, as `[from, until)` in milliseconds."""
        value = self._list(key, 2, 2)
        # datetime is a date too, and would silently lose its time of day.
        if not all(type(day) is date for day in value):
            raise self.wrong(key, "needs two dates such as [2026-01-01, 2028-12-31] (UTC, both days included)")
        first, last = value
        if not 1970 <= first.year <= last.year < 9999 or last < first:
            raise self.wrong(key, "ends before it begins, or lies outside 1970 to 9998")
        return _midnight(first), _midnight(last + timedelta(days=1))

    def table(self, key: str) -> Table:
        """A table that may be absent (then empty)."""
        value = self.values.get(key, {})
        if type(value) is not dict:
            raise self.wrong(key, "needs a table")
        return Table(self.source, (*self.path, key), value)

    def each(self, key: str, *, high: int) -> list[tuple[str, Table]]:
        """A table of tables as (name, table), sorted by name."""
        outer = self.table(key)
        if len(outer.values) > high:
            raise self.wrong(key, f"has more than {high} entries")
        return [(name, outer.table(name)) for name in sorted(outer.values)]

    def rows(self, key: str, *, high: int) -> list[Table]:
        """An array of tables that may be absent."""
        found = self._list(key, 0, high)
        if not all(type(row) is dict for row in found):
            raise self.wrong(key, "needs tables, written [[...]]")
        return [Table(self.source, (*self.path, f"{key}[{i}]"), row) for i, row in enumerate(found)]


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
