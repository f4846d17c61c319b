"""The log of a server: one line for each thing, whoever says it, and nobody fills it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import threading
import warnings
from io import StringIO
from unittest.mock import patch

import pytest

from rsc_share.cli.json_log import JsonLog, Others
from rsc_share.relay.net.journal import Throttle


def test_strangers_fill_no_log() -> None:
    throttle = Throttle(per_second=2)
    assert [throttle.allows(1_000 + n) for n in range(5)] == [True, True, False, False, False]
    assert throttle.allows(2_000)
    assert (throttle.left_out(), throttle.left_out()) == (3, 0)


def test_the_log_is_one_json_object_a_line() -> None:
    out = StringIO()
    log = JsonLog(out)
    log.info("session open", node="EST/mod-1", peer="a\nb")
    log.set_level("error")
    log.warning("not this")
    log.error("that", digest=b"x")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("session open", "info"), ("that", "error")]
    assert lines[0]["peer"] == "a\nb"
    assert lines[0]["time"].endswith("Z")


def test_a_bug_in_a_library_is_one_line_with_its_place() -> None:
    out = StringIO()
    with Others(JsonLog(out)):
        try:
            raise ValueError("boom")  # noqa: TRY301
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request")
    line = json.loads(out.getvalue())
    assert line["error"] == "ValueError('boom')"
    assert __file__ in line["at"]
    assert "Traceback" not in out.getvalue()


def test_what_only_looks_odd_is_a_warning_and_not_an_error() -> None:
    out = StringIO()
    with warnings.catch_warnings(), Others(JsonLog(out)):
        warnings.simplefilter("always")
        logging.getLogger("aiohttp.client").warning("Unclosed\nconnection")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("warning", "aiohttp.client"),
        ("warning", "py.warnings"),
    ]


def test_what_ends_a_thread_or_fails_where_nobody_can_raise_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Unable:
        def __del__(self) -> None:
            raise OSError("too late")

    def fails() -> None:
        raise ValueError("boom")

    out, before = StringIO(), (threading.excepthook, sys.unraisablehook)
    with Others(JsonLog(out)):
        thread = threading.Thread(target=fails, name="commits")
        thread.start()
        thread.join()
        Unable()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["error"] for line in lines] == ["ValueError('boom')", "OSError('too late')"]
    assert "commits" in lines[0]["event"]
    assert all(__file__ in line["at"] for line in lines)
    assert capsys.readouterr() == ("", "")
    assert (threading.excepthook, sys.unraisablehook) == before


def test_what_is_found_while_a_line_is_written_is_a_line_too() -> None:
    """The collector may run within any allocation. A lock that this thread holds must not keep it for ever."""

    class Found(StringIO):
        def write(self, text: str) -> int:
            if "outer" in text:
                logging.getLogger("asyncio").error("Task exception was never retrieved")
            return super().write(text)

    out = Found()
    log = JsonLog(out)
    with Others(log):
        writing = threading.Thread(target=log.info, args=("outer",), daemon=True)
        writing.start()
        writing.join(10)
        assert not writing.is_alive()
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == [
        "Task exception was never retrieved",
        "outer",
    ]


async def test_a_peer_that_leaves_in_the_middle_of_a_burst_fills_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair()
    out, writes = StringIO(), 20
    _, writer = await asyncio.open_connection(sock=ours)
    theirs.close()
    with Others(JsonLog(out)), patch.object(asyncio.log.logger, "warning", wraps=asyncio.log.logger.warning) as told:
        for _ in range(writes):  # in one round of the loop, which learns of the loss only afterwards
            writer.write(b"x" * 1024)
    assert told.call_count == writes - 5, "asyncio says it for each write after the fifth"
    assert out.getvalue() == ""
    assert capsys.readouterr() == ("", "")
    writer.close()
