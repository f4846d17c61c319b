"""Files through real processes: relay, sender and reader are killed in the middle, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import filecmp
import json
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cli_world import Founders
from relay_process import DURABLE, LABEL, PATIENCE, Process, folder_of, home_of, serving, started

from rsc_share import Node, Unlock
from rsc_share.crypto.blobs import CHUNK
from rsc_share.log.merkle import HASH_SIZE
from rsc_share.node.received import PART_FILE
from rsc_share.relay.store.file_blobs import LEAVES, UPLOADS

CHANNEL = "counter-terrorism"


async def until(holds: Callable[[], bool]) -> None:
    """Polled: what is waited for is another process's file."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def killed(process: Process) -> None:
    process.signal(signal.SIGKILL)
    assert (await process.end(parse=False))[0] == -signal.SIGKILL


def durable(folder: Path) -> int:
    """Chunks of the upload that the relay's disk has."""
    return sum(path.stat().st_size // HASH_SIZE for path in (folder / "store/blobs" / UPLOADS).glob(f"*{LEAVES}"))


def whole(folder: Path) -> bool:
    return any((folder / "store/blobs").glob("??/*"))


def rss(process: Process, key: str = "VmRSS") -> int:
    """KiB of memory that a process has, or has had at most (`VmHWM`)."""
    lines = Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def same(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)


def saved(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"*/*{PART_FILE}"))


@pytest.mark.parametrize(
    ("chunks", "rate"), [(20, 8), pytest.param(200, 60, marks=pytest.mark.slow)], ids=["20 MiB", "200 MiB"]
)
async def test_a_file_survives_the_death_of_relay_sender_and_reader(
    founders: Founders, tmp_path: Path, chunks: int, rate: int
) -> None:
    slow = {"sessions_per_member = 16": f"sessions_per_member = 16\nblob_bytes_per_second = {rate << 20}"}
    folder = folder_of(founders, tmp_path, **DURABLE, **slow)
    config, source, body = folder / "relay.toml", tmp_path / "film.bin", tmp_path / "body.json"
    with source.open("wb") as file:
        for number in range(chunks):
            file.write(bytes([number % 251]) * CHUNK)
        file.write(b"the end")
    body.write_text('{"title": "with a film", "text": []}')
    unlock, memory = founders.unlock(), dict[int, int]()
    async with AsyncExitStack() as stack:
        async with serving(folder, founders) as (relay, port, _):
            config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"'))
            homes = {code: home_of(founders, tmp_path, code, port) for code in ("EST", "FIN", "LVA", "SWE")}
            for code in ("LVA", "SWE"):
                await stack.enter_async_context(Node.open(homes[code], unlock=Unlock.file(founders.secret)))
            sender = await stack.enter_async_context(started("node", "run", homes["EST"], *unlock))
            reader = await stack.enter_async_context(started("node", "run", homes["FIN"], *unlock))
            await asyncio.gather(sender.event("running"), reader.event("running"))
            options = ("--channel", CHANNEL, "--label", LABEL, "--type", "threat/assessment/1", "--body", body)
            async with started("node", "publish", homes["EST"], *options, "--attach", source, "--json") as command:
                code, err = await command.end(parse=False)
                assert code == 0, err
            await until(lambda: durable(folder) >= 8)
            await killed(relay)
            held = durable(folder)
            assert 8 <= held < chunks
        relay = await stack.enter_async_context(started("relay", "run", config))
        await relay.event("serving")
        memory[relay.process.pid] = rss(relay)
        assert durable(folder) >= held or whole(folder), "what was durable is there after the kill"
        await until(lambda: durable(folder) > held or whole(folder))
        await killed(sender)
        sender = await stack.enter_async_context(started("node", "run", homes["EST"], *unlock))
        await sender.event("running")
        memory[sender.process.pid] = rss(sender)
        listen = ("node", "listen", homes["FIN"], "--channel", CHANNEL, "--save", tmp_path / "in", "--count", "1")
        async with started(*listen) as listening:
            await until(lambda: saved(tmp_path / "in") >= 4 * CHUNK)
            await killed(reader)
            code, err = await listening.end(parse=False)
            assert code == 69
            assert "has stopped" in err
        kept = saved(tmp_path / "in")
        assert kept >= 4 * CHUNK
        reader = await stack.enter_async_context(started("node", "run", homes["FIN"], *unlock))
        await reader.event("running")
        memory[reader.process.pid] = rss(reader)
        async with started(*listen) as listening:
            assert listening.process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                message = json.loads(await listening.process.stdout.readline())
            assert (await listening.end(parse=False))[0] == 0
        (found,) = message["attachments"]
        assert (found["name"], found["size"]) == ("film.bin", source.stat().st_size)
        assert same(source, Path(found["path"]))
        for process in (relay, sender, reader):
            idle, most = memory[process.process.pid], rss(process, "VmHWM")
            assert most - idle < 64 << 10, (idle, most)
        assert saved(tmp_path / "in") == 0
        async with started("relay", "check", config, "--json") as checking:
            assert (await checking.end(parse=False))[0] == 0
        sender.signal(signal.SIGTERM)
        assert await sender.end() == (0, ""), "its log is JSON on stdout, and nothing else is said"
        assert [event["event"] for event in sender.events][-2:] == ["asked to stop", "stopped"]
