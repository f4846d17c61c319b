"""`rsc-share node run|backup|restore` and `rsc-share drill node`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from io import StringIO
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share.cli import node_talk
from rsc_share.cli.frame import outcome
from rsc_share.cli.json_log import JsonLog
from rsc_share.cli.main import main
from rsc_share.cli.node_state import Given
from rsc_share.errors import StorageError


async def run(*arguments: str) -> int:
    """A command, in a thread of its own: this one's loop is the node's."""
    return await asyncio.to_thread(main, arguments)


async def test_backup_and_restore_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.fw.node("LVA").channel("main").publish(indicator("kept"), label=GREEN)
        await bench.fw.settle()
        await bench.close()
        unlock, file = ["--unlock-file", str(tmp_path / "unlock")], str(tmp_path / "b")
        assert await run("node", "backup", str(bench.path), "--out", file, *unlock, "--json") == 0
        assert json.loads(capsys.readouterr().out)["rows"] > 0
        assert await run("node", "backup", str(bench.path), "--out", file, *unlock) == 2
        assert "never overwritten" in capsys.readouterr().err
        assert await run("node", "restore", file, str(bench.path), *unlock) == 2
        assert "not empty" in capsys.readouterr().err
        shutil.rmtree(bench.path)
        assert await run("node", "restore", file, str(bench.path), *unlock) == 0
        assert "new instance" in capsys.readouterr().out
        bench.fw.clock.advance(seconds=601)
        assert patterns(await bench.started()) == ["kept"]


async def test_run_stops_at_sigterm_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        out = StringIO()
        running = asyncio.create_task(node_talk._run(bench.path, Given(b"not a secret"), JsonLog(out)))
        while not (bench.path / "socket").exists():
            await asyncio.sleep(0)
            assert not running.done(), running
        assert await run("node", "backup", str(bench.path), "--out", str(tmp_path / "b")) == 0
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 10)
        assert not (bench.path / "socket").exists()
        assert (tmp_path / "b").exists()
        said = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [line["event"] for line in said] == ["running", "relay answers", "asked to stop", "stopped"]
        assert (said[0]["node"], said[2]["why"]) == ("EST/mod-1", "SIGTERM")
        await bench.started()  # the lock was given back
        capsys.readouterr()


class Gone(StringIO):
    """A log whose reader is gone once it has read that the node runs."""

    def write(self, text: str) -> int:
        if "running" in self.getvalue():
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


async def test_run_stops_at_sigterm_where_nobody_takes_its_log(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        out = Gone()
        running = asyncio.create_task(node_talk._run(bench.path, Given(b"not a secret"), JsonLog(out)))
        while "running" not in out.getvalue():
            await asyncio.sleep(0)
            assert not running.done(), running
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(BrokenPipeError):  # its last line has no reader, which the command line says
            await asyncio.wait_for(running, 10)
        assert not (bench.path / "socket").exists()


async def test_a_restore_with_a_wrong_passphrase_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        unlock, file, new = ["--unlock-file", str(tmp_path / "unlock")], str(tmp_path / "b"), tmp_path / "new"
        assert await run("node", "backup", str(bench.path), "--out", file, *unlock) == 0
        (tmp_path / "wrong").write_text("something else\n")
        for _ in range(2):
            assert await run("node", "restore", file, str(new), "--unlock-file", str(tmp_path / "wrong")) == 2
            assert "[wrong-passphrase]" in capsys.readouterr().err
            assert not new.exists()
        new.mkdir()  # one that was there stays, empty as it was
        assert await run("node", "restore", file, str(new), "--unlock-file", str(tmp_path / "wrong")) == 2
        assert list(new.iterdir()) == []
        assert await run("node", "restore", file, str(new), *unlock) == 0


@pytest.mark.parametrize("begin", [0, 4_096, 8_192])
async def test_a_store_that_was_overwritten_is_code_74_and_no_bug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], begin: int
) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        store = bench.path / "state/store.db"
        data = store.read_bytes()
        store.write_bytes(data[:begin] + b"\xa5" * (len(data) - begin))  # behind the header it opens, and is read later
        (store.parent / "store.db-wal").unlink(missing_ok=True)
        with pytest.raises(StorageError) as refused:
            await node_talk._run(bench.path, Given(b"not a secret"), JsonLog(StringIO()))
        code, line = outcome(refused.value)
        assert code == 74
        assert "[damaged-state]" in line
        assert "; now: run `rsc-share node restore`" in line
        unlock = ["--unlock-file", str(tmp_path / "unlock")]
        assert await run("node", "backup", str(bench.path), "--out", str(tmp_path / "b"), *unlock) == 74
        assert "[damaged-state]" in capsys.readouterr().err
        assert not (tmp_path / "b").exists()


async def test_an_old_copy_is_one_line_and_code_74(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        node = await bench.started()
        await node.channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        with pytest.raises(StorageError) as refused:
            await node_talk._run(bench.path, Given(b"not a secret"), JsonLog(StringIO()))
        code, line = outcome(refused.value)
        assert code == 74
        assert "old copy" in line
        assert "; now: stop every copy" in line
        assert "\n" not in line


def test_the_drill_as_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["drill", "node", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["good"]
    assert len(found["findings"]) == 7
    (tmp_path / "there").mkdir()
    assert main(["drill", "node", "--keep", str(tmp_path / "there")]) == 2
