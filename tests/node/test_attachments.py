"""Attachments end to end: what a sender's file holds is what a reader gets, and nobody else, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attachments_world import GREEN, LARGE, MAIN, made, named_blob, publish, received, whole
from node_world import Bench

from rsc_share import Attachment, Draft, LocalError, Refused, RemoteError, Unavailable
from rsc_share.audit.bodies import BodyBook, Missing
from rsc_share.crypto.blobs import CHUNK, SEALED_CHUNK
from rsc_share.messages import Indicator
from rsc_share.node.received import PART_FILE
from rsc_share.session.port import RelayPort
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import Wire
from rsc_share.value import replace

FOR_FIN = "TLP:RED REL TO FIN"


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


async def test_attack_bodies_that_are_gone_are_counted_once_and_not_for_each_log() -> None:
    """A member can have any number recalled, and a charter has 256 channels."""

    class Counted(list[Missing]):
        passes = 0

        def __iter__(self) -> Any:
            self.passes += 1
            return super().__iter__()

    book = BodyBook({}, {}, missing=Counted(), recalled={("b", 1)})
    book.missing += [Missing(log, 1, digest * 32, "EST/mod-1", 5, None) for log in "abc" for digest in (b"d", b"e")]
    gone = book.counts(10)
    assert gone["a"] == gone["c"] == {"erased": 0, "missing": 2}
    assert gone["b"] == {"erased": 2, "missing": 0}
    assert gone["nothing is gone here"] == {"erased": 0, "missing": 0}
    assert isinstance(book.missing, Counted)
    assert book.missing.passes == 1


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
