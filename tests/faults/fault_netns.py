"""A network namespace for some of the nodes, with one cable to the relay: cut in the kernel, on both ends, silently.

While it is cut, frames go to a hardware address that nobody has: nothing is refused or closed, nothing arrives, and TCP
does what TCP does. Addresses are link-local, so that nothing can leave this machine.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess

_NUMBERS = itertools.count(os.getpid() % 200)
NOBODY = "02:00:00:00:00:01"


def impossible() -> str | None:
    """Why there are no namespaces here; None where there are."""
    if shutil.which("ip") is None:
        return "there is no `ip` command"
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = f"rsc-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"ip netns add: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return None


class Namespace:
    """`address`: where the relay listens, on this side of the cable. Use as a context manager."""

    def __init__(self) -> None:
        number = next(_NUMBERS) % 250
        self.name, self._device = f"rsc-{os.getpid()}-{number}", f"rsc{os.getpid() % 100_000}v{number}"
        self.address, self._inside = f"169.254.{number}.1", f"169.254.{number}.2"
        self._ends: tuple[str, str] = ("", "")

    def __enter__(self) -> Namespace:
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._device, "type", "veth", "peer", "name", "cable", "netns", self.name)
            _ip("addr", "add", f"{self.address}/30", "dev", self._device)
            _ip("link", "set", self._device, "up")
            _ip("-n", self.name, "addr", "add", f"{self._inside}/30", "dev", "cable")
            _ip("-n", self.name, "link", "set", "cable", "up")
            self._ends = _mac("link", "show", self._device), _mac("-n", self.name, "link", "show", "cable")
            self.heal()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The cable goes with the namespace, once the last process in it has ended."""
        subprocess.run(["ip", "link", "del", self._device], capture_output=True, check=False)
        _ip("netns", "del", self.name)

    @property
    def prefix(self) -> list[str]:
        """What runs a command inside. It becomes that command: signals go to it."""
        return ["ip", "netns", "exec", self.name]

    async def start(self, port: int) -> int:
        return port

    async def end(self) -> None: ...

    def cut(self) -> None:
        self._leads(NOBODY, NOBODY)

    def heal(self) -> None:
        self._leads(*self._ends)

    def _leads(self, here: str, inside: str) -> None:
        _ip("neigh", "replace", self._inside, "lladdr", inside, "nud", "permanent", "dev", self._device)
        _ip("-n", self.name, "neigh", "replace", self.address, "lladdr", here, "nud", "permanent", "dev", "cable")


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def _mac(*arguments: str) -> str:
    found = re.search(r"link/ether ([0-9a-f:]{17})", _ip(*arguments))
    assert found is not None
    return found[1]
