"""Writing an export: every file whole or not at all, the manifest last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rsc_share.audit import canonical, layout
from rsc_share.audit.besides import pack_besides, pack_view
from rsc_share.audit.heads import knowing
from rsc_share.audit.manifest import FileLine, Manifest, line_of
from rsc_share.audit.orders import pack_orders
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource, belongs_to
from rsc_share.charter.directory import Directory
from rsc_share.crypto.signing import Signer
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tiles import WIDTH, bundles_of, export_log, tile_data, tiles_of
from rsc_share.log.tree import MemoryTree
from rsc_share.names import DIRECTORY, channel_of
from rsc_share.rulebook.witnesses import log_keys, witness_keys


def export_files(source: ExportSource) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every file below export/, one at a time. Raises `LocalError`, `StorageError`."""
    for charter in source.charters:
        yield from _charter_files(charter)
    folders = layout.folders_for([log.origin for log in source.logs])
    for log in source.logs:
        yield from _log_files(log, folders[log.origin], source.view)
        yield from _besides(log, folders[log.origin])
        if log.orders is not None:
            yield layout.orders_file(folders[log.origin]), pack_orders(log.orders)
    for digest in sorted(source.bodies):
        yield layout.body_file(digest), source.bodies[digest]
    reasons = {digest.hex(): reason for digest, reason in source.absent.items()}
    yield layout.ABSENT, canonical.encode(reasons)


def whole_export(source: ExportSource, signer: Signer | None = None) -> dict[str, bytes]:
    """The whole export in memory, manifest and charter digest included: for tests and small logs."""
    files = dict(export_files(source))
    lines = [line_of(path, data) for path, data in files.items()]
    files[layout.CHARTER_DIGEST] = charter_digest_file(source)
    files[layout.MANIFEST] = _manifest(source, lines, signer).encode()
    return files


def write_export(source: ExportSource, out: Path, signer: Signer | None = None) -> Manifest:
    """Write an export into the new or empty folder `out`. Without a manifest in it, it was not finished."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LocalError(f"{out} is not empty", code="not-empty", advice="name a new folder")
    lines = []
    for path, data in export_files(source):
        write_whole(out / path, data)
        lines.append(line_of(path, data))
    write_whole(out / layout.CHARTER_DIGEST, charter_digest_file(source))
    made = _manifest(source, lines, signer)
    write_whole(out / layout.MANIFEST, made.encode())
    return made


def vkeys_of(directory: Directory, origin: str) -> list[str]:
    """What belongs into a log's `vkeys`: its own keys, then its witnesses', as of the directory's newest entry."""
    view, now = knowing(directory, origin), directory.logged_at(directory.size - 1)
    return [key.vkey for key in (*log_keys(view, origin), *witness_keys(view, origin, now))]


def charter_digest_file(source: ExportSource) -> bytes:
    """The framework id (the digest of charter version 1) in hex: for comparing with what came another way."""
    return f"{source.framework_id.hex()}\n".encode()


def _manifest(source: ExportSource, lines: list[FileLine], signer: Signer | None) -> Manifest:
    files = tuple(sorted(lines, key=lambda line: line.path))
    made = Manifest(source.framework_id, source.by, source.exported_at, source.tool, source.view, files)
    return made if signer is None else made.signed(signer)


def _charter_files(charter: CharterBodies) -> Iterator[tuple[str, bytes]]:
    contents = (charter.text, charter.keys, charter.signatures, charter.bundle)
    for name, data in zip(layout.CHARTER_FILES, contents, strict=True):
        yield layout.charter_file(charter.version, name), data


def _log_files(log: LogSource, folder: str, view: str) -> Iterator[tuple[str, bytes]]:
    tree = MemoryTree(map(leaf_hash, log.entries))
    if view == "full" or channel_of(log.origin) == DIRECTORY:
        for path, data in export_log(tree, log.entries):
            yield layout.log_file(folder, path), data
    else:
        for tile in tiles_of(tree.size):
            yield layout.log_file(folder, tile.path), tile_data(tree, tile)
        yield from _view_files(log, folder, view)
    yield layout.log_file(folder, "vkeys"), "".join(f"{vkey}\n" for vkey in log.vkeys).encode()
    yield layout.log_file(folder, "checkpoint"), log.note


def _view_files(log: LogSource, folder: str, member: str) -> Iterator[tuple[str, bytes]]:
    for tile in bundles_of(len(log.entries)):
        first = tile.index * WIDTH
        batch = log.entries[first : first + tile.width]
        own = [(first + i, raw) for i, raw in enumerate(batch) if belongs_to(member, raw)]
        if own:
            yield layout.view_file(folder, tile.index), pack_view(own)


def _besides(log: LogSource, folder: str) -> Iterator[tuple[str, bytes]]:
    for bundle in sorted({index // WIDTH for index in (*log.openings, *log.statements)}):
        span = range(bundle * WIDTH, (bundle + 1) * WIDTH)
        rows = [(i, log.openings.get(i, {}), log.statements.get(i, {})) for i in span]
        held = [row for row in rows if row[1] or row[2]]
        if held:
            yield layout.openings_file(folder, bundle), pack_besides(held)
