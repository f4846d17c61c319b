"""From a running framework to an export an auditor can replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share import __version__
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import REASONS
from rsc_share.audit.export import vkeys_of, whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource, Reason
from rsc_share.charter.amendment import body_digests, read_reference
from rsc_share.charter.directory import Directory
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.text import parse_charter
from rsc_share.envelope.contents import HeartbeatContent
from rsc_share.envelope.entry import DirectoryEntry, UnverifiedEntry
from rsc_share.names import DIRECTORY, channel_of
from rsc_share.relay.service import Relay
from rsc_share.relay.snapshot import Snapshot
from rsc_share.session.frames import Statement

_WHY: Mapping[str, Reason] = {"recall": "recalled", "erasure": "erased"}
"""The kind of entry that made the relay erase a body, as an export says it."""
TOOL = f"rsc_share {__version__}"


@dataclass(frozen=True, slots=True)
class Report:
    """An audit of everything so far. `unchecked` are (log, reason, entries) that no check could reach."""

    findings: tuple[Finding, ...]
    unchecked: tuple[tuple[str, str, int], ...]
    observations: tuple[Finding, ...]
    replay: Replay

    @classmethod
    def of(cls, result: Replay) -> Report:
        return cls(
            findings=tuple(item for item in result.findings if item.grade is not Grade.OBSERVATION),
            unchecked=tuple(
                (log, reason, count)
                for log, classes in result.classes.items()
                for reason, count in classes.counts().items()
                if reason in REASONS
            ),
            observations=tuple(item for item in result.findings if item.grade is Grade.OBSERVATION),
            replay=result,
        )


async def audit(relay: Relay, by: str, pin: bytes, checkpoints: Mapping[str, bytes]) -> Report:
    """Export, forget everything, replay: anchored in the charter's digest and checkpoints that members hold."""
    files = whole_export(await export_source(relay, by))
    return Report.of(replay(MemoryFiles(files), Anchors(pin, dict(checkpoints))))


async def export_source(relay: Relay, by: str) -> ExportSource:
    """Everything the relay holds, as the operator `by` hands it to an auditor. No key is in it and none is needed."""
    snapshots = {origin: await relay.snapshot(origin) for origin in sorted(relay.logs)}
    bodies: dict[bytes, bytes] = {}
    absent: dict[bytes, Reason] = {}
    charters: list[CharterBodies] = []
    for origin, snapshot in snapshots.items():
        if channel_of(origin) == DIRECTORY:
            charters = _charters(snapshot)
        else:
            bodies.update(snapshot.bodies)
            absent.update({digest: _WHY[kind] for digest, kind in snapshot.erased.items()})
            absent.update(dict.fromkeys(snapshot.apart, "apart"))
    return ExportSource(
        framework_id=relay.framework_id,
        by=by,
        exported_at=relay.now(),
        tool=TOOL,
        charters=charters,
        logs=[_log(snapshot, relay.directory) for snapshot in snapshots.values()],
        bodies=bodies,
        absent=absent,
    )


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
    return LogSource(
        origin=snapshot.origin,
        entries=[stored.entry for stored in snapshot.entries],
        note=snapshot.note,
        vkeys=vkeys_of(directory, snapshot.origin),
        openings={i: stored.openings for i, stored in enumerate(snapshot.entries) if stored.openings},
        statements=_statements(snapshot) if channel else {},
    )


def _statements(snapshot: Snapshot) -> Mapping[int, Mapping[str, Statement]]:
    found: dict[int, Mapping[str, Statement]] = {}
    for index, stored in enumerate(snapshot.entries):
        if stored.statements:
            content = UnverifiedEntry.parse(stored.entry).header.content
            if isinstance(content, HeartbeatContent):
                senders = [node for node, _ in content.received]
                found[index] = dict(zip(senders, stored.statements, strict=True))
    return found
