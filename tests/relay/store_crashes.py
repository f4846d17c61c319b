"""What the crash tests of the store share: victims, what they acknowledged, and what must be there afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from store_victim import LOGS, cosignature, digest, entry, text, told

from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.check import check
from rsc_share.relay.store.protocol import Body, Erased, Note
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.sqlite import SqliteStore

VICTIM = Path(__file__).with_name("store_victim.py")
FOR_EVER = 1_000_000


@dataclass
class Acknowledged:
    """Written down by the test, outside the victim: the largest size of each log, notes, erasures."""

    sizes: dict[str, int] = field(default_factory=dict)
    notes: set[tuple[str, int]] = field(default_factory=set)
    erased: set[tuple[str, int]] = field(default_factory=set)
    appends: int = 0
    full: int = 0

    def hear(self, line: str) -> None:
        self.full += line.startswith("F ")
        for kind, log, number in told([line]):
            if kind in "OA":
                self.sizes[log] = max(self.sizes.get(log, 0), number)
                self.appends += kind == "A"
            elif kind == "N":
                self.notes.add((log, number))
            elif kind == "E":
                self.erased.add((log, number))


VICTIMS: list[Victim] = []


def end_victims() -> None:
    """Whatever a failed test has left running."""
    while VICTIMS:
        victim = VICTIMS.pop()
        if victim.process.poll() is None:
            victim.process.kill()
            victim.process.wait()
        victim.process.stdout.close()
        victim.process.stderr.close()


class Victim:
    """The process, and what it says. `before` is a command that runs it, such as a tracer."""

    def __init__(
        self,
        folder: Path,
        said: Acknowledged,
        *,
        turns: int = FOR_EVER,
        synchronous: str = "FULL",
        erasing: bool = True,
        before: tuple[str, ...] = (),
    ) -> None:
        self.said = said
        VICTIMS.append(self)
        command = [*before, sys.executable, str(VICTIM), str(folder), str(turns), synchronous, str(erasing)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def hear(self, appends: int) -> None:
        """Listen until so many more appends were acknowledged, or the victim is dead."""
        wanted = self.said.appends + appends
        while self.said.appends < wanted and (line := self.process.stdout.readline()):
            self.said.hear(line)

    def stopped(self) -> None:
        """Stop it, and hear everything it said before."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        os.set_blocking(self.process.stdout.fileno(), False)
        with suppress(BlockingIOError, TypeError):
            while line := self.process.stdout.readline():
                self.said.hear(line)
        os.set_blocking(self.process.stdout.fileno(), True)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.end()

    def end(self) -> int:
        """Hear it to its end; its exit code."""
        for line in self.process.stdout:
            self.said.hear(line)
        self.errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.wait()


@cache
def whole(log: str) -> MemoryTree:
    return MemoryTree()


def expected(log: str, size: int) -> bytes:
    """Root of the first `size` entries the victim writes to a log."""
    tree = whole(log)
    tree.extend(leaf_hash(entry(log, n)) for n in range(tree.size, size))
    return tree.root(size)


async def faults(folder: Path, said: Acknowledged) -> list[str]:
    """What is wrong in a store whose victim is gone: lost, doubled, out of order, contradicting, not erased."""
    store = SqliteStore.open(folder)
    found: list[str] = []
    heads = await store.logs()
    for log in LOGS:
        size = heads[log].size if log in heads else 0
        if size < said.sizes.get(log, 0):
            found.append(f"{log} has {size}, {said.sizes[log]} were acknowledged")
        if size and heads[log].root != expected(log, size):
            found.append(f"{log} has another tree at {size}")
        entries = [item.entry async for item in store.read(log, 0, size, max_bytes=1 << 40)]
        if entries != [entry(log, n) for n in range(size)]:
            found.append(f"{log} has other entries")
        bodies = await store.bodies(log, [digest(log, n) for n in range(size)])
        noted = (await store.acquire(log)).noted if log in heads else 0
        for n in range(size):
            body = bodies.get(digest(log, n))
            if not (isinstance(body, Erased) or body == Body(n, text(log, n))):
                found.append(f"body {n} of {log} is {body}")
            if (log, n) in said.erased and not isinstance(body, Erased):
                found.append(f"body {n} of {log} was erased and is here")
            if isinstance(body, Erased) and n >= noted:
                found.append(f"body {n} of {log} is gone, and no note that was kept covers the order")
    for log, size in sorted(said.notes):
        if size <= (heads[log].size if log in heads else 0):
            kept = await store.keep_note(log, Note(size, expected(log, size)))
            if cosignature(size) not in kept.lines:
                found.append(f"the note of {log} at {size} is lost")
    await store.aclose()
    return found


def nowhere(folder: Path, said: Acknowledged) -> list[str]:
    """Erased texts that are still in one of the store's files."""
    files = b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith(FILE))
    return [f"{log} {n}" for log, n in sorted(said.erased) if f"<body {n} of {log}>".encode() in files]


def sound(folder: Path, said: Acknowledged) -> None:
    """A store that lost nothing: to be asserted after every crash."""
    assert asyncio.run(faults(folder, said)) == []
    assert nowhere(folder, said) == []
    done = check(folder)
    assert done.findings == ()


# --- what the machine permits


def needs_tracer() -> None:
    """Skip where no tracer may put faults into a process."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: no faults can be put into system calls")
    tried = subprocess.run([strace, "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("processes may not be traced here")


def tracing(fault: str, *paths: Path) -> tuple[str, ...]:
    """A command that runs another one with a fault in its system calls, such as `fdatasync:signal=KILL:when=3`.

    With `paths` only in calls that concern these files.
    """
    call = fault.partition(":")[0]
    only = [word for path in paths for word in ("-P", str(path))]
    return ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={fault}", *only)


def store_files(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / (FILE + end) for end in ("", "-wal"))


def unmounted(at: Path) -> None:
    """Lazily where it has to be: a failed test has files open there still, and a mount must not outlive its test."""
    if subprocess.run(["umount", str(at)], check=False, capture_output=True).returncode:
        subprocess.run(["umount", "--lazy", str(at)], check=False, capture_output=True)


class Disk:
    """An ext4 file system in a file: a copy of that file is what a power cut would leave."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.image, self.at = folder / "disk.img", folder / "disk"
        self.megabytes = megabytes

    def make(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(self.megabytes << 20)
        for command in (
            ["mkfs.ext4", "-q", "-F", str(self.image)],
            # No journal commit and no write-back by the clock: what is on the disk is what was synced.
            ["mount", "-o", "loop,commit=300", str(self.image), str(self.at)],
        ):
            self.at.mkdir(exist_ok=True)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no file systems can be made and mounted here: {done.stderr.strip()}")

    @contextmanager
    def cut(self) -> Iterator[Path]:
        """What is on the disk at this moment, mounted as after a power cut."""
        copy, at = self.image.with_name("cut.img"), self.at.with_name("cut")
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        at.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(copy), str(at)], check=True)
        try:
            yield at
        finally:
            unmounted(at)

    def unmount(self) -> None:
        end_victims()
        unmounted(self.at)


def seeded(name: str, round_: int) -> random.Random:
    return random.Random(f"{name} {round_}")
