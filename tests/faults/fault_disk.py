"""A disk whose power is cut: the processes on it stop between two instructions, and go on from what was on the disk."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from fault_oracle import DIRECTORY, LOG, logs_of, trees
from fault_world import CODES, World
from store_crashes import Disk, unmounted

from rsc_share import Unlock
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RscError
from rsc_share.node.home import Home
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.tickets import Tickets


class Power:
    """The disk in use is a copy of the one before: what the last cut left."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder, 192)
        self.disk.make()
        self.at, self.image, self.cuts = self.disk.at, self.disk.image, 0

    def installed(self) -> None:
        """What was put there before the test began has been there for long."""
        subprocess.run(["sync", "-f", str(self.at)], check=True)

    async def cut(self, world: World, *victims: str) -> None:
        copy = self.image.with_name(f"cut-{self.cuts}.img")
        self.cuts += 1
        await asyncio.to_thread(self._copied, copy, [world.children[victim].process.pid for victim in victims])
        for victim in victims:
            await world.kill(victim)
        await asyncio.to_thread(self._changed, copy)

    def _copied(self, copy: Path, processes: list[int]) -> None:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
            os.waitid(os.P_PID, process, os.WSTOPPED)
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)

    def _changed(self, copy: Path) -> None:
        subprocess.run(["umount", str(self.at)], check=True)
        subprocess.run(["mount", "-o", "loop,commit=300", str(copy), str(self.at)], check=True)
        self.image.unlink()
        self.image = copy

    def off(self) -> None:
        unmounted(self.at)


async def lost(world: World, node: str) -> list[str]:
    """What was acknowledged, and is not on the disk that the relay and `node` begin with again."""
    try:
        logs = await logs_of(world.relay_folder / "store")
    except (RscError, OSError) as error:
        return [f"the relay's store cannot be opened: {error}"]
    found = trees(world, {LOG: [], DIRECTORY: [], **logs})
    entries = [UnverifiedEntry.parse(raw) for raw in logs.get(LOG, [])]
    for code in CODES:
        for number, (seq, index) in world.heard[code].receipts.items():
            if index >= len(entries) or (entries[index].header.member, entries[index].header.seq) != (code, seq):
                found.append(f"{number} of {code} has a receipt and is not logged")
    try:
        return found + await _lost_by(world, node, entries)
    except (RscError, OSError) as error:
        return [*found, f"{node} cannot be opened: {error}"]


async def _lost_by(world: World, node: str, entries: list[UnverifiedEntry]) -> list[str]:
    heard, logged = world.heard[node], {entry.signed.header_hash.hex() for entry in entries}
    home = Home.open(world.homes[node], Unlock.file(world.founders.secret))
    try:
        store = home.store()
        try:
            shelf = Shelf(store, LOG)
            tickets = Tickets(shelf)
            ours = {digest.hex() for _, row in shelf.rows(Room.OURS) for _, digest in row}
            return [
                *(f"{n} was acknowledged and is not in the outbox" for n in heard.acked if not tickets.under(str(n))),
                *(
                    f"number {seq} has left {node}, which does not know it"
                    for (log, seq), hashes in heard.signed.items()
                    if log == LOG and not hashes - heard.refused <= ours | logged
                ),
            ]
        finally:
            await store.close()
    finally:
        home.close()
