"""Attachments over TLS, and what `/v1/blob` says to those who may not, or who ask wrongly."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from raw import context, key_of

from rsc_share import Attachment, Draft
from rsc_share.crypto.blobs import CHUNK, SEALED_CHUNK
from rsc_share.errors import Refused, Unavailable
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.messages import Indicator
from rsc_share.node.net.blobs import _REFUSED, _error
from rsc_share.relay.net.bucket import BURST_SECONDS, Bucket
from rsc_share.relay.store.file_blobs import FileBlobs
from rsc_share.session.token import Token
from rsc_share.testing.founding import HOST
from rsc_share.testing.loopback import LoopbackFramework

GREEN, FOR_FIN = "TLP:GREEN REL TO @members", "TLP:RED REL TO FIN"
MAIN = f"{HOST}/test-framework/main"
LARGE = 3 * CHUNK + 777


def bearer(fw: LoopbackFramework, use: str, node: str = "EST/mod-1", **more: Any) -> str:
    usual: dict[str, Any] = {
        "node": node,
        "host": HOST,
        "framework_id": fw.founded.framework_id,
        "instance": bytes(16),
        "expires": fw.clock.now // 1000 + 30,
        "use": use,
    }
    return "Bearer " + Token(**{**usual, **more}).signed(key_of(fw, node))


async def ask(
    fw: LoopbackFramework, method: str, path: str, token: str | None, data: bytes | None = None, **headers: str
) -> tuple[int, bytes, Any]:
    sent = {**headers, **({} if token is None else {"Authorization": token})}
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{fw.server.port}/v1/blob/{path}"
        async with http.request(
            method, url, ssl=context(), headers=sent, data=None if data is None else io.BytesIO(data)
        ) as answer:
            return answer.status, await answer.read(), answer.headers


def filled(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for at in range(0, size, CHUNK):
            file.write(bytes([at // CHUNK % 256]) * min(CHUNK, size - at))
    return path


async def published(fw: LoopbackFramework, path: Path, size: int = LARGE, label: str = GREEN) -> bytes:
    """The digest of a blob that an entry names."""
    filled(path, size)
    draft = Draft(Indicator(pattern="p", stix_id="i"), label=label, attachments=[Attachment.file(path)])
    await (await fw.node("EST").channel("main").publish(draft)).receipt()
    await fw.settle()
    ((_, digest),) = fw.relay_service.blobs.store._whole  # type: ignore[union-attr]
    return digest


async def test_a_file_crosses_the_network(fw: LoopbackFramework, tmp_path: Path) -> None:
    await published(fw, tmp_path / "a")
    async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
        (found,) = (await anext(inbox)).attachments
    saved = await found.save(tmp_path / "out")
    assert saved.read_bytes() == (tmp_path / "a").read_bytes()
    assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_ranges_are_those_of_the_blob(fw: LoopbackFramework, tmp_path: Path) -> None:
    digest = await published(fw, tmp_path / "a")
    path, token = f"{digest.hex()}?log={MAIN}", bearer(fw, "read", "LVA/mod-1")
    status, whole, _ = await ask(fw, "GET", path, token)
    assert status == 200
    for text, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=1048570-1048600", 1_048_570, 1_048_601),
        (f"bytes={len(whole) - 5}-", len(whole) - 5, len(whole)),
        (f"bytes=5-{1 << 50}", 5, len(whole)),
    ):
        status, part, headers = await ask(fw, "GET", path, token, Range=text)
        assert (status, part) == (206, whole[start:stop])
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    for text in ("bytes=5-4", f"bytes={len(whole)}-", "bytes=-5", "bytes=0-1,3-4", "lines=0-1", "bytes=007-9"):
        status, _, _ = await ask(fw, "GET", path, token, Range=text)
        assert status == 416


async def test_who_may_not_read_gets_nothing(fw: LoopbackFramework, tmp_path: Path) -> None:
    digest = await published(fw, tmp_path / "a", label=FOR_FIN)
    path = f"{digest.hex()}?log={MAIN}"
    for token, expected in (
        (None, 401),
        ("Bearer x", 400),
        (bearer(fw, "write", "FIN/mod-1"), 401),
        (bearer(fw, "session", "FIN/mod-1"), 401),
        (bearer(fw, "read", "FIN/mod-1", expires=fw.clock.now // 1000 - 300), 401),
        (bearer(fw, "read", "LVA/mod-1"), 403),
    ):
        status, body, _ = await ask(fw, "GET", path, token)
        assert status == expected, body
    assert (await ask(fw, "GET", path, bearer(fw, "read", "FIN/mod-1")))[0] == 200
    assert (await ask(fw, "GET", f"{'ab' * 32}?log={MAIN}", bearer(fw, "read")))[0] == 403
    await fw.revoke("FIN/mod-1")
    assert (await ask(fw, "GET", path, bearer(fw, "read", "FIN/mod-1")))[0] == 403


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("{d}?log={m}&size=100000&chunk=1", 100_000, 409),
        ("{d}?log={m}&size=100000&chunk=0", 99_999, 409),
        ("{d}?log={m}&size=100000&chunk=-1", 100_000, 400),
        ("{d}?log={m}&size=100000&chunk=00", 100_000, 400),
        ("{d}?log={m}&size=100000", 100_000, 400),
        ("{d}?log={m}&size=100000&chunk=0&chunk=0", 100_000, 400),
        ("{d}?log={m}&size=99999999999999999&chunk=0", 100_000, 400),
        ("{d}?log={m}&size=1000&chunk=0", 1_000, 400),
        ("{d}?log=x&size=100000&chunk=0", 100_000, 400),
        ("{d}?size=100000&chunk=0", 100_000, 400),
        ("{d}?log={h}/test-framework/directory&size=100000&chunk=0", 100_000, 404),
        ("{d}?log={h}/test-framework/none&size=100000&chunk=0", 100_000, 404),
        ("ABCDEF?log={m}&size=100000&chunk=0", 100_000, 400),
        ("{d}?log={m}&size=3000000&chunk=0", SEALED_CHUNK + 1, 409),
        ("{d}?log={m}&size=3000000&chunk=0", 0, 409),
    ],
)
async def test_a_wrong_upload_is_refused(fw: LoopbackFramework, path: str, size: int, status: int) -> None:
    data = bytes(size)
    asked = path.format(d=leaf_hash(data).hex(), m=MAIN, h=HOST)
    found, body, _ = await ask(fw, "PUT", asked, bearer(fw, "write"), data)
    assert found == status, body
    assert not fw.relay_service.blobs.store._whole  # type: ignore[union-attr]
    assert (await ask(fw, "PUT", asked, bearer(fw, "read"), data))[0] == 401


async def test_an_upload_by_hand(fw: LoopbackFramework) -> None:
    """What a second implementation would send."""
    chunks = [bytes([1]) * SEALED_CHUNK, bytes([2]) * 500]

    tree = CompactRange()
    for chunk in chunks:
        tree.append(leaf_hash(chunk))
    path = f"{tree.root().hex()}?log={MAIN}&size={SEALED_CHUNK + 500}"
    token = bearer(fw, "write")
    held = path.replace("?", "/upload?")
    assert json.loads((await ask(fw, "GET", held, token))[1]) == {"durable": 0}
    assert json.loads((await ask(fw, "PUT", f"{path}&chunk=0", token, chunks[0]))[1]) == {"durable": 1}
    assert (await ask(fw, "PUT", f"{path}&chunk=0", token, chunks[0]))[0] == 409
    assert json.loads((await ask(fw, "GET", held, token))[1]) == {"durable": 1}
    status, body, _ = await ask(fw, "PUT", f"{path}&chunk=1", token, bytes(500))
    assert (status, body.startswith(b"wrong-blob: ")) == (409, True)
    assert json.loads((await ask(fw, "GET", held, token))[1]) == {"durable": 0}
    for index, chunk in enumerate(chunks):
        assert (await ask(fw, "PUT", f"{path}&chunk={index}", token, chunk))[0] == 200
    assert json.loads((await ask(fw, "GET", held, token))[1]) == {"durable": 2}


async def test_the_bucket_spreads_what_is_taken() -> None:
    now = [100.0]
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(round(seconds, 6))
        now[0] += seconds

    bucket = Bucket(1_000, lambda: now[0], pause)
    now[0] += 60.0
    await bucket.take(int(1_000 * BURST_SECONDS))
    assert waits == []
    for _ in range(3):
        await bucket.take(500)
    assert waits == [0.5, 0.5, 0.5]
    bucket.rate = 2_000
    await bucket.take(500)
    assert waits[-1] == 0.25


async def test_memory_does_not_grow_with_the_file(fw: LoopbackFramework, tmp_path: Path) -> None:
    """24 MiB through sender, TLS, relay and reader of one process; the relay's own store is on disk."""
    assert fw.relay_service.blobs is not None
    fw.relay_service.blobs.store = FileBlobs(tmp_path / "blobs")
    source = filled(tmp_path / "a", 24 * CHUNK)
    tracemalloc.start()
    try:
        draft = Draft(Indicator(pattern="p", stix_id="i"), label=GREEN, attachments=[Attachment.file(source)])
        await (await fw.node("EST").channel("main").publish(draft)).receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
            (found,) = (await anext(inbox)).attachments
        await found.save(tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out").stat().st_size == source.stat().st_size
    assert peak < 10 << 20, peak


async def test_what_moves_and_what_lies_here_is_measured(fw: LoopbackFramework, tmp_path: Path) -> None:
    def total(name: str) -> float:
        return float(fw.meters.text().decode().split(f"\n{name} ")[1].split("\n")[0])

    digest = await published(fw, tmp_path / "a")
    status, data, _ = await ask(fw, "GET", f"{digest.hex()}?log={MAIN}", bearer(fw, "read", "LVA/mod-1"))
    assert status == 200
    for direction in ("in", "out"):
        assert total(f'rsc_blob_bytes_total{{direction="{direction}"}}') == len(data)
    blobs = fw.relay_service.blobs
    assert blobs is not None
    held = blobs.held_now()
    assert (held.whole, held.bytes, held.coming) == (1, len(data), 0)
    await blobs.obey("EST", [digest])
    assert total('rsc_blobs_gone_total{why="ordered"}') == 1
    assert blobs.held_now().whole == 0


@pytest.mark.parametrize("number", ["²", "٣", "1" * 400, "-1", "1e3", ""])
def test_attack_a_relay_answers_with_digits_that_are_no_number(number: str) -> None:
    """Else its carrier would die of a `ValueError`, and with it the node."""
    later = _error(SimpleNamespace(status=503, headers={"Retry-After": number}), b"no-room: later")
    assert isinstance(later, Unavailable)
    assert (later.code, later.retry_after) == ("no-room", None)
    refused = _error(SimpleNamespace(status=_REFUSED, headers={"Rsc-Row": number}), b"role: no")
    assert isinstance(refused, Refused)
    assert refused.row == 0
