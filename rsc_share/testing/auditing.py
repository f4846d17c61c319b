"""From a running framework to an export an auditor can replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import REASONS
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.source import ExportSource
from rsc_share.handover import source_of
from rsc_share.relay.service import Relay


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
    snapshots = [await relay.snapshot(origin) for origin in sorted(relay.logs)]
    return source_of(snapshots, relay.directory, framework_id=relay.framework_id, by=by, now=relay.now())
