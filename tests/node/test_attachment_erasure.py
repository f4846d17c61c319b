"""Blobs that go: recalled, expired, or erased by a relay that died in between. No reader gets them, no audit minds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attachments_world import LARGE, MAIN, made, named_blob, publish, received, whole

from rsc_share import Refused
from rsc_share.charter.parameters import Parameters
from rsc_share.errors import StorageError
from rsc_share.relay.blobs import NAMED_WITHIN, Blobs
from rsc_share.relay.live import State
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.protocol import Erased
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST

LAG = Parameters().lag


async def test_a_recalled_blob_is_gone(fw: Framework, tmp_path: Path) -> None:
    sent = await publish(fw, made(tmp_path / "a", LARGE))
    receipt = await sent.receipt()
    await fw.settle()
    message = await received(fw.node("LVA"))
    owner, digest = named_blob(fw)
    await (await fw.node("EST").channel("main").recall(receipt.reference, reason="wrong map")).receipt()
    await fw.settle()
    assert fw.relay_service.blobs is not None
    assert await fw.relay_service.blobs.store.size(owner, digest) is None
    with pytest.raises(Refused) as caught:
        await whole(message)
    assert caught.value.code == "body-missing"
    assert not (await fw.audit()).findings


async def test_an_expired_blob_is_not_read(fw: Framework, tmp_path: Path) -> None:
    ends = datetime.fromtimestamp(fw.clock.now / 1000, UTC) + timedelta(minutes=5)
    await (await publish(fw, made(tmp_path / "a", LARGE), expires_at=ends)).receipt()
    await fw.settle()
    message = await received(fw.node("LVA"))
    assert await whole(message)
    fw.clock.advance(seconds=301)
    with pytest.raises(Refused, match="expired"):
        await whole(message)


async def swept(fw: Framework) -> int:
    blobs = fw.relay_service.blobs
    assert blobs is not None
    return await blobs.sweep(fw.relay_service.logs, LAG, at_once=True)


async def expiring(fw: Framework, tmp_path: Path) -> tuple[str, bytes, list[tuple[str, int]]]:
    """Owner and digest of a blob whose message has five minutes, and what the relay tells of blobs that go."""
    ends = datetime.fromtimestamp(fw.clock.now / 1000, UTC) + timedelta(minutes=5)
    await (await publish(fw, made(tmp_path / "a", LARGE), expires_at=ends)).receipt()
    await fw.settle()
    told: list[tuple[str, int]] = []
    assert fw.relay_service.blobs is not None
    fw.relay_service.blobs.told = lambda why, size: told.append((why, size))
    return *named_blob(fw), told


async def test_an_expired_blob_is_deleted_and_an_audit_finds_that_in_order(fw: Framework, tmp_path: Path) -> None:
    owner, digest, told = await expiring(fw, tmp_path)
    blobs = fw.relay_service.blobs
    assert blobs is not None
    fw.clock.advance(seconds=299 + LAG // 1000)
    await fw.settle()
    assert await swept(fw) == 0
    fw.clock.advance(seconds=2)
    assert await swept(fw) == 0, "no witnessed tree is later yet: an auditor could not see that it may be gone"
    await publish(fw, made(tmp_path / "b", 10))  # something to cosign
    await fw.settle()
    assert await swept(fw) == 0, "nor is the directory's"
    fw.clock.advance(seconds=LAG / 4000)
    await fw.settle()
    assert await swept(fw) == 1
    assert await blobs.store.size(owner, digest) is None
    assert [why for why, _ in told] == ["expired"]
    assert blobs.held_now().whole == 0
    row = (await fw.relay_service.logs[MAIN].store.bodies(MAIN, [digest]))[digest]
    assert isinstance(row, Erased)
    assert row.reason == "expired"
    assert await swept(fw) == 0
    report = await fw.audit()
    assert not report.findings
    assert not [found for found in report.observations if found.code == "blobs-apart"], "it is gone, not apart"


async def test_a_crash_between_the_row_and_the_file_of_an_expired_blob_leaves_nothing(
    fw: Framework, tmp_path: Path
) -> None:
    owner, digest, _ = await expiring(fw, tmp_path)
    blobs = fw.relay_service.blobs
    assert blobs is not None
    fw.clock.advance(seconds=301 + LAG // 1000)
    await fw.settle()

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(kept, name)

        async def delete(self, owner: str, digest: bytes) -> bool:
            raise StorageError("the power is off", code="io-error")

    kept, blobs.store = blobs.store, Dying()  # type: ignore[assignment]
    with pytest.raises(StorageError):
        await swept(fw)
    blobs.store = kept
    assert await kept.size(owner, digest) is not None
    fw.clock.advance(seconds=NAMED_WITHIN + 1)
    assert await swept(fw) == 1
    assert await kept.size(owner, digest) is None


async def test_a_blob_whose_message_does_not_expire_stays(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    owner, digest = named_blob(fw)
    fw.clock.advance(seconds=40 * 24 * 3600)
    await fw.settle()
    assert await swept(fw) == 0
    assert fw.relay_service.blobs is not None
    assert await fw.relay_service.blobs.store.size(owner, digest) is not None


async def test_a_relay_that_died_before_it_erased_a_blob_erases_it_at_its_next_start(
    fw: Framework, tmp_path: Path
) -> None:
    receipt = await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    owner, digest = named_blob(fw)
    blobs = fw.relay_service.blobs
    assert blobs is not None

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(kept, name)

        async def delete(self, owner: str, digest: bytes) -> bool:
            raise StorageError("the power is off", code="io-error")

    kept, blobs.store = blobs.store, Failing()  # type: ignore[assignment]
    await fw.node("EST").channel("main").recall(receipt.reference, reason="wrong map")
    await fw.settle()
    assert fw.relay_service.logs[MAIN].state is State.STOPPED
    assert await kept.size(owner, digest) is not None
    again = Blobs(kept, fw.clock, lambda: 1.0)
    keys = LogKeys(*fw.founded.log_keys)
    async with await Relay.open(
        fw.store, host=HOST, framework_id=fw.founded.framework_id, keys=keys, clock=fw.clock, blobs=again
    ):
        assert await kept.size(owner, digest) is None
