"""An old copy of the relay's store, an old copy of a node's state, and a second copy of a node, over the network."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from cli_world import Founders
from fault_oracle import LOG, logs_of, trees, wrong
from fault_world import CODES, World, copied, world

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

RATES = {"EST": 20}


async def ask(made: World, path: str) -> str:
    """What the relay says on its health port."""

    def get() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", made.health, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(get)


async def witnessed(made: World) -> int:
    """Entries that k members have cosigned; the relay tells none before the first of them since its start."""
    name = f'rsc_witnessed_size{{log="{LOG}"}} '
    return int(float((await ask(made, "/metrics")).partition(name)[2].split("\n")[0] or 0))


async def more_witnessed(made: World, size: int) -> None:
    """What was not, anybody may lose with a backup: it is what `witnessed` says, and `logged` does not."""
    while await witnessed(made) <= size:
        await made.some(5)


def copy_of(folder: Path, tmp_path: Path) -> Path:
    """To look into: opening a store writes to it."""
    copied(folder, tmp_path / "looked-at")
    return tmp_path / "looked-at"


async def stopped(made: World, who: str) -> None:
    made.children[who].signal(signal.SIGTERM)
    await made.children[who].ended()


async def test_an_old_copy_of_the_relays_store_signs_no_second_tree(founders: Founders, tmp_path: Path) -> None:
    """A backup put in place of the live store: nobody vouches for it, it takes nothing, and its log is no fork."""
    store, backup, live = tmp_path / "relay/store", tmp_path / "backup", tmp_path / "live"
    async with world(founders, tmp_path, "relay backup", RATES) as made:
        await stopped(made, "relay")
        copied(store, backup)
        await made.start_relay()
        await more_witnessed(made, len((await logs_of(copy_of(backup, tmp_path)))[LOG]))
        await stopped(made, "relay")
        shutil.move(store, live)
        copied(backup, store)
        opened = len(made.log)
        await made.start_relay()
        receipts, events = {code: len(made.heard[code].receipts) for code in CODES}, "session open"
        await made.until(lambda: sum(e["event"] == events for e in made.log[opened:]) >= len(CODES), "all back")
        await made.some(20)  # EST goes on publishing: all of that waits
        assert json.loads(await ask(made, "/readyz"))["logs"][LOG] in ("recovering", "stopped")
        assert {code: len(made.heard[code].receipts) for code in CODES} == receipts
        await made.kill("relay")
        before, after = await logs_of(backup), await logs_of(store)
        assert after[LOG] == before[LOG], "it has taken nothing"
        shutil.rmtree(store)
        shutil.move(live, store)
        assert trees(made, await logs_of(store)) == [], "and shown nothing that is not in the true log"
        await made.start_relay()
        await made.some(40)
        await made.wind_up()
        found = await wrong(made)
        # The nodes noticed: the relay they were shown was behind what they had read.
        assert [what for what in found if "out-of-range" not in what and "went back" not in what] == []


async def test_an_old_copy_of_a_nodes_state_signs_nothing(founders: Founders, tmp_path: Path) -> None:
    async with world(founders, tmp_path, "node copy", RATES) as made:
        state, heard = made.homes["EST"] / "state", made.heard["EST"]
        await made.kill("EST")
        copied(state, tmp_path / "copy")
        await made.start_node("EST")
        await made.some(40)
        await made.kill("EST")
        live = tmp_path / "live"
        shutil.move(state, live)
        copied(tmp_path / "copy", state)
        signed = {key: set(hashes) for key, hashes in heard.signed.items()}
        await made.start_node("EST", opened=False)
        await made.until(lambda: bool(heard.stopped), "refused")
        assert heard.stopped == ["rolled-back"]
        assert await made.children["EST"].ended() == 74
        assert heard.signed == signed, "nothing left the old copy"
        (evidence,) = (made.homes["EST"] / "evidence").iterdir()
        assert evidence.name.endswith("rolled-back")
        shutil.rmtree(evidence)
        shutil.rmtree(state)
        shutil.move(live, state)
        await made.start_node("EST")
        await made.some(20)
        await made.wind_up()
        assert await wrong(made) == []


async def test_a_node_that_runs_twice_is_caught_and_forks_nothing(founders: Founders, tmp_path: Path) -> None:
    """Everything of it copied, keys too, and both started."""
    async with world(founders, tmp_path, "clone", RATES) as made:
        await made.kill("EST")
        heard, clone = made.heard["EST"], tmp_path / "clone"
        copied(made.homes["EST"], clone)
        original = made.homes["EST"]
        await made.start_node("EST")
        first = made.children["first"] = made.children["EST"]
        made.homes["EST"] = clone
        await made.start_node("EST", opened=False)
        second = made.children["EST"]
        await made.until(lambda: len(heard.stopped) >= 1, "caught")
        await made.until(lambda: any(e.get("code") == "cloned" for e in made.log) or len(heard.stopped) == 2, "told")
        for child in (first, second):
            await child.kill()
        made.homes["EST"] = original
        logged = {
            (entry.header.sender, entry.header.seq): entry.signed.header_hash.hex() for entry in await entries_of(made)
        }
        seqs = sorted(seq for sender, seq in logged if sender == "EST/mod-1")
        assert seqs == list(range(1, len(seqs) + 1))


async def entries_of(made: World) -> list[Any]:
    from rsc_share.envelope.entry import UnverifiedEntry

    await made.kill("relay")
    return [UnverifiedEntry.parse(raw) for raw in (await logs_of(made.relay_folder / "store"))[LOG]]
