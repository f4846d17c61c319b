"""What a process of the demonstration runs: one command of `rsc-share`, which ends with its parent.

    python -m rsc_share.demo.network.child PARENT COMMAND ...

The kernel kills it when its parent dies, however that dies; elsewhere than on Linux the parent has to live long enough
to do it itself.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bind_to(parent: int) -> None:
    """Die with `parent`. Exits at once where it is gone already: then nobody would send the signal."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    bind_to(int(sys.argv[1]))
    # By its name: this room stands below the command line, and what runs here is the command line as a whole.
    sys.exit(importlib.import_module("rsc_share.cli.main").main(sys.argv[2:]))
