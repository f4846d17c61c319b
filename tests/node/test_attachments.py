"""Attachments end to end: what a sender's file holds is what a reader gets, and nobody else, and nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from node_world import Bench

from rsc_share import Attachment, Draft, LocalError, Refused, RemoteError, Unavailable
from rsc_share.audit.bodies import BodyBook, Missing
from rsc_share.charter.parameters import Parameters
from rsc_share.crypto.blobs import CHUNK, SEALED_CHUNK
from rsc_share.errors import RscError, StorageError
from rsc_share.log.merkle import leaf_hash
from rsc_share.messages import Indicator
from rsc_share.node.message import Message
from rsc_share.node.node import Node
from rsc_share.node.received import PART_FILE
from rsc_share.relay.blobs import MAX_COMING, NAMED_WITHIN, BlobLimits, Blobs
from rsc_share.relay.live import State
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.protocol import Erased
from rsc_share.session.port import RelayPort
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import Wire
from rsc_share.value import replace

GREEN = "TLP:GREEN REL TO @members"
FOR_FIN = "TLP:RED REL TO FIN"
MAIN = f"{HOST}/test-framework/main"
LAG = Parameters().lag
LARGE = 2 * CHUNK + 12_345


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as framework:
        yield framework


def made(path: Path, size: int, seed: int = 1) -> Path:
    block = bytes((i * seed * 7 + i // 251) % 256 for i in range(65_536))
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(block[:left])
    return path


async def publish(fw: Framework, path: Path, label: str = GREEN, member: str = "EST", **more: Any) -> Any:
    draft = Draft(
        Indicator(pattern="p", stix_id="i"), label=label, attachments=[Attachment.file(path, media="image/png")], **more
    )
    return await fw.node(member).channel("main").publish(draft)


async def received(node: Node) -> Message[Any]:
    async with node.channel("main").subscribe(Indicator) as inbox:
        return await anext(inbox)


async def whole(message: Message[Any]) -> bytes:
    return b"".join([piece async for piece in message.attachments[0].read()])


def named_blob(fw: Framework) -> tuple[str, bytes]:
    """Owner and digest of the only blob there is."""
    (found,) = fw.relay_service.blobs.store._whole  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("size", [0, 1, 63_446, 63_447, 63_448, 63_449, CHUNK - 40, CHUNK - 39, LARGE])
async def test_a_file_arrives_with_its_name_and_media_type(fw: Framework, tmp_path: Path, size: int) -> None:
    path = made(tmp_path / "carte d'été.png", size)
    sent = await publish(fw, path)
    await sent.receipt()
    await fw.settle()
    for member in ("LVA", "FIN"):
        message = await received(fw.node(member))
        (found,) = message.attachments
        assert (found.name, found.media, found.size) == ("carte d'été.png", "image/png", size)
        assert await whole(message) == path.read_bytes()
        saved = await found.save(tmp_path / f"{member}.out")
        assert saved.read_bytes() == path.read_bytes()
        assert not saved.with_name(saved.name + PART_FILE).exists()
    assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_the_header_says_neither_name_nor_type(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "secret-plan.png", LARGE))).receipt()
    await fw.settle()
    log = fw.relay_service.logs[MAIN]
    entries = [stored.entry async for stored in log.store.read(MAIN, 0, log.size, max_bytes=1 << 30)]
    assert any(b"application/octet-stream" in entry for entry in entries)
    assert not any(b"secret-plan" in entry or b"image/png" in entry for entry in entries)


async def test_many_attachments_of_both_kinds_keep_their_order(fw: Framework, tmp_path: Path) -> None:
    paths = [made(tmp_path / f"{i}.bin", size, seed=i + 1) for i, size in enumerate((100, LARGE, 0, 70_000, 5_000))]
    draft = Draft(Indicator(pattern="p", stix_id="i"), label=GREEN, attachments=[Attachment.file(p) for p in paths])
    await (await fw.node("EST").channel("main").publish(draft)).receipt()
    await fw.settle()
    message = await received(fw.node("LVA"))
    for path, found in zip(paths, message.attachments, strict=True):
        assert found.name == path.name
        assert b"".join([piece async for piece in found.read()]) == path.read_bytes()


async def test_who_is_not_a_recipient_does_not_get_the_blob(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE), FOR_FIN)).receipt()
    await fw.settle()
    _, digest = named_blob(fw)
    for member, error in (("LVA", "not-yours"), ("FIN", None), ("EST", None)):
        port = fw.node(member).engine.port(MAIN)
        if error is None:
            assert len(await port.blob_read(MAIN, digest, 0, SEALED_CHUNK)) == SEALED_CHUNK
        else:
            with pytest.raises(Refused) as caught:
                await port.blob_read(MAIN, digest, 0, SEALED_CHUNK)
            assert caught.value.code == error


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


# --- a relay, or another member, that lies


class Swapping(Wire):
    """Gives other bytes of the same length."""

    def __init__(self, port: RelayPort, member: str, control: Any, spoil: Any) -> None:
        super().__init__(port, member, control)
        self._spoil = spoil

    async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        return bytes(self._spoil(await super().blob_read(log, digest, start, stop), start))


@pytest.mark.parametrize(
    ("spoil", "proved"),
    [
        (lambda data, start: bytes(len(data)), 0),
        (lambda data, start: data[:-1] if start else data, 1),
        (lambda data, start: data[:-1] + bytes([data[-1] ^ 1]) if start >= SEALED_CHUNK else data, 1),
    ],
    ids=["another blob of the same size", "cut short", "one bit of a later chunk"],
)
async def test_a_relay_that_gives_other_bytes_is_caught(fw: Framework, tmp_path: Path, spoil: Any, proved: int) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    node = fw.node("LVA")
    honest = node.engine.ports[HOST]
    node.engine.ports = {HOST: Swapping(honest, "LVA", fw.relay, spoil)}
    (found,) = (await received(node)).attachments
    pieces: list[bytes] = []

    async def read() -> None:
        async for piece in found.read():
            pieces.append(piece)  # noqa: PERF401 - what came before the error is what is looked at

    with pytest.raises(RemoteError) as caught:
        await read()
    assert caught.value.code == "bad-part"
    assert len(pieces) == proved
    with pytest.raises(RemoteError):
        await found.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_another_members_blob_does_not_stand_under_an_entry_of_ones_own(fw: Framework, tmp_path: Path) -> None:
    """A recipient knows digest, size and key: naming them is refused, for its own member never handed the blob in."""
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    theirs = fw.node("LVA").channel("main")
    sent = await publish(fw, made(tmp_path / "b", LARGE, seed=3), member="FIN")
    line = fw.node("FIN").engine.line("main")
    (item,) = line.sending.outbox.uploads()
    _, digest = next(iter(fw.relay_service.blobs.store._whole))  # type: ignore[union-attr]
    (own,) = item.attachments
    item.attachments = (type(own)(own.told, own.path, own.realm, own.salt, replace(own.part, digest=digest)),)
    item.uploaded, item.attempts = True, 4
    await fw.settle()
    with pytest.raises(Refused) as caught:
        await sent.receipt()
    assert caught.value.code == "body-missing"
    assert (await received(theirs._node)).sender == "EST/mod-1"  # type: ignore[arg-type]


async def test_one_blob_belongs_to_one_entry(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    _, digest = named_blob(fw)
    sent = await publish(fw, made(tmp_path / "b", LARGE, seed=3))
    (item,) = fw.node("EST").engine.line("main").sending.outbox.uploads()
    (own,) = item.attachments
    item.attachments = (type(own)(own.told, own.path, own.realm, own.salt, replace(own.part, digest=digest)),)
    item.uploaded, item.attempts = True, 4
    await fw.settle()
    with pytest.raises(Refused) as caught:
        await sent.receipt()
    assert caught.value.code == "body-missing"


# --- uploads


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


# --- saving


async def test_a_download_goes_on_where_it_broke_off(fw: Framework, tmp_path: Path) -> None:
    path = made(tmp_path / "a", 5 * CHUNK)
    await (await publish(fw, path)).receipt()
    await fw.settle()
    asked: list[int] = []
    broken: list[bool] = []

    class Breaking(Wire):
        async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
            asked.append(start // SEALED_CHUNK)
            if len(asked) == 4 and not broken:
                broken.append(True)
                raise Unavailable("cut", code="cut-off")
            return await super().blob_read(log, digest, start, stop)

    node = fw.node("LVA")
    node.engine.ports = {HOST: Breaking(node.engine.ports[HOST], "LVA", fw.relay)}
    (found,) = (await received(node)).attachments
    with pytest.raises(Unavailable):
        await found.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    part = tmp_path / f"out{PART_FILE}"
    os.truncate(part, part.stat().st_size - 5)  # as a crash leaves it
    asked.clear()
    seen: list[int] = []
    await found.save(tmp_path / "out", progress=lambda name, done, total: seen.append(done))
    assert asked == [0, 2, 3, 4, 5]
    assert (tmp_path / "out").read_bytes() == path.read_bytes()
    assert seen == sorted(seen)
    assert seen[-1] == 5 * CHUNK


async def test_a_spoiled_part_file_is_not_believed(fw: Framework, tmp_path: Path) -> None:
    path = made(tmp_path / "a", 3 * CHUNK)
    await (await publish(fw, path)).receipt()
    await fw.settle()
    (found,) = (await received(fw.node("LVA"))).attachments
    part = tmp_path / f"out{PART_FILE}"
    part.write_bytes(bytes(2 * CHUNK))
    with pytest.raises(RemoteError, match="commits to"):
        await found.save(tmp_path / "out")
    assert part.stat().st_size == 0
    assert (await found.save(tmp_path / "out")).read_bytes() == path.read_bytes()


async def test_nobodys_file_is_written_over(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    (found,) = (await received(fw.node("LVA"))).attachments
    (tmp_path / "out").write_text("mine")
    with pytest.raises(LocalError, match="there already"):
        await found.save(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


# --- drafts


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "", " a", "a\n", "x" * 256, "con:1"])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError):
        Attachment.file(made(tmp_path / "a", 10), name=name)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(LocalError):
            Attachment.file(path)


async def test_a_key_is_the_same_message_with_its_files(fw: Framework, tmp_path: Path) -> None:
    first = await publish(fw, made(tmp_path / "a", LARGE), key="k")
    assert (await publish(fw, tmp_path / "a", key="k")).id == first.id
    with pytest.raises(LocalError, match="another message"):
        await publish(fw, made(tmp_path / "a", LARGE + 1), key="k")
    await fw.settle()


async def test_small_files_that_do_not_fit_together_are_refused_at_once(fw: Framework, tmp_path: Path) -> None:
    files = [Attachment.file(made(tmp_path / f"{i}", 60_000)) for i in range(9)]
    with pytest.raises(LocalError) as caught:
        await (
            fw.node("EST")
            .channel("main")
            .publish(Draft(Indicator(pattern="p", stix_id="i"), label=GREEN, attachments=files))
        )
    assert caught.value.code == "too-large"


# --- auditors


async def test_an_auditor_is_told_of_the_blobs_that_are_not_in_an_export(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    report = await fw.audit()
    assert not report.findings
    (told,) = [finding for finding in report.observations if finding.code == "blobs-apart"]
    assert told.evidence["blobs"] == 1
    assert told.evidence["bytes"] > LARGE


async def test_a_blob_that_is_gone_without_a_word_is_a_finding(fw: Framework, tmp_path: Path) -> None:
    await (await publish(fw, made(tmp_path / "a", LARGE))).receipt()
    await fw.settle()
    _, digest = named_blob(fw)
    bodies = fw.store._log(MAIN).bodies
    del bodies[digest]
    (found,) = (await fw.audit()).findings
    assert found.code == "body-missing"


async def test_only_blobs_may_lie_apart() -> None:
    """`apart` said of a body that fits beside its entry excuses nothing."""
    book = BodyBook({}, {b"d" * 32: "apart"}, named={b"d" * 32})
    book.missing.append(Missing(MAIN, 3, b"d" * 32, "EST/mod-1", 5, None))
    assert [finding.code for finding in book.findings(10)] == ["body-missing"]


# --- crashes


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


async def test_a_reader_that_died_still_has_the_key(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        path = made(tmp_path / "a", LARGE)
        await (await publish(bench.fw, path, member="LVA")).receipt()
        await bench.fw.settle()
        bench.crash()
        bench.fw.clock.advance(seconds=5_000)  # the grant that the message came under is dead by now
        node = await bench.started()
        assert await whole(await received(node)) == path.read_bytes()
