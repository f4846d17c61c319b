"""A file on its way to the relay: what interrupts it, what goes on, and how much a relay takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attachments_world import GREEN, LARGE, MAIN, made, named_blob, publish, received, whole
from node_world import Bench

from rsc_share import Attachment, Draft, LocalError, Refused, Unavailable
from rsc_share.crypto.blobs import CHUNK, SEALED_CHUNK
from rsc_share.errors import RscError
from rsc_share.log.merkle import leaf_hash
from rsc_share.messages import Indicator
from rsc_share.relay.blobs import MAX_COMING, NAMED_WITHIN, BlobLimits
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import Wire


async def test_a_file_that_changed_after_it_was_published_does_not_go_out(fw: Framework, tmp_path: Path) -> None:
    path = made(tmp_path / "a", LARGE)
    fw.relay.cut_off("EST")
    sent = await publish(fw, path)
    with path.open("r+b") as file:
        file.seek(CHUNK)
        file.write(b"another")
    fw.relay.reconnect("EST")
    await fw.settle()
    with pytest.raises(LocalError) as caught:
        await sent.receipt()
    assert caught.value.code == "attachment-changed"
    assert not fw.relay_service.blobs.store._whole  # type: ignore[union-attr]


async def test_other_messages_pass_one_that_waits_for_its_file(fw: Framework, tmp_path: Path) -> None:
    class Full(Wire):
        async def blob_put(self, *_: Any) -> int:
            raise Unavailable("the disk is nearly full", code="no-space")

    node = fw.node("EST")
    honest = node.engine.ports[HOST]
    node.engine.ports = {HOST: Full(honest, "EST", fw.relay)}
    waiting = await publish(fw, made(tmp_path / "a", LARGE))
    flash = await node.channel("main").publish(Indicator(pattern="now", stix_id="i"), label=GREEN, precedence="FLASH")
    assert (await flash.receipt()).index
    assert not waiting.settled
    assert waiting.uploads == {"a": (0, LARGE)}
    await fw.settle()
    assert {alarm.code: alarm.fields["why"] for alarm in node.alarms} == {"attachment-waits": "no-space"}
    node.engine.ports = {HOST: honest}
    await fw.settle()
    await waiting.receipt()


async def test_an_upload_goes_on_where_it_broke_off(fw: Framework, tmp_path: Path) -> None:
    taken: list[int] = []

    class Breaking(Wire):
        async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
            if index == 2 and 2 not in taken:
                taken.append(2)
                raise Unavailable("cut", code="cut-off")
            taken.append(index)
            return await super().blob_put(log, digest, size, index, chunk)

    node = fw.node("EST")
    node.engine.ports = {HOST: Breaking(node.engine.ports[HOST], "EST", fw.relay)}
    sent = await publish(fw, made(tmp_path / "a", 4 * CHUNK))
    await fw.settle()
    await fw.settle()
    await sent.receipt()
    assert taken == [0, 1, 2, 2, 3, 4]


async def test_the_disk_of_the_relay_keeps_its_reserve(fw: Framework, tmp_path: Path) -> None:
    blobs = fw.relay_service.blobs
    assert blobs is not None
    blobs._free = lambda: 0.149
    sent = await publish(fw, made(tmp_path / "a", LARGE))
    await fw.settle()
    assert not sent.settled
    blobs._free = lambda: 0.15
    await fw.settle()
    await sent.receipt()


async def test_a_member_has_no_more_than_its_share(fw: Framework, tmp_path: Path) -> None:
    assert fw.relay_service.blobs is not None
    fw.relay_service.blobs.limit(BlobLimits(member_bytes=6 * CHUNK))
    with pytest.raises(Refused) as caught:
        await (await publish(fw, made(tmp_path / "large", 7 * CHUNK))).receipt()
    assert caught.value.code == "too-large"
    first = await publish(fw, made(tmp_path / "a", 4 * CHUNK))
    await fw.settle()
    reference = (await first.receipt()).reference
    second = await publish(fw, made(tmp_path / "b", 3 * CHUNK))
    await fw.settle()
    assert not second.settled
    await (await fw.node("EST").channel("main").recall(reference, reason="make room")).receipt()
    await fw.settle()
    await second.receipt()


async def test_uploads_that_are_never_finished_are_few_and_go_after_a_day(fw: Framework) -> None:
    port, blobs = fw.node("EST").engine.port(MAIN), fw.relay_service.blobs
    assert blobs is not None
    for number in range(MAX_COMING):
        await port.blob_put(MAIN, bytes([number]) * 32, 2 * SEALED_CHUNK, 0, bytes(SEALED_CHUNK))
    with pytest.raises(Unavailable) as caught:
        await port.blob_put(MAIN, b"x" * 32, 2 * SEALED_CHUNK, 0, bytes(SEALED_CHUNK))
    assert caught.value.code == "blob-quota"
    fw.clock.advance(seconds=NAMED_WITHIN + 601)
    await fw.relay_service.tick()
    assert not blobs.store._coming  # type: ignore[attr-defined]
    assert await port.blob_put(MAIN, b"x" * 32, 2 * SEALED_CHUNK, 0, bytes(SEALED_CHUNK)) == 1


async def test_a_blob_that_no_entry_names_goes_after_a_day_and_a_named_one_stays(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    port, blobs = fw.node("EST").engine.port(MAIN), fw.relay_service.blobs
    assert blobs is not None
    chunk = b"c" * 100_000
    await port.blob_put(MAIN, leaf_hash(chunk), len(chunk), 0, chunk)
    assert await blobs.store.size("EST", leaf_hash(chunk)) == len(chunk)
    fw.clock.advance(seconds=NAMED_WITHIN + 1)
    await fw.relay_service.tick()
    assert await blobs.store.size("EST", leaf_hash(chunk)) is None
    assert await blobs.store.size(*named_blob(fw))


@pytest.mark.parametrize("index", [1, 2, 7])
async def test_a_wrong_chunk_is_refused(fw: Framework, index: int) -> None:
    port = fw.node("EST").engine.port(MAIN)
    with pytest.raises(RscError) as caught:
        await port.blob_put(MAIN, b"d" * 32, 2 * SEALED_CHUNK, index, bytes(SEALED_CHUNK))
    assert caught.value.code == "wrong-chunk"


async def test_a_sender_that_died_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    """Path, key and salt outlive the process: what the relay has is not sent again, and what it gets is the same."""
    path, small = made(tmp_path / "a", 4 * CHUNK), made(tmp_path / "b", 1_000)
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        taken: list[int] = []

        class Dying(Wire):
            async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
                if index == 2:
                    raise Unavailable("cut", code="cut-off")
                taken.append(index)
                return await super().blob_put(log, digest, size, index, chunk)

        (host,) = node.engine.ports
        node.engine.ports = {host: Dying(node.engine.ports[host], "EST", bench.fw.relay)}
        files = [Attachment.file(path), Attachment.file(small)]
        draft = Draft(Indicator(pattern="p", stix_id="i"), label=GREEN, attachments=files, key="k")
        await node.channel("main").publish(draft)
        await node.carry()
        assert taken == [0, 1]
        ((_, digest),) = bench.fw.relay_service.blobs.store._coming  # type: ignore[union-attr]
        bench.crash()
        small.unlink()  # it lies beside the entry, and was read when it was published
        node = await bench.started()
        await bench.fw.settle()
        await node.channel("main").submission("k").receipt()
        assert named_blob(bench.fw) == ("EST", digest)
        message = await received(bench.fw.node("LVA"))
        assert await whole(message) == path.read_bytes()
        assert message.attachments[1].size == 1_000
