"""The file that is given away on a full disk: when it is made, and what a store on a full disk does with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_conformance import LOG, batch, body, stored
from store_crashes import Disk

from rsc_share.relay.net.front import SparedStore
from rsc_share.relay.store.ballast import FILE, Ballast
from rsc_share.relay.store.protocol import Erased, Full
from rsc_share.relay.store.sqlite import SqliteStore

MIB = 1 << 20


class Told:
    """What a file system says of itself."""

    f_frsize = f_blocks = 1_000

    def __init__(self, free: int) -> None:
        self.f_bavail = free


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the thousandths of a disk of a million bytes that are free."""
    return lambda count: monkeypatch.setattr(os, "statvfs", lambda _: Told(count))


def test_it_takes_the_room_it_says_and_no_more(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(1_000)
    ballast = Ballast(tmp_path, 200_000)
    assert ballast.fill()
    state = (tmp_path / FILE).stat()
    assert (ballast.held, state.st_size, state.st_mode & 0o777) == (200_000, 200_000, 0o600)
    assert state.st_blocks * 512 >= 200_000, "a file with a hole in it keeps no room"
    assert Ballast(tmp_path, 100_000).fill()
    assert (tmp_path / FILE).stat().st_size == 100_000
    assert Ballast(tmp_path, 0).fill()
    assert not (tmp_path / FILE).exists()


def test_it_never_makes_a_disk_short(tmp_path: Path, free: Callable[[int], None]) -> None:
    ballast = Ballast(tmp_path, 200_000)
    free(349)
    assert not ballast.fill()
    assert not (tmp_path / FILE).exists()
    free(350)
    assert ballast.fill()
    free(0)
    assert ballast.fill(), "it is there already"


def test_half_of_one_is_completed(tmp_path: Path, free: Callable[[int], None]) -> None:
    """A crash while it was made."""
    free(1_000)
    (tmp_path / FILE).write_bytes(bytes(70_000))
    ballast = Ballast(tmp_path, 200_000)
    assert ballast.fill()
    assert ballast.held == 200_000


def test_it_is_given_away_once(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(1_000)
    ballast = Ballast(tmp_path, 200_000)
    assert ballast.release() == 0
    ballast.fill()
    assert ballast.release() == 200_000
    assert ballast.release() == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 24 MiB."""
    made = Disk(tmp_path, 24)
    made.make()
    yield made.at
    made.unmount()


def fill_up(at: Path) -> None:
    """Until nothing more can be written, as somebody else's files would."""
    with (at / "others").open("wb", buffering=0) as file:
        for size in (MIB, 4_096, 512):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError as error:
                assert "No space" in str(error)  # noqa: PT017 - the disk's own word
        os.fsync(file.fileno())


async def test_on_a_full_disk_an_erasure_is_done_with_the_ballast_and_not_without(disk: Path) -> None:
    folder = disk / "store"
    store = SqliteStore.open(folder)
    try:
        ballast = Ballast(folder, 4 * MIB)
        assert ballast.fill()
        writer = await store.acquire(LOG)
        large = body(os.urandom(300_000), 0)
        writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=large))
        fill_up(disk)
        with pytest.raises(Full):
            await store.append(writer, batch(writer.head, [stored(1)], bodies=body(os.urandom(600_000), 1)))
        with pytest.raises(Full):
            await store.erase(LOG, list(large), "recall")
        freed = []

        assert await SparedStore(store, lambda: freed.append(ballast.release())).erase(LOG, list(large), "recall") == 1
        assert freed == [4 * MIB]
        assert all(isinstance(found, Erased) for found in (await store.bodies(LOG, list(large))).values())
        assert store.failure is None
    finally:
        await store.aclose()


async def test_without_a_ballast_left_the_error_is_the_stores() -> None:
    class Always:
        async def erase(self, *_: object) -> int:
            raise Full("no space")

        keep_note = erase

    asked = []
    store = SparedStore(Always(), lambda: asked.append(1))
    with pytest.raises(Full):
        await store.erase(LOG, [], "recall")
    with pytest.raises(Full):
        await store.keep_note(LOG, None)
    assert len(asked) == 2
