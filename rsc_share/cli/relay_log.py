"""The log of a running relay: one JSON object a line on stdout, nothing else there."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_RANK = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class JsonLog:
    """A `Journal`. `level` may change while it is in use."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.level = "info"
        steps: list[Any] = [
            self._drop,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ]
        self._log = structlog.wrap_logger(structlog.PrintLogger(stream or sys.stdout), processors=steps)

    def _drop(self, _: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if _RANK.get(method, 20) < _RANK[self.level]:
            raise structlog.DropEvent
        return event

    def set_level(self, level: str) -> None:
        self.level = level

    def info(self, event: str, **fields: Any) -> None:
        self._log.info(event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log.warning(event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        self._log.error(event, **fields)


class Others(logging.Handler):
    """What libraries log while it is entered, as lines of the same form: a message and where a bug is, never a page of
    traceback."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def __enter__(self) -> Others:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        place = error.__traceback__ if error is not None else None
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else None
        self._log.error(record.getMessage(), logger=record.name, error=None if error is None else repr(error), at=at)
