"""An old copy of the relay's store, an old copy of a node's state, and a second copy of a node, over the network."""

from __future__ import annotations

import asyncio
import copy
import shutil
import signal
from pathlib import Path

import pytest
from cli_world import Founders
from fault_child import Child
from fault_oracle import DIRECTORY, LOG, in_order, keys_reused, logs_of, trees, wrong
from fault_world import CODES, World, copied, world

from rsc_share.envelope.entry import UnverifiedEntry

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

RATES = {"EST": 20}


CLONE = "clone"


async def stopped(made: World, who: str) -> None:
    made.children[who].signal(signal.SIGTERM)
    await made.children[who].ended()


async def test_an_old_copy_of_the_relay_behind_unwitnessed_entries_never_forks(
    founders: Founders, tmp_path: Path
) -> None:
    """Receipts were given and entries delivered, and too few witnesses were there to cosign them. Then a copy from
    before that takes the place of the store: alone, with the outside heads lost, and with the heads of that day."""
    store, heads = tmp_path / "relay/store", tmp_path / "relay/store.heads"
    backup, live = tmp_path / "backup", tmp_path / "live"
    async with world(founders, tmp_path, "relay backup", RATES) as made:
        await stopped(made, "relay")
        for folder in (store, heads):
            copied(folder, backup / folder.name)
        await made.start_relay()
        await made.until(lambda: sessions(made) >= 2 * len(CODES), "all back")
        begun = len(made.heard["EST"].receipts)
        await made.until(lambda: len(made.heard["EST"].receipts) > begun, "enough have said what they were shown")
        for code in ("LVA", "SWE"):  # two are left: not enough to witness anything
            await made.kill(code)
        known, read = len(made.heard["EST"].receipts), len(made.heard["FIN"].done)
        await made.until(lambda: len(made.heard["EST"].receipts) > known + 20, "more receipts")
        await made.until(lambda: len(made.heard["FIN"].done) > read + 20, "more deliveries")
        await made.kill("relay")
        for folder in (store, heads):
            shutil.move(folder, live / folder.name)
        receipts = {code: dict(made.heard[code].receipts) for code in CODES}

        copied(backup / store.name, store)
        copied(live / heads.name, heads)
        assert "rolled-back" in await not_started(made)
        shutil.rmtree(heads)
        assert "no-outside-head" in await not_started(made)
        await made.start_relay("--restored")
        await gives_up(made)
        assert "rolled-back" in await not_started(made, "--restored"), "what was proved once is remembered"

        copied(backup / heads.name, heads)
        await made.start_relay()
        for code in ("LVA", "SWE"):  # they have seen nothing that is missing, and are not enough
            await made.restart(code)
        await gives_up(made)
        assert {code: made.heard[code].receipts for code in CODES} == receipts, "it has admitted nothing"
        before, after = await logs_of(backup / store.name), await logs_of(store)
        assert after[LOG] == before[LOG], "nor signed any entry over another"

        for folder in (store, heads):
            shutil.rmtree(folder)
            shutil.move(live / folder.name, folder)
        assert trees(made, await logs_of(store)) == [], "all that anybody was shown is in the true log"
        await made.start_relay()
        await made.some(40)
        await made.wind_up()
        found = await wrong(made)
        # The nodes noticed: the relay they were shown was behind what they had read.
        assert [what for what in found if "out-of-range" not in what and "went back" not in what] == []


def sessions(made: World) -> int:
    return sum(event["event"] == "session open" for event in made.log)


async def not_started(made: World, *more: str) -> str:
    """What the relay says that does not start."""
    said = len((made.folder / "relay.err").read_text())
    command = [*made.program, "relay", "run", str(made.relay_folder / "relay.toml"), *more]
    child = await Child.started(command, lambda line: None, made.folder / "relay.err")
    assert await child.ended() == 74
    return (made.folder / "relay.err").read_text()[said:]


async def gives_up(made: World) -> None:
    """A node shows it what it has signed: it stops, whoever else vouches for it."""
    assert await made.children["relay"].ended() == 74
    (stopped_with,) = [event["code"] for event in made.log[-3:] if event["event"] == "stopped"]
    assert stopped_with == "rolled-back"


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


@pytest.mark.parametrize("together", [False, True])
async def test_a_node_that_runs_twice_is_caught_and_no_number_is_logged_twice(
    founders: Founders, tmp_path: Path, together: bool
) -> None:
    """Everything of it copied, keys too, and both started: one beside the other that runs, or both at once. They sign
    two headers for one number: nothing can keep them from that. Only one of the two is ever logged."""
    async with world(founders, tmp_path, f"clone {together}", RATES) as made:
        await made.kill("EST")
        original, clone = made.heard["EST"], copy.deepcopy(made.heard["EST"])
        made.heard[CLONE], made.rates[CLONE] = clone, made.rates["EST"]
        copied(made.homes["EST"], tmp_path / "clone")
        made.homes[CLONE] = tmp_path / "clone"
        if not together:
            await made.start_node("EST")
            await made.some(20)
        await asyncio.gather(*(made.start_node(who, opened=False) for who in ("EST", CLONE)[1 - together :]))
        await made.until(lambda: bool(original.stopped or clone.stopped), "caught by itself")
        await made.until(lambda: told(made) or bool(original.stopped and clone.stopped), "and by the relay, or both")
        assert set(original.stopped + clone.stopped) <= {"cloned", "rolled-back"}
        for who in ("EST", CLONE):
            await made.kill(who)
            made.heard[who].stopped.clear()
        if not proofs(made):  # the relay shut both out before either had read the other; one is started again
            known = len(original.receipts)
            await made.start_node("EST", opened=False)
            await made.until(lambda: len(original.receipts) > known or bool(proofs(made)), "goes on, or knows")
            await made.kill("EST")
        if not proofs(made):  # and then the other one
            await made.start_node(CLONE, opened=False)
            await made.until(lambda: bool(proofs(made)), "proved with an entry")
        for who in ("EST", CLONE):
            await made.kill(who)
        for who in proofs(made):
            made.heard[who].stopped.clear()
            await made.start_node(who, opened=False)
            await made.until(lambda who=who: bool(made.heard[who].stopped), "a start changes nothing about that")
        await made.kill("relay")
        logs = await logs_of(made.relay_folder / "store")
        entries = [UnverifiedEntry.parse(raw) for raw in logs[LOG]]
        assert in_order(entries) == [], "each number once, and each message once"
        assert keys_reused(entries, logs[DIRECTORY]) == []
        assert trees(made, logs) == [], "nobody was shown a fork"
        mine = {entry.header.seq: entry for entry in entries if entry.header.sender == "EST/mod-1"}
        for (log, seq), hashes in {**original.signed, **clone.signed}.items():
            both = original.signed[log, seq] | clone.signed[log, seq] | hashes
            if log == LOG and seq in mine:
                assert mine[seq].signed.header_hash.hex() in both, "logged is what one of them signed"
        for heard in (original, clone):
            for n, (seq, index) in heard.receipts.items():
                assert (entries[index].header.sender, entries[index].header.seq) == ("EST/mod-1", seq), n
                assert entries[index].signed.header_hash.hex() in heard.signed[LOG, seq], "a receipt for its own bytes"


def proofs(made: World) -> list[str]:
    """Which of the two hold an entry of theirs that they did not write, and will never sign again."""
    return [who for who in ("EST", CLONE) if any((made.homes[who] / "evidence").iterdir())]


def told(made: World) -> bool:
    """Whether the relay has said that a node runs twice."""
    return any(event.get("code") == "cloned" for event in made.log)
