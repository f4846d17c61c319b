"""HTTP reads at the tlog-tiles paths, and who gets them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from raw import context, key_of

from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import Note
from rsc_share.log.tiles import bundle_path, read_bundle, tile_path
from rsc_share.messages import Indicator
from rsc_share.session.token import Token
from rsc_share.testing.founding import HOST
from rsc_share.testing.loopback import LoopbackFramework

DIRECTORY, MAIN = "test-framework/directory", "test-framework/main"


def bearer(fw: LoopbackFramework, node: str = "LVA/mod-1", **more: Any) -> str:
    usual: dict[str, Any] = {
        "node": node,
        "host": HOST,
        "framework_id": fw.founded.framework_id,
        "instance": bytes(16),
        "expires": fw.clock.now // 1000 + 30,
        "use": "read",
    }
    return "Bearer " + Token(**{**usual, **more}).signed(key_of(fw, node))


async def get(fw: LoopbackFramework, path: str, token: str | None = None) -> tuple[int, bytes]:
    headers = {} if token is None else {"Authorization": token}
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{fw.server.port}/{path}"
        async with http.get(url, ssl=context(), headers=headers) as answer:
            return answer.status, await answer.read()


async def test_checkpoint_and_tiles_are_those_of_the_log(fw: LoopbackFramework) -> None:
    log = fw.relay_service.directory_log
    status, note = await get(fw, f"{DIRECTORY}/checkpoint", bearer(fw))
    assert status == 200
    assert Note.parse(note).text.startswith(f"{log.origin}\n{log.size}\n".encode())
    status, hashes = await get(fw, f"{DIRECTORY}/{tile_path(0, 0, log.size)}", bearer(fw))
    assert status == 200
    stored = log.store.read(log.origin, 0, log.size, max_bytes=1 << 30)
    assert hashes == b"".join([leaf_hash(item.entry) async for item in stored])
    status, bundle = await get(fw, f"{DIRECTORY}/{bundle_path(0, log.size)}", bearer(fw))
    assert status == 200
    assert len(read_bundle(bundle, log.size)) == log.size


async def test_nobody_reads_whom_others_write_to(fw: LoopbackFramework) -> None:
    """In a channel a bundle would show every header to every member: hashes yes, entries no."""
    channel = fw.node("EST").channel("main")
    sent = await channel.publish(Indicator(pattern="p", stix_id="i"), label="TLP:RED REL TO FIN")
    await sent.receipt()
    size = fw.relay_service.logs[f"{HOST}/{MAIN}"].size
    assert (await get(fw, f"{MAIN}/{tile_path(0, 0, size)}", bearer(fw)))[0] == 200
    status, body = await get(fw, f"{MAIN}/{bundle_path(0, size)}", bearer(fw))
    assert (status, body[:9]) == (403, b"not-yours")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"host": "other.example"}, 401),
        ({"framework_id": bytes(32)}, 401),
        ({"expires": 1}, 401),
        ({"use": "session", "nonce": bytes(32)}, 401),
    ],
    ids=["another host", "another framework", "over", "for a session"],
)
async def test_attack_bearer_that_is_not_for_reading_here(
    fw: LoopbackFramework, more: dict[str, Any], status: int
) -> None:
    assert (await get(fw, f"{DIRECTORY}/checkpoint", bearer(fw, **more)))[0] == status


async def test_attack_no_bearer_no_log(fw: LoopbackFramework) -> None:
    for token in (None, "Basic x", "Bearer x", "Bearer a.b.c"):
        assert (await get(fw, f"{DIRECTORY}/checkpoint", token))[0] in (400, 401)
    await fw.revoke("LVA/mod-1")
    assert (await get(fw, f"{DIRECTORY}/checkpoint", bearer(fw)))[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "test-framework/none/checkpoint",
        "other/main/checkpoint",
        f"{DIRECTORY}/tile/0/999",
        f"{DIRECTORY}/tile/1/000",
        f"{DIRECTORY}/tile/63/x999/x999/x999/999",
        f"{DIRECTORY}/tile/entries/000",
        f"{DIRECTORY}/tile/0/000.p/256",
        f"{DIRECTORY}/tile/0/0",
        f"{DIRECTORY}/tile/..%2f..%2fetc",
        "livez",
        "readyz",
        "metrics",
        "",
    ],
)
async def test_what_is_not_there_is_refused_in_one_line(fw: LoopbackFramework, path: str) -> None:
    """Health and metrics are not on the public port."""
    status, body = await get(fw, path, bearer(fw))
    assert status in (400, 404)
    assert len(body) < 300
