"""Reads one JSON object field by field. What nobody took is lost, and is named: completeness by construction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from rsc_share.errors import RemoteError

T = TypeVar("T")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,30}))?Z", re.ASCII)


class Fields:
    """One JSON object of a file: typed getters that remember what was taken.

    `where` is `<object id> <JSON path>`; `lost` collects such places. A getter raises `RemoteError` for a wrong type.
    """

    __slots__ = ("_left", "_value", "file", "lost", "where")

    def __init__(self, value: Any, file: str, where: str, lost: list[str]) -> None:
        self.file, self.where, self.lost = file, where, lost
        if type(value) is not dict:
            raise self.wrong("needs an object")
        self._value: dict[str, Any] = value
        self._left = dict.fromkeys(value)

    def wrong(self, what: str, key: str = "", index: int | None = None) -> RemoteError:
        place = self.place(key) if key else self.where
        place += "" if index is None else f"[{index}]"
        return RemoteError(f"{self.file}: {place}: {what}", code="bad-stix", file=self.file, where=place)

    def place(self, key: str) -> str:
        return f"{self.where}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{self.where}[{json.dumps(key[:120])}]"

    def take(self, key: str, *, required: bool = False) -> Any:
        """The value under `key`, None if absent. JSON null is no value in STIX (section 3.1) and stays wrong."""
        if key not in self._value:
            if required:
                raise self.wrong("is missing", key)
            return None
        self._left.pop(key, None)
        if self._value[key] is None:
            raise self.wrong("null is not allowed", key)
        return self._value[key]

    def _typed(self, key: str, kind: type[T], what: str, required: bool) -> T | None:
        value = self.take(key, required=required)
        if value is not None and type(value) is not kind:
            raise self.wrong(f"needs {what}", key)
        return value

    def text(self, key: str, *, required: bool = False) -> str | None:
        return self._typed(key, str, "a text", required)

    def flag(self, key: str, *, required: bool = False) -> bool | None:
        return self._typed(key, bool, "true or false", required)

    def integer(self, key: str) -> int | None:
        return self._typed(key, int, "a whole number", False)

    def items(self, key: str, *, required: bool = False) -> list[Any]:
        """The list under `key`; an absent one is empty, an empty one is wrong (STIX 2.1 section 2.9)."""
        value = self._typed(key, list, "a list", required)
        if value is None:
            return []
        if not value:
            raise self.wrong("an empty list is not allowed: leave the field out", key)
        return value

    def texts(self, key: str, *, required: bool = False) -> list[str]:
        found = self.items(key, required=required)
        for index, item in enumerate(found):
            if type(item) is not str:
                raise self.wrong("needs a text", key, index)
        return found

    def each(self, key: str, read: Callable[[Fields], T]) -> list[T]:
        """A list of objects, each read by `read`; what that leaves is lost."""
        found = []
        for index, item in enumerate(self.items(key)):
            inner = Fields(item, self.file, f"{self.place(key)}[{index}]", self.lost)
            found.append(read(inner))
            inner.close()
        return found

    def time(self, key: str, *, required: bool = False) -> datetime | None:
        """STIX 2.1 section 2.16: RFC 3339 in UTC with Z. Digits below a microsecond are lost, and named."""
        value = self.text(key, required=required)
        if value is None:
            return None
        match = _TIMESTAMP.fullmatch(value)
        if not match:
            raise self.wrong("needs a time in UTC such as 2026-01-15T12:00:00Z", key)
        digits = (match[2] or "").ljust(6, "0")
        if digits[6:].strip("0"):
            self.lost.append(f"{self.place(key)} (digits below a microsecond)")
        try:
            return datetime.fromisoformat(f"{match[1]}.{digits[:6]}+00:00")
        except ValueError as error:
            raise self.wrong(f"no such time: {error}", key) from None

    def lose(self, key: str, why: str) -> None:
        """Give a field up, saying why."""
        if key in self._left:
            del self._left[key]
            self.lost.append(f"{self.place(key)} ({why})")

    def close(self) -> None:
        """Everything that nobody took is lost."""
        self.lost += [self.place(key) for key in self._left]
        self._left.clear()
