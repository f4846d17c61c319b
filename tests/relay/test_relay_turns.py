"""Members take turns at a log: what one of them queues keeps nobody else waiting for more than its next run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from relay_world import CT, EST, FIN, World, witness_keys

from rsc_share.envelope.parts import Part, Ref, Refs
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import cosign_ed25519
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import Note
from rsc_share.relay import queue
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.store.blobs import Upload
from rsc_share.relay.store.memory_blobs import MemoryBlobs
from rsc_share.session.frames import Logged, Submission


def indices(outcomes: Any) -> list[int]:
    assert all(isinstance(outcome, Logged) for outcome in outcomes), outcomes
    return [outcome.index for outcome in outcomes]


async def handed_in(world: World, *runs: tuple[str, list[Submission]]) -> list[list[int]]:
    """All at once; where the entries of each run stand."""
    tasks = [asyncio.create_task(world.submit(node, *run)) for node, run in runs]
    return [indices(outcomes) for outcomes in await asyncio.gather(*tasks)]


async def test_attack_one_members_runs_do_not_stand_in_front_of_anothers() -> None:
    world = await World().ready()
    est, fin = world.pen(EST), world.pen(FIN)
    runs = [(EST, [est.heartbeat() for _ in range(50)]) for _ in range(8)]
    found = await handed_in(world, *runs, (FIN, [fin.heartbeat()]))
    assert found[-1] == [50], "behind the first of them"
    assert sorted(index for run in found for index in run) == [*range(401)]
    assert [run[0] for run in found[:-1]] == sorted(run[0] for run in found[:-1]), "its own keep their order"


async def test_attack_entries_with_many_references_share_no_commit_with_the_next_run(monkeypatch: Any) -> None:
    """Thirty-two of them, each read from the disk: a run of 256 takes fifty times what one without takes."""
    world = await World().ready()
    est, fin = world.pen(EST), world.pen(FIN)
    commits: list[int] = []
    real = queue.commit

    async def counted(log: Any, logs: Any, ground: Any, runs: Any, *rest: Any) -> Any:
        commits.append(len(runs))
        return await real(log, logs, ground, runs, *rest)

    monkeypatch.setattr(queue, "commit", counted)
    grant = est.grant(FIN)
    refs = Refs(derived_from=tuple(Ref(CT, number, bytes(32)) for number in range(16)))
    costly = [est.message(FIN, refs=refs, advance=False) for _ in range(128)]
    runs = [world.submit(EST, *costly) for _ in range(4)]
    *_, light = await asyncio.gather(*runs, world.submit(FIN, *(fin.heartbeat() for _ in range(2))))
    assert indices(light) == [0, 1]
    assert commits == [1, 2, 1, 1], "FIN's with the second of EST's"
    assert indices(await world.submit(EST, grant)) == [2]


class Slow(MemoryBlobs):
    """A disk that has written a chunk before it says so."""

    async def put(self, upload: Upload, index: int, chunk: bytes) -> int:
        held = await super().put(upload, index, chunk)
        await asyncio.sleep(0)
        return held


async def test_a_sender_that_goes_before_its_last_chunk_is_confirmed_may_name_the_blob() -> None:
    """The blob was whole, its sender was told so when it asked, and its entry was refused: no body."""
    world = await World().ready()
    blobs = world.relay.blobs = Blobs(Slow(lambda: 0.0), world.clock, lambda: 1.0)
    chunk = bytes(70_000)
    port, place = world.ports[EST], (CT, leaf_hash(chunk), len(chunk))
    putting = asyncio.create_task(port.blob_put(*place, 0, chunk))
    while not await blobs.store.size("EST", place[1]):  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    assert putting.cancelled()
    assert await port.blob_held(*place) == 1
    file = Part(digest=place[1], size=len(chunk), commit=bytes(32), media="application/octet-stream")
    pen = world.pen(EST)
    assert indices(await world.submit(EST, pen.grant(FIN), pen.message(FIN, blobs=(file,)))) == [0, 1]


async def test_attack_one_cosignature_a_thousand_times(monkeypatch: Any) -> None:
    """In one call, each verified; or in a thousand calls, each written and synced."""
    world = await World().ready()
    world.clock.now += 200_000
    offer = next(offer for offer in await world.ports[EST].offers(sizes(world), {}) if offer.log == CT)
    checkpoint = Checkpoint.parse(Note.parse(offer.note).text)
    line = cosign_ed25519(checkpoint, f"regional/{EST}", witness_keys(EST)[0], world.clock.now // 1000).line()
    with pytest.raises(RemoteError, match="at most 4"):
        await world.ports[EST].cosign(CT, checkpoint.size, [line * 256])
    kept: list[int] = []
    keep = world.store.keep_note

    async def counted(*arguments: Any) -> Any:
        kept.append(1)
        return await keep(*arguments)

    monkeypatch.setattr(world.store, "keep_note", counted)
    for _ in range(10):
        await world.ports[EST].cosign(CT, checkpoint.size, [line])
    assert len(kept) == 1
    live = world.relay.logs[CT]
    assert live.witnessing.answered[EST] == (checkpoint.size, world.clock.now)


def sizes(world: World) -> dict[str, int]:
    return {log: size for log, (size, _) in world.witnesses[EST].heads.items()}
