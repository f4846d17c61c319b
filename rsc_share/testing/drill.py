"""Destroy a node and restore it, in a scratch folder, and look whether anything was used twice."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import StorageError
from rsc_share.messages import Indicator
from rsc_share.node import backup
from rsc_share.node.home import STATE
from rsc_share.node.inbox import Arrival
from rsc_share.node.node import Node
from rsc_share.node.unlock import Unlock
from rsc_share.testing.framework import Framework

MEMBER, CHANNEL, LABEL = "EST", "main", "TLP:GREEN REL TO @members"
PASSPHRASE = b"of a drill, never of a node"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    seen: str


async def drill(folder: Path) -> list[Finding]:
    """Run it in `folder`, which must be empty. What was looked at, in order; all of it should be good."""
    async with Framework.create("EST", "LVA", "FIN") as fw:
        run = Drill(fw, folder)
        await fw.move_out(MEMBER, run.home, PASSPHRASE)
        before = await run.live_on()
        await run.destroy_and_restore()
        return [await run.old_state_is_refused(), *await run.go_on(before)]


class Drill:
    """One framework in memory, one node on disk."""

    def __init__(self, fw: Framework, folder: Path) -> None:
        self.fw, self.folder, self.home = fw, folder, folder / "node"
        (folder / "unlock").write_bytes(PASSPHRASE)
        self.unlock = Unlock.file(folder / "unlock")

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Node]:
        async with Node.open(self.home, unlock=self.unlock) as node:
            self.fw.host(node)
            try:
                yield node
            finally:
                self.fw.let_go(node)

    async def live_on(self) -> set[bytes]:
        """Talk, make a backup, and talk on: the backup is old when it is needed. The ids of all prekeys so far."""
        async with self._open() as node:
            await self._say(node, "before the backup", "question")
            await node.backup(self.folder / "backup")
        shutil.copytree(self.home / STATE, self.folder / "old-state")
        async with self._open() as node:
            await self._say(node, "after the backup", "another question")
            return set(node.engine.keys.ids())

    async def _say(self, node: Node, mine: str, theirs: str) -> None:
        await node.channel(CHANNEL).publish(Indicator(pattern=mine, stix_id="drill"), label=LABEL, key=mine)
        other = self.fw.node("LVA").channel(CHANNEL)
        await other.publish(Indicator(pattern=theirs, stix_id="drill"), label=LABEL)
        await self.fw.settle()

    async def destroy_and_restore(self) -> None:
        shutil.move(self.home, self.folder / "destroyed")
        await backup.restore(self.folder / "backup", self.home, PASSPHRASE)
        self.fw.clock.advance(seconds=660)  # the directory takes one prekey of a node in ten minutes
        await self.fw.settle()

    async def old_state_is_refused(self) -> Finding:
        """The folder as it was before the last messages, put back in place of the live one."""
        what, where = "an old copy of state/ signs nothing", self.folder / "destroyed"
        shutil.rmtree(where / STATE)
        shutil.copytree(self.folder / "old-state", where / STATE)
        before = len(await self._own())
        try:
            async with Node.open(where, unlock=self.unlock):
                pass
        except StorageError as error:
            return Finding(what, error.code == "rolled-back" and len(await self._own()) == before, error.code)
        return Finding(what, False, "it was opened")

    async def go_on(self, before: set[bytes]) -> list[Finding]:
        async with self._open() as node:
            for _ in range(20):  # until others hand out their next grant key: the earlier ones were not for this one
                self.fw.clock.advance(seconds=140)
                await self.fw.settle()
            await self._say(node, "after the restore", "a last question")
            await node.channel(CHANNEL).publish(
                Indicator(pattern="before the backup", stix_id="drill"), label=LABEL, key="before the backup"
            )
            await self.fw.settle()
            found = await self._findings(node, before)
        report = await self.fw.audit()
        return [*found, Finding("an auditor finds nothing", not report.findings, f"{len(report.findings)} findings")]

    async def _findings(self, node: Node, before: set[bytes]) -> list[Finding]:
        own, ids = await self._own(), set(node.engine.keys.ids())
        seqs = [entry.header.seq for entry in own]
        checks = [entry.header.content.check for entry in own if isinstance(entry.header.content, GrantContent)]
        events = node.channel(CHANNEL).line.reading.inbox.events
        held = sum(isinstance(event, Arrival) and bool(event.payloads) for event in events)
        messages = [entry for entry in own if entry.header.kind == "message"]
        return [
            Finding("every number was used once", seqs == list(range(1, len(seqs) + 1)), f"1 to {len(seqs)}"),
            Finding("every prekey is new", bool(ids) and not ids & before, f"{len(before)} before, {len(ids)} after"),
            Finding("every grant key is new", len(set(checks)) == len(checks) > 1, f"{len(checks)} hand-outs"),
            Finding("every message is in the log once", len(messages) == 3, f"{len(messages)} of 3"),
            Finding("what the backup held is here, and what came since", held == 2, f"{held} messages"),
        ]

    async def _own(self) -> list[UnverifiedEntry]:
        found = []
        for origin in self.fw.relay_service.logs:
            if origin.endswith(f"/{CHANNEL}"):
                live = self.fw.relay_service.logs[origin]
                stored = self.fw.store.read(origin, 0, live.size, max_bytes=1 << 40)
                found += [UnverifiedEntry.parse(item.entry) async for item in stored]
        return [entry for entry in found if entry.header.member == MEMBER]
