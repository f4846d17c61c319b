"""`relay export`: each log up to its newest witnessed checkpoint, attachments apart or beside it, and its audit."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from relay_world import CT, DIRECTORY, EST, FIN, HOST, OPS, World, founding, log_keys

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import Folder, MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.charter.parameters import Parameters
from rsc_share.cli.main import main
from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.crypto.keystore import UNSAFE_FAST, Keystore
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.parts import Part, Ref
from rsc_share.errors import StorageError
from rsc_share.handover import source_of
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.live import State
from rsc_share.relay.net.front import FrontStore
from rsc_share.relay.store import copying
from rsc_share.relay.store.file_blobs import FOLDER, FileBlobs, path_of
from rsc_share.relay.store.protocol import Erasing, LogStore, Note
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.session.frames import Logged

LAG = Parameters().lag
SECRET = b"not a secret"
SETTINGS = """host = "{host}"
listen = "127.0.0.1:0"
store = "{store}"
charter = "{charter}"
keystore = "log.keystore"
passphrase_file = "passphrase"
tls_certificate = "tls.crt"
tls_key = "tls.key"
"""


class Served:
    """A relay's folder, and the relay that runs on it until `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "relay.toml"
        self.digests: list[bytes] = []

    def settings(self, **more: str) -> None:
        usual = {"host": HOST, "store": "store", "charter": founding()[0].hex()}
        self.config.write_text(SETTINGS.format(**{**usual, **more}))

    async def start(self) -> Served:
        self.folder.mkdir()
        keystore = Keystore.create(self.folder / "log.keystore", SECRET, cost=UNSAFE_FAST)
        keystore.put("log", log_keys().ed25519)
        keystore.put("log-pq", log_keys().mldsa44)
        keystore.save()
        for name, data in (("passphrase", SECRET), ("tls.crt", b""), ("tls.key", b"")):
            (self.folder / name).write_bytes(data)
            (self.folder / name).chmod(0o600)
        self.settings()
        self.store = SqliteStore.open(self.folder / "store")
        self.world = await World(self.store).ready()
        self.world.relay.blobs = Blobs(FileBlobs(self.folder / "store" / FOLDER), self.world.clock, lambda: 1.0)
        self.pen = self.world.pen(EST)
        await self.world.submit(EST, self.pen.grant(FIN), self.pen.message(FIN), self.pen.message(FIN))
        await self.attach(2)
        await self.attach(1)
        await self.witnessed()
        return self

    async def witnessed(self) -> None:
        for _ in range(3):
            self.world.clock.now += 2_000
            await self.world.witness()

    async def attach(self, chunks: int, **more: Any) -> None:
        data = [os.urandom(SEALED_CHUNK) for _ in range(chunks - 1)] + [os.urandom(70_000)]
        tree, size = CompactRange(), sum(map(len, data))
        for chunk in data:
            tree.append(leaf_hash(chunk))
        for index, chunk in enumerate(data):
            await self.world.ports[EST].blob_put(CT, tree.root(), size, index, chunk)
        part = Part(digest=tree.root(), size=size, commit=bytes(32), media="application/octet-stream")
        await self.world.submit(EST, self.pen.message(FIN, blobs=(part,), **more))
        self.digests.append(tree.root())

    def checkpoint(self, log: str) -> bytes:
        """As a member holds it: the newest that k members cosigned."""
        live = self.world.relay.logs[log]
        return live.note(live.witnessing.quorum.size)

    def checkpoints(self) -> dict[str, bytes]:
        return {log: self.checkpoint(log) for log in (CT, DIRECTORY)}

    def blob(self, number: int) -> Path:
        return path_of(self.folder / "store" / FOLDER, "EST", self.digests[number])


@pytest.fixture
async def served(tmp_path: Path) -> Any:
    made = await Served(tmp_path / "relay").start()
    yield made
    await made.world.relay.aclose()
    await made.store.aclose()


Export = Callable[..., dict[str, Any]]


@pytest.fixture
def export(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Export:
    def run(*options: object, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        given = ["relay", "export", str(served.config), str(tmp_path / "out"), *map(str, options), "--json"]
        assert _beside_a_loop(given) == code
        printed = capsys.readouterr()
        return json.loads(printed.out) if code == 0 else {"error": printed.err}

    return run


def _beside_a_loop(arguments: list[str]) -> int:
    """In a thread: the command has a loop of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(main, arguments).result()


def audited(served: Served, out: Path, blobs: Path | None = None) -> Replay:
    notes = served.checkpoints()
    return replay(Folder(out), Anchors(founding()[0], notes), blobs=blobs)


def grave(result: Replay) -> list[str]:
    return [finding.code for finding in result.findings if finding.grade is not Grade.OBSERVATION]


async def test_an_export_beside_the_relay_ends_with_what_is_witnessed(
    served: Served, export: Export, tmp_path: Path
) -> None:
    size = served.world.relay.logs[CT].size
    await served.world.submit(EST, served.pen.message(FIN))  # nobody has cosigned it yet
    said = export()
    assert said["logs"] == {CT: size, OPS: 0, DIRECTORY: served.world.relay.directory.size}
    assert said["left_out"] == {CT: 1, OPS: 0, DIRECTORY: 0}
    result = audited(served, tmp_path / "out")
    assert grave(result) == []
    assert result.export.manifest_digest.hex() == said["manifest"], "one name for one export"
    assert "end-unconfirmed" not in {finding.code for finding in result.findings if finding.log == CT}
    await served.witnessed()
    (tmp_path / "out").rename(tmp_path / "earlier")
    assert export()["left_out"][CT] == 0
    assert served.world.relay.failure is None


async def recalled(served: Served, index: int) -> None:
    """EST takes back an entry, and nobody has cosigned that yet."""
    line = await served.world.relay.logs[CT].line(index)
    target = Ref(CT, index, line.entry.signed.header_hash)
    (outcome,) = await served.world.submit(EST, served.pen.refer("recall", (FIN,), target, RecallContent(None)))
    assert isinstance(outcome, Logged)


async def test_a_body_that_went_on_a_recall_nobody_has_witnessed_accuses_no_relay(
    served: Served, export: Export, tmp_path: Path
) -> None:
    await recalled(served, 1)
    assert (await asyncio.to_thread(export))["left_out"][CT] == 1, "while the relay goes on"
    result = audited(served, tmp_path / "out")
    assert grave(result) == []
    (told,) = [finding for finding in result.findings if finding.code == "order-behind"]
    assert (told.who, told.evidence["index"]) == (EST, served.world.relay.logs[CT].size - 1)
    assert result.bodies.counts(result.newest)[CT]["erased"] == 1
    await served.witnessed()
    (tmp_path / "out").rename(tmp_path / "earlier")
    assert export()["left_out"][CT] == 0
    result = audited(served, tmp_path / "out")
    assert grave(result) == []
    assert "order-behind" not in {finding.code for finding in result.findings}, "it is in the log now"
    assert not (tmp_path / "out/export/orders").exists()


async def test_a_recall_that_comes_while_the_copy_is_made_is_read_after_the_bodies(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sizes are read first; by the time the bodies are, this one is gone."""
    sure, done = copying._snapshot, []

    async def slowly(copy: Any, origin: str, note: Any) -> Any:
        if not done:
            done.append(await recalled(served, 1))
        return await sure(copy, origin, note)

    monkeypatch.setattr(copying, "_snapshot", slowly)
    copied = await copying.copy_of(served.folder / "store", founding()[0])
    source = source_of(copied.snapshots, copied.directory, framework_id=founding()[0], by="HUB", now=0)
    files = whole_export(source)
    notes = served.checkpoints()
    assert grave(replay(MemoryFiles(files), Anchors(founding()[0], notes))) == []
    without = {path: data for path, data in files.items() if "orders" not in path}
    assert "body-missing" in grave(replay(MemoryFiles(without), Anchors(founding()[0], notes))), "or it had been lost"


class Dies(FrontStore):
    """A store whose process dies once, at the note that comes with an erasure: just before it, or just after."""

    def __init__(self, store: LogStore, *, done: bool) -> None:
        super().__init__(store)
        self._done = done

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        if erasing and not self._done:
            raise StorageError("killed before it erased and signed")
        found = await super().keep_note(log, note, erasing)
        if erasing:
            raise StorageError("killed before anybody was told")
        return found


@pytest.mark.parametrize("done", [False, True])
async def test_a_relay_that_dies_where_it_obeys_a_recall_is_not_accused_before_it_starts_again(
    served: Served, done: bool
) -> None:
    """A body never goes without the signed order: also an export of the dead relay's disk shows both, or neither."""
    log, notes = served.world.relay.logs[CT], served.checkpoints()
    line = await log.line(1)
    log.store = Dies(served.store, done=done)
    target = Ref(CT, 1, line.entry.signed.header_hash)
    (outcome,) = await served.world.submit(EST, served.pen.refer("recall", (FIN,), target, RecallContent(None)))
    assert not isinstance(outcome, Logged), "nobody was told"
    assert log.state is State.STOPPED
    assert (await served.store.logs())[CT].size == log.size + 1
    await served.store.aclose()
    found, absent = await copy_audited(served, notes)
    assert found == []
    assert list(absent.values()).count("recalled") == done
    served.store = SqliteStore.open(served.folder / "store")
    served.world.store = served.store
    await served.world.restart()
    found, absent = await copy_audited(served, notes)
    assert found == []
    assert list(absent.values()).count("recalled") == 1, "the start has obeyed"


async def copy_audited(served: Served, notes: dict[str, bytes]) -> tuple[list[str], dict[str, str]]:
    """What is found in a copy made now, and why bodies are absent. The auditor has `notes` from members."""
    copied = await copying.copy_of(served.folder / "store", founding()[0])
    source = source_of(copied.snapshots, copied.directory, framework_id=founding()[0], by="HUB", now=0)
    found = replay(MemoryFiles(whole_export(source)), Anchors(founding()[0], notes))
    return grave(found), {digest.hex(): reason for digest, reason in source.absent.items()}


async def test_an_attachment_that_expires_while_a_copy_is_made_accuses_no_relay(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel's checkpoint is read first. Its next one is later than the expiry, the directory's is not."""
    world, sure, swept = served.world, copying._snapshot, list[int]()
    ends = world.clock.now + 60_000
    await served.attach(1, expires_at=ends)
    await served.witnessed()

    async def slowly(copy: Any, origin: str, note: Any) -> Any:
        if origin == CT:
            await world.submit(EST, served.pen.message(FIN))  # something to cosign
            for node, witness in world.witnesses.items():
                await witness.answer(world.ports[node], world.clock, only=CT)
            swept.append(await world.relay.blobs.sweep(world.relay.logs, LAG, at_once=True))
        return await sure(copy, origin, note)

    monkeypatch.setattr(copying, "_snapshot", slowly)
    digest = served.digests[-1].hex()
    for now in (ends + 1_000, ends + LAG - 1_000):
        world.clock.now = now
        await world.witness()
        found, absent = await copy_audited(served, served.checkpoints())
        assert (found, absent[digest], swept.pop()) == ([], "apart", 0)
    world.clock.now = ends + LAG
    found, absent = await copy_audited(served, served.checkpoints())
    assert (found, absent[digest], swept.pop()) == ([], "apart", 0), "the directory was cosigned before that"
    world.clock.now += LAG // 4
    await world.witness()
    found, absent = await copy_audited(served, served.checkpoints())
    assert (found, absent[digest], swept.pop()) == ([], "expired", 1), "in the middle of the copy"


async def test_attachments_that_stay_with_the_relay_are_said_not_to_be_checked(
    served: Served, export: Export, tmp_path: Path
) -> None:
    assert export()["blobs"] == {"copied": 0, "damaged": 0, "gone": 0}
    result = audited(served, tmp_path / "out")
    (told,) = [finding for finding in result.findings if finding.code == "blobs-apart"]
    assert "NOT CHECKED" in told.what
    assert (told.evidence["blobs"], result.attachments.checked, result.attachments.absent) == (2, 0, 2)


async def test_attachments_that_come_along_are_held_against_their_entries(
    served: Served, export: Export, tmp_path: Path
) -> None:
    out, blobs = tmp_path / "out", tmp_path / "blobs"
    assert export("--blobs", blobs)["blobs"] == {"copied": 2, "damaged": 0, "gone": 0}
    result = audited(served, out, blobs)
    assert grave(result) == []
    assert (result.attachments.checked, result.attachments.absent) == (2, 0)
    assert result.attachments.checked_bytes == SEALED_CHUNK + 140_000
    assert "blobs-apart" not in {finding.code for finding in result.findings}
    assert grave(audited(served, out)) == [], "the export itself is the same without them"
    paths = sorted(path for path in blobs.rglob("*") if path.is_file())
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 2
    assert [bytes.fromhex(path.parent.name + path.name) for path in paths] == sorted(served.digests)


@pytest.mark.parametrize("harm", ["one bit", "cut", "longer", "empty", "another", "a link", "gone"])
async def test_an_attachment_that_is_not_what_was_signed_for_is_a_finding(
    served: Served, export: Export, tmp_path: Path, harm: str
) -> None:
    out, blobs = tmp_path / "out", tmp_path / "blobs"
    export("--blobs", blobs)
    first, second = (blobs / digest.hex()[:2] / digest.hex()[2:] for digest in served.digests)
    data = bytearray(first.read_bytes())
    if harm == "one bit":
        data[SEALED_CHUNK + 3] ^= 1
        first.write_bytes(data)
    elif harm == "another":
        first.write_bytes(second.read_bytes())
    elif harm in ("a link", "gone"):
        first.unlink()
        if harm == "a link":
            first.symlink_to(second)
    else:
        first.write_bytes({"cut": data[:-1], "longer": data + b"x", "empty": b""}[harm])
    result = audited(served, out, blobs)
    if harm in ("a link", "gone"):
        assert (grave(result), result.attachments.absent) == ([], 1), "not checked, and said so"
    else:
        (found,) = [finding for finding in result.findings if finding.code == "blob-altered"]
        assert (found.grade, found.log, found.who) == (Grade.INTEGRITY, CT, EST)
        assert found.evidence["digest"] == served.digests[0]
    assert result.attachments.checked == 1


async def test_what_the_relays_disk_has_lost_is_not_copied_and_is_told(
    served: Served, export: Export, tmp_path: Path
) -> None:
    with served.blob(0).open("r+b") as file:
        file.write(b"damage")
    served.blob(1).unlink()
    blobs = tmp_path / "blobs"
    assert export("--blobs", blobs)["blobs"] == {"copied": 0, "damaged": 1, "gone": 1}
    assert not [path for path in blobs.rglob("*") if path.is_file()]
    assert audited(served, tmp_path / "out", blobs).attachments.absent == 2


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"store": "memory:"}, "store"),
        ({"store": "nowhere"}, "no-store"),
        ({"host": "other.example:8443"}, "host"),
        ({"charter": "ab" * 32}, "broken"),
    ],
)
async def test_what_cannot_be_exported_is_one_line(
    served: Served, export: Export, tmp_path: Path, settings: dict[str, str], word: str
) -> None:
    served.settings(**settings)
    error = export(code=74 if word == "broken" else 2)["error"]
    assert f"[{word}]" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


async def test_nothing_is_written_over(served: Served, export: Export, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/of-somebody").write_text("x")
    assert "[not-empty]" in export(code=2)["error"]
    (tmp_path / "out/of-somebody").unlink()
    (tmp_path / "blobs").mkdir()
    assert "[exists]" in export("--blobs", tmp_path / "blobs", code=2)["error"]
