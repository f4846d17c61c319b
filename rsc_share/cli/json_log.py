"""The log of a running relay or node: one JSON object a line on stdout, nothing else there."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

_RANK = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOST = frozenset({"socket.send() raised exception.", "SSL connection is closed"})
"""What asyncio and uvloop say of each write but the first five to a peer that is gone: a peer could fill a log with it,
and the end of its session is a line, or a figure, already."""


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
    """What libraries and the interpreter itself say while it is entered, as lines of the same form: a message and where
    a bug is, never a page of traceback."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def __enter__(self) -> Others:
        logging.getLogger().addHandler(self)
        logging.captureWarnings(True)
        self._hooks = threading.excepthook, sys.unraisablehook
        threading.excepthook, sys.unraisablehook = self._thread, self._unraisable
        return self

    def __exit__(self, *_: object) -> None:
        threading.excepthook, sys.unraisablehook = self._hooks
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said not in _LOST:
            error, trace = (record.exc_info or (None, None, None))[1:]
            self._tell(said, record.name, error, trace, bad=record.levelno >= logging.ERROR)

    def _thread(self, args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        self._tell(f"the thread {name} ended by an error", "threading", args.exc_value, args.exc_traceback)

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        where = getattr(args.object, "__qualname__", type(args.object).__name__)
        self._tell(f"{args.err_msg or 'exception ignored in'}: {where}", "sys", args.exc_value, args.exc_traceback)

    def _tell(
        self,
        said: str,
        who: str,
        error: BaseException | None,
        trace: TracebackType | None,
        *,
        bad: bool = True,
    ) -> None:
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else None
        tell = self._log.error if bad else self._log.warning
        tell(said, logger=who, error=None if error is None else repr(error), at=at)
