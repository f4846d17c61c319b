"""A whole export, the way an auditor gets it, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rsc_share.audit import layout
from rsc_share.audit.export import whole_export
from rsc_share.audit.manifest import Manifest
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource, cut_to
from rsc_share.charter.amendment import read_reference
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.envelope.entry import DirectoryEntry, Stamp
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import Note
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.witnesses import log_keys, witness_keys
from rsc_share.testing.vectors import rules
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import Channel
from rsc_share.testing.vectors.framework import DIRECTORY, LOG, STATES, Framework
from rsc_share.testing.vectors.material import Material, refusal
from rsc_share.testing.vectors.story import tell


def export(material: Material) -> Vectors:
    channel = Channel(material)
    tell(channel)
    source = source_of(channel)
    signer = material.key("EST export")
    files = whole_export(source, signer)
    cut = whole_export(cut_to(source, "FIN"))
    return {
        "what": "A full export: path to bytes in hex. `member_view` names the files that differ when cut to FIN.",
        "charter_digest": channel.framework.id.hex(),
        "files": {path: data.hex() for path, data in sorted(files.items())},
        "member_view": {
            "paths": sorted(cut),
            "files": {
                path: data.hex() for path, data in sorted(cut.items()) if "entries-view" in path or "openings" in path
            },
        },
        "bad_manifests": _bad(files[layout.MANIFEST]),
    }


def _bad(good: bytes) -> list[dict[str, Any]]:
    changes = {
        "another byte in a digest": good.replace(b'"sha256": "', b'"sha256": "0', 1).replace(b'",\n', b'",\n', 1),
        "two spaces of indent": good.replace(b"\n ", b"\n  ", 1),
        "no final newline": good[:-1],
        "another exporter": good.replace(b'"by": "EST', b'"by": "LVA', 1),
        "another format": good.replace(b"rsc-share export 1", b"rsc-share export 2"),
        "a path that leads out": good.replace(b'"path": "export/', b'"path": "export/../', 1),
    }
    return [{"why": why, "manifest": data.hex()} for why, data in changes.items() if refusal(Manifest.parse, data)]


def source_of(channel: Channel) -> ExportSource:
    framework = channel.framework
    bodies = {digest: body for draft in channel.beside for digest, body in draft.bodies.items()}
    raw = [DirectoryEntry.stamped(e.data, Stamp(e.logged_at, i)).raw for i, e in enumerate(framework.entries)]
    return ExportSource(
        framework_id=framework.id,
        by="EST",
        exported_at=channel.now + 60_000,
        tool="rsc-share 0.1.0",
        charters=charters_of(framework),
        logs=[
            _log(channel, DIRECTORY, raw, channel.directory_tree),
            LogSource(
                LOG,
                [entry.raw for entry in channel.entries],
                note_of(channel, LOG, channel.tree),
                _vkeys(channel, LOG),
                {i: draft.openings for i, draft in enumerate(channel.beside) if draft.openings},
                {i: draft.statements for i, draft in enumerate(channel.beside) if draft.statements},
            ),
        ],
        bodies=bodies,
    )


def _log(channel: Channel, origin: str, entries: list[bytes], tree: MemoryTree) -> LogSource:
    return LogSource(origin, entries, note_of(channel, origin, tree), _vkeys(channel, origin))


def charters_of(framework: Framework) -> list[CharterBodies]:
    """Every version in the directory, with its bodies."""
    objects = [UnverifiedObject.parse(entry.data) for entry in framework.entries if entry.code is None]
    references = [read_reference(found) for found in objects if found.kind == "charter"]
    body = framework.bodies
    return [CharterBodies(r.version, body[r.text], body[r.keys], body[r.signatures], rules.PACKED) for r in references]


def _vkeys(channel: Channel, origin: str) -> list[str]:
    view = channel.framework.directory.at(channel.framework.directory.size)
    keys = (*log_keys(view, origin), *witness_keys(view, origin, channel.now))
    return [key.vkey for key in keys]


def note_of(
    channel: Channel, origin: str, tree: MemoryTree, *, time: int | None = None, by: Sequence[str] = STATES[:3]
) -> bytes:
    """A checkpoint signed by its log and cosigned by `by`, from `time` (seconds) on, a second apart."""
    framework, time = channel.framework, channel.now // 1000 + 1 if time is None else time
    head = Checkpoint(origin, tree.size, tree.root())
    log, log_pq = framework.log_keys()
    lines = [sign_checkpoint(head, log), cosign_mldsa44(head, origin, log_pq, time)]
    for i, code in enumerate(by):
        name = f"{framework.charter.framework}/{code}/mod-1"
        lines.append(cosign_ed25519(head, name, framework.witness(f"{code}/mod-1")[0], time + i))
    pq = framework.witness("EST/mod-1")[1]
    return Note(head.text(), (*lines, cosign_mldsa44(head, "regional/EST/mod-1", pq, time))).encode()
