"""Where a server writes what its operator must be able to read: events with fields, one line each."""

from __future__ import annotations

from typing import Any, Protocol


class Journal(Protocol):
    """A structlog logger, or anything with its three methods. No header content and no key is ever a field."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


class Silent:
    """For tests that look at something else."""

    def info(self, event: str, **fields: Any) -> None:
        """Nothing."""

    warning = error = info
