"""The log of a running relay or node: one JSON object a line on stdout, nothing else there."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

_RANK = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOST = frozenset({"socket.send() raised exception.", "SSL connection is closed"})
"""What asyncio and uvloop say of each write but the first five to a peer that is gone: a peer could fill a log with it,
and the end of its session is a line, or a figure, already."""


class JsonLog:
    """A `Journal`. `level` may change while it is in use."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.level, self._stream = "info", stream or sys.stdout
        self._lock = threading.RLock()

    def set_level(self, level: str) -> None:
        self.level = level

    def info(self, event: str, **fields: Any) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if _RANK[level] < _RANK[self.level]:
            return
        time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = json.dumps({**fields, "event": event, "level": level, "time": time}, sort_keys=True, default=str)
        with self._lock:  # other threads may end by an error; one may find another while it writes
            self._stream.write(line + "\n")
            self._stream.flush()


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
