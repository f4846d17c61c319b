"""An export's files: whatever is done to one of them is named, and nothing done to them ends in a traceback."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from rsc_share.audit import layout
from rsc_share.audit.besides import pack_besides, pack_view, read_besides, read_view
from rsc_share.audit.export import whole_export, write_export
from rsc_share.audit.files import Folder, MemoryFiles
from rsc_share.audit.load import load
from rsc_share.audit.manifest import Manifest
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.envelope.parts import Opening
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import KeyType, Note, VerifierKey
from rsc_share.log.tree import MemoryTree
from rsc_share.session.frames import Statement

KEY = PrivateKey.generate(Suite.ED25519, seed=b"log")


def synthetic(entries: int = 3) -> ExportSource:
    """Logs of any bytes: the files do not care what an entry says."""
    return ExportSource(
        framework_id=bytes(32),
        by="HUB",
        exported_at=1_790_000_000_000,
        tool="test 1",
        charters=[CharterBodies(1, b"text", b"keys", b"signatures", b"bundle")],
        logs=[_log("directory", entries), _log("ct", entries)],
        bodies={_sha(b"body"): b"body"},
        absent={_sha(b"gone"): "recalled"},
    )


def _log(channel: str, count: int) -> LogSource:
    origin = f"relay.example/regional/{channel}"
    entries = [f"{channel} entry {i}".encode() for i in range(count)]
    checkpoint = Checkpoint(origin, count, MemoryTree(map(leaf_hash, entries)).root())
    note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, KEY),)).encode()
    vkeys = [VerifierKey.of(origin, KeyType.ED25519, KEY.public).vkey]
    openings = {1: {"FIN/mod-1": Opening(bytes(16), 1)}}
    statements = {2: {"EST/mod-1": Statement(bytes(16), bytes(32), "stored")}}
    return LogSource(origin, entries, note, vkeys, openings, statements)


def _sha(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()


def _findings(files: dict[str, bytes]) -> list[str]:
    """Codes, or the code of the refusal."""
    try:
        return [finding.code for finding in load(MemoryFiles(files)).findings]
    except RemoteError as error:
        return [error.code]


def test_whole_export_has_no_findings() -> None:
    export = load(MemoryFiles(whole_export(synthetic())))
    assert export.findings == ()
    assert set(export.logs) == {"relay.example/regional/directory", "relay.example/regional/ct"}
    assert export.bodies == {_sha(b"body"): 4}
    assert export.absent == {_sha(b"gone"): "recalled"}
    assert export.claimed_digest == bytes(32)


def test_written_export_equals_the_one_in_memory(tmp_path: Path) -> None:
    source = synthetic(300)
    write_export(source, tmp_path / "out")
    folder = Folder(tmp_path / "out")
    whole = whole_export(source)
    assert {path: folder.read(path, 1 << 20) for path in folder.paths()} == whole
    assert load(folder).findings == ()


def test_export_is_not_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"")
    with pytest.raises(LocalError, match="not empty"):
        write_export(synthetic(), tmp_path)


def test_every_byte_flipped_is_a_finding_or_a_refusal() -> None:
    whole = whole_export(synthetic())
    for path, data in whole.items():
        for at in range(len(data)):
            flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert _findings({**whole, path: flipped}), f"{path} byte {at}"


@pytest.mark.parametrize("path", sorted(whole_export(synthetic())))
def test_every_file_removed_truncated_emptied_or_doubled_is_a_finding(path: str) -> None:
    whole = whole_export(synthetic())
    without = {name: data for name, data in whole.items() if name != path}
    assert _findings(without)
    assert _findings({**whole, path: whole[path][:-1]})
    assert _findings({**whole, path: b""})
    assert _findings({**whole, f"export/{path}": whole[path]})


def test_swapped_files_are_findings() -> None:
    whole = whole_export(synthetic())
    names = sorted(path for path in whole if path.startswith("export/"))
    for first, second in itertools.pairwise(names):
        if whole[first] != whole[second]:
            swapped = {**whole, first: whole[second], second: whole[first]}
            assert _findings(swapped), (first, second)


def test_added_file_is_named() -> None:
    whole = whole_export(synthetic())
    assert _findings({**whole, "export/notes.txt": b"x"}) == ["file"]
    assert _findings({**whole, "notes.txt": b"x"}) == ["file-beside"]
    assert _findings({**whole, layout.REPORT_JSON: b"x"}) == []


def test_link_out_of_the_export_is_never_followed(tmp_path: Path) -> None:
    write_export(synthetic(), tmp_path / "out")
    secret = tmp_path / "secret"
    secret.write_bytes(b"text")
    inside = tmp_path / "out/export/charter/0001/charter.toml"
    inside.unlink()
    inside.symlink_to(secret)
    (tmp_path / "out/export/more").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "out/export/pipe")
    folder = Folder(tmp_path / "out")
    found = {finding.evidence["path"] for finding in load(folder).findings}
    assert {"export/charter/0001/charter.toml", "export/more", "export/pipe"} <= found
    assert folder.read("export/charter/0001/charter.toml", 10) is None
    assert folder.read("export/more/secret", 10) is None
    assert folder.read("export/pipe", 10) is None


def test_manifest_signature_covers_every_file() -> None:
    whole = whole_export(synthetic(), KEY)
    manifest = Manifest.parse(whole[layout.MANIFEST])
    manifest.verify()
    assert manifest.encode() == whole[layout.MANIFEST]
    forged = Manifest(manifest.framework_id, "EST", *_rest(manifest))
    with pytest.raises(RemoteError):
        forged.verify()


def _rest(m: Manifest) -> tuple[object, ...]:
    return m.exported_at, m.tool, m.view, m.files, m.seal


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "export//x", "export/./x", "", "a\0b", "export\\x"])
def test_manifest_cannot_name_a_path_outside(path: str) -> None:
    with pytest.raises(RemoteError):
        layout.safe(path)


def test_besides_and_views_have_one_spelling() -> None:
    rows = [
        (256, {"FIN/a": Opening(bytes(16), 3)}, {}),
        (258, {}, {"EST/b": Statement(bytes(16), bytes(32), "opened")}),
    ]
    data = pack_besides(rows)
    found = read_besides(data, 1)
    assert pack_besides([(i, found[i].openings, found[i].statements) for i in found]) == data
    with pytest.raises(RemoteError):
        read_besides(data, 0)
    view = pack_view([(3, b"x"), (4, b"y")])
    assert read_view(view, 0) == {3: b"x", 4: b"y"}
    with pytest.raises(RemoteError):
        read_view(pack_view([(4, b"x"), (3, b"y")]), 0)


def test_export_without_a_log_is_refused() -> None:
    whole = {path: data for path, data in whole_export(synthetic()).items() if "/logs/" not in path}
    with pytest.raises(RemoteError) as error:
        load(MemoryFiles(whole))
    assert error.value.code == "unreadable-export"


def test_two_logs_of_one_channel_lie_in_two_folders() -> None:
    origins = ["a.example/f/ct", "b.example/f/ct", "a.example/f/directory"]
    assert list(layout.folders_for(origins).values()) == ["ct", "ct.2", "directory"]
