"""Killed, cut off, out of space, out of luck: nothing a store acknowledged is lost, doubled or reordered.

Acknowledgements are written down here, outside the process that dies. Each test has a short form for every run and a
long one, marked slow, for `make faults`.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from store_crashes import (
    Acknowledged,
    Disk,
    Victim,
    end_victims,
    faults,
    needs_tracer,
    seeded,
    sound,
    store_files,
    tracing,
)
from store_victim import BROKEN, LOGS

from rsc_share.errors import StorageError
from rsc_share.relay.store.check import check
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.sqlite import SqliteStore

SHORT, LONG = 5, 50


def rounds(short: int = SHORT, long: int = LONG):
    return pytest.mark.parametrize("count", [short, pytest.param(long, marks=pytest.mark.slow)])


@pytest.fixture(autouse=True)
def no_victim_outlives_its_test():
    yield
    end_victims()


def series(under: Path, count: int):
    """Rounds of crashes on one store; a new one after every ten, because each round reads all there is."""
    for round_ in range(count):
        if round_ % 10 == 0:
            folder, said = under / f"store {round_ // 10}", Acknowledged()
        yield round_, folder, said


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path, 384)
    made.make()
    yield made
    made.unmount()


@rounds()
def test_killed_at_any_moment(tmp_path, count):
    for round_, folder, said in series(tmp_path, count):
        victim = Victim(folder, said)
        victim.hear(seeded("kill", round_).randint(1, 60))
        victim.kill()
        sound(folder, said)
    assert said.appends
    assert said.erased


@rounds()
def test_killed_inside_a_sync(tmp_path, count):
    """Row 4 of the crash table: frames are written, and readable, and not synced."""
    needs_tracer()
    for round_, folder, said in series(tmp_path, count):
        nth = seeded("sync", round_).randint(1, 60)
        Victim(folder, said, before=tracing(f"fdatasync:signal=KILL:when={nth}")).end()
        sound(folder, said)
    assert said.appends


@rounds()
def test_killed_while_the_log_is_copied_into_the_database(tmp_path, count):
    """Row 11: half of a checkpoint. Row 12: an erasure whose text is still in front of the database."""
    needs_tracer()
    for round_, folder, said in series(tmp_path, count):
        nth = seeded("checkpoint", round_).randint(1, 900)
        fault = tracing(f"pwrite64:signal=KILL:when={nth}", folder / FILE)
        Victim(folder, said, before=fault).end()
        sound(folder, said)
    assert said.appends


@rounds()
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_an_io_error_ends_the_store_until_it_is_checked(tmp_path, count, call):
    """Row 4e: after EIO nobody knows what is on the disk; nothing more is written, answered or begun."""
    needs_tracer()
    ended = 0
    for round_, folder, said in series(tmp_path, count):
        if not folder.exists():
            assert Victim(folder, said, turns=3).end() == 0
        nth = seeded(call, round_).randint(1, 150 if call == "pwrite64" else 40)
        # From the n-th on: a disk that fails does not get well again.
        fault = tracing(f"{call}:error=EIO:when={nth}+", *store_files(folder))
        victim = Victim(folder, said, turns=60, before=fault)
        assert victim.end() == BROKEN, victim.errors
        with pytest.raises(StorageError, match="check") as refused:
            SqliteStore.open(folder)
        assert refused.value.code == "unchecked"
        done = check(folder)
        assert (done.findings, done.released) == ((), True)
        sound(folder, said)
        ended += 1
    assert ended == count


@rounds()
def test_no_space_at_any_write_is_a_clean_refusal(tmp_path, count):
    """Row 4f: rolled back, sound, and going on with what fits."""
    needs_tracer()
    for round_, folder, said in series(tmp_path, count):
        nth = seeded("space", round_).randint(1, 200)
        fault = tracing(f"pwrite64:error=ENOSPC:when={nth}..{nth + 40}", *store_files(folder))
        victim = Victim(folder, said, turns=15, before=fault)
        # A disk that is full at a start is no store to begin with; later it is weather.
        assert victim.end() == 0 or "code='full'" in victim.errors, victim.errors
        sound(folder, said)
    assert said.full
    assert said.appends


def test_a_disk_that_really_fills_up(tmp_path):
    """A small file system in memory: refusals at its end, small batches as far as they fit, and no damage.

    Nothing is erased here: an erasure is done only when the log before the database is cut, and waits for space."""
    at = tmp_path / "small"
    at.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(at)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        said = Acknowledged()
        victim = Victim(at / "store", said, turns=60, erasing=False)
        assert victim.end() == 0, victim.errors
        assert said.full
        subprocess.run(["mount", "-o", "remount,size=64m", str(at)], check=True)
        sound(at / "store", said)
        before = said.appends
        assert Victim(at / "store", said, turns=3).end() == 0
        assert said.appends == before + 3 * len(LOGS)
        sound(at / "store", said)
    finally:
        subprocess.run(["umount", str(at)], check=True)


@rounds(5, 20)
async def test_power_cuts_lose_nothing_acknowledged(disk, count):
    said = Acknowledged()
    victim = Victim(disk.at / "store", said)
    for round_ in range(count):
        victim.hear(seeded("power", round_).randint(1, 40))
        victim.stopped()
        with disk.cut() as left:
            assert await faults(left / "store", said) == []
            assert check(left / "store").findings == ()
        victim.process.send_signal(signal.SIGCONT)
    victim.kill()
    assert said.appends > count


async def test_without_syncs_a_power_cut_loses_what_was_acknowledged(disk):
    """The same test with durability given away: if this one passed, the one above would prove nothing."""
    said = Acknowledged()
    victim = Victim(disk.at / "store", said, synchronous="OFF")
    victim.hear(20)
    victim.stopped()
    with disk.cut() as left:
        lost = await faults(left / "store", said) if (left / "store").is_dir() else ["everything"]
    victim.kill()
    assert lost


@rounds()
async def test_what_a_restart_believes_survives_a_power_cut(disk, count):
    """C1: killed inside a sync, the next process reads what was never synced. It must sync before it says so."""
    needs_tracer()
    for round_, folder, said in series(disk.at, count):
        lost = await _lost_after_a_restart(disk, folder, said, seeded("c1", round_).randint(12, 40))
        assert lost == []


async def test_a_restart_that_only_reads_believes_what_a_power_cut_takes(disk, monkeypatch):
    """The same without the write a start begins with: if this one passed, the one above would prove nothing."""
    needs_tracer()
    monkeypatch.setattr("rsc_share.relay.store.sqlite.begin", lambda db: None)
    monkeypatch.setattr("rsc_share.relay.store.sqlite._cut_surely", lambda db: None)
    said, lost = Acknowledged(), []
    for round_ in range(8):
        nth = seeded("c1", round_).randint(12, 40)
        lost += await _lost_after_a_restart(disk, disk.at / f"store {round_}", said, nth)
        said = Acknowledged()
    assert lost


async def _lost_after_a_restart(disk: Disk, folder: Path, said: Acknowledged, nth: int) -> list[str]:
    """Kill a victim at its n-th sync, open what it left, cut the power: what of what was seen then is not there."""
    Victim(folder, said, before=tracing(f"fdatasync:signal=KILL:when={nth}")).end()
    store = SqliteStore.open(folder)
    believed = Acknowledged({log: head.size for log, head in (await store.logs()).items()})
    with disk.cut() as left:
        lost = await faults(left / folder.name, believed) + await faults(left / folder.name, said)
    await store.aclose()
    return lost
