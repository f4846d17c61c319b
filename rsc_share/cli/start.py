"""The entry point. It loads next to nothing, so that Ctrl-C in the first moments is a line and no page either."""

from __future__ import annotations

import io
import os
import sys

STOPPED = 130
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def run() -> None:
    """Run the command line and leave with its exit code."""
    _fill_closed()
    _spell_out()
    try:
        from rsc_share.cli.main import main

        code = main()
    except KeyboardInterrupt:  # before there is a frame to turn it into this line
        sys.stderr.write("rsc-share: stopped: nothing was begun; now: run it again when you like [stopped]\n")
        code = STOPPED
    sys.exit(code)


def _spell_out() -> None:
    """What a terminal's encoding does not have is spelt out: a title with an umlaut is no bug under LC_ALL=C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fill_closed() -> None:
    """Standard streams that were closed (`>&-`) lead nowhere: else the first file that is opened takes their place, and
    what we print would go into it."""
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
