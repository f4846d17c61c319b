"""From what a relay keeps to an export that an auditor can replay. No key is in it and none is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rsc_share import __version__
from rsc_share.audit.export import vkeys_of
from rsc_share.audit.orders import Orders, orders_of
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource, Reason
from rsc_share.charter.amendment import body_digests, read_reference
from rsc_share.charter.directory import Directory
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.text import parse_charter
from rsc_share.envelope.contents import HeartbeatContent
from rsc_share.envelope.entry import DirectoryEntry, UnverifiedEntry
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.names import DIRECTORY, channel_of
from rsc_share.relay.snapshot import Snapshot
from rsc_share.session.frames import Statement

_WHY: Mapping[str, Reason] = {"recall": "recalled", "erasure": "erased", "expired": "expired"}
"""Why the relay has erased a body, the kind of entry that ordered it or its expiry, as an export says it."""
TOOL = f"rsc_share {__version__}"


def source_of(
    snapshots: Iterable[Snapshot], directory: Directory, *, framework_id: bytes, by: str, now: int
) -> ExportSource:
    """Everything in `snapshots`, as the operator `by` hands it to an auditor. `now` is ms UTC."""
    logs = sorted(snapshots, key=lambda snapshot: snapshot.origin)
    bodies: dict[bytes, bytes] = {}
    charters: list[CharterBodies] = []
    for snapshot in logs:
        if channel_of(snapshot.origin) == DIRECTORY:
            charters = _charters(snapshot)
        else:
            bodies.update(snapshot.bodies)
    return ExportSource(
        framework_id=framework_id,
        by=by,
        exported_at=now,
        tool=TOOL,
        charters=charters,
        logs=[_log(snapshot, directory) for snapshot in logs],
        bodies=bodies,
        absent=_absent([snapshot for snapshot in logs if channel_of(snapshot.origin) != DIRECTORY], bodies.keys()),
    )


def _absent(logs: Sequence[Snapshot], present: Collection[bytes]) -> dict[bytes, Reason]:
    """Why bodies are not here: by digest, while each log has its own. What one log erased may lie in another; and of
    two reasons one would be wrong at one of the entries, where none is asked for."""
    why: dict[bytes, set[Reason]] = {}
    for snapshot in logs:
        for digest, kind in snapshot.erased.items():
            why.setdefault(digest, set()).add(_WHY[kind])
    found = {digest: next(iter(reasons)) for digest, reasons in why.items() if len(reasons) == 1}
    found |= {digest: "apart" for snapshot in logs for digest in snapshot.apart}
    return {digest: reason for digest, reason in found.items() if digest not in present}


def _charters(snapshot: Snapshot) -> list[CharterBodies]:
    found = []
    for stored in snapshot.entries:
        data = DirectoryEntry.parse(stored.entry).object
        if not body_digests(data):
            continue
        reference = read_reference(UnverifiedObject.parse(data))
        text = snapshot.bodies[reference.text]
        found.append(
            CharterBodies(
                reference.version,
                text,
                snapshot.bodies[reference.keys],
                snapshot.bodies[reference.signatures],
                snapshot.bodies[parse_charter(text).policy],
            )
        )
    return found


def _log(snapshot: Snapshot, directory: Directory) -> LogSource:
    channel = channel_of(snapshot.origin) != DIRECTORY
    entries = [stored.entry for stored in snapshot.entries]
    return LogSource(
        origin=snapshot.origin,
        entries=entries,
        note=snapshot.note,
        vkeys=vkeys_of(directory, snapshot.origin),
        openings={i: stored.openings for i, stored in enumerate(snapshot.entries) if stored.openings},
        statements=_statements(snapshot) if channel else {},
        orders=_orders(snapshot, entries) if channel and snapshot.tail else None,
    )


def _orders(snapshot: Snapshot, entries: list[bytes]) -> Orders | None:
    tree = MemoryTree(leaf_hash(raw) for raw in (*entries, *snapshot.tail))
    return orders_of(tree, len(entries), snapshot.tail, snapshot.tail_note)


def _statements(snapshot: Snapshot) -> Mapping[int, Mapping[str, Statement]]:
    found: dict[int, Mapping[str, Statement]] = {}
    for index, stored in enumerate(snapshot.entries):
        if stored.statements:
            content = UnverifiedEntry.parse(stored.entry).header.content
            if isinstance(content, HeartbeatContent):
                senders = [node for node, _ in content.received]
                found[index] = dict(zip(senders, stored.statements, strict=True))
    return found
