"""The report as values: the sections a committee needs in order to sign it, in their order.

`content` depends on nothing but the input and the examiner's mandate, so two examiners can compare one digest.
What differs from run to run (machine, time, versions) stands apart in `run`.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

from rsc_share import names
from rsc_share.audit import canonical, completeness, outcome
from rsc_share.audit.classes import CHECKED, FINDING, NOT_REACHED, REASONS
from rsc_share.audit.custody import owner
from rsc_share.audit.findings import Grade, printable
from rsc_share.audit.replay import Replay
from rsc_share.audit.unchecked import unchecked
from rsc_share.compiled import described

_LIBRARIES = ("rsc-share", "cryptography", "msgpack", "msgspec", "pynacl")


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who asked what. Free text by the examiner; `label` is printed on every page."""

    asked_by: str = ""
    question: str = ""
    period: str = ""
    basis: str = ""
    examiner: str = ""
    label: str = "UNMARKED"
    charter_digest_from: str = ""
    """Where the charter digest was taken from, such as `treaty annex, page 12`."""


@dataclass(frozen=True, slots=True)
class Run:
    """What differs from run to run. Times in ms."""

    started: int
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)


def report(result: Replay, mandate: Mandate | None = None, run: Run | None = None) -> dict[str, Any]:
    """The whole report. `findings_digest` covers everything but `run`."""
    content = _content(result, mandate or Mandate())
    return {
        "first_line": outcome.first_line(result),
        "scope": content["scope"],
        "exit_code": int(outcome.exit_code(result)),
        "findings_digest": hashlib.sha256(canonical.encode(content)).hexdigest(),
        "content": content,
        "run": None if run is None else _run(run),
    }


def encode(made: Mapping[str, Any]) -> bytes:
    """`report.json`."""
    return canonical.encode(dict(made))


def versions() -> dict[str, str]:
    """Of this program and what it stands on; `source_sha256` is over the files it was run from."""
    found = {
        "python": f"{platform.python_version()}, {described()}",
        "openssl": backend.openssl_version_text(),
        "machine": platform.platform(),
        "source_sha256": _source(),
    }
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _source() -> str:
    """SHA-256 over path and SHA-256 of every module of the package: two examiners know whether they ran the same."""
    root = Path(__file__).parents[1]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in sorted(root.rglob("*.py"))
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _content(result: Replay, mandate: Mandate) -> dict[str, Any]:
    return {
        "scope": outcome.scope(result),
        "mandate": _mandate(result, mandate),
        "custody": _custody(result),
        "anchors": _anchors(result, mandate),
        "reconciliation": _reconciliation(result),
        "completeness": {"logs": completeness.statements(result), "limits": completeness.limits(result)},
        "findings": [finding.values() for finding in result.findings],
        "grades": _grades(result),
        "labels_against_content": (
            "Not replayable. Labels are checked against content by sampling: holders show salt and payload of entries "
            "drawn by lot, `audit disclose` matches them with the commitments, and people judge."
        ),
        "rules": _rules(result),
        "not_checked": list(unchecked(result)),
    }


def _mandate(result: Replay, mandate: Mandate) -> dict[str, Any]:
    return {
        "asked_by": printable(mandate.asked_by),
        "question": printable(mandate.question),
        "period": printable(mandate.period),
        "basis": printable(mandate.basis),
        "examiner": printable(mandate.examiner),
        "label": printable(mandate.label),
        "channels": [names.channel_of(origin) for origin in result.walks],
        "view": result.export.manifest.view,
    }


def _custody(result: Replay) -> dict[str, Any]:
    manifest, seal = result.export.manifest, result.export.manifest.seal
    return {
        "manifest_sha256": result.export.manifest_digest.hex(),
        "exported_by": printable(manifest.by),
        "exported_at_claimed": manifest.exported_at,
        "tool": printable(manifest.tool),
        "files": len(manifest.files),
        "bytes": sum(line.size for line in manifest.files),
        "signed_by_key": None if seal is None else seal.key.fingerprint,
        "signed_by": None if seal is None else owner(result.trust, seal.key.key_id),
        "hand_overs": [],
    }


def _anchors(result: Replay, mandate: Mandate) -> dict[str, Any]:
    anchored = result.anchored
    return {
        "outside": anchored.firm,
        "charter_digest": result.pin.hex(),
        "charter_digest_given": anchored.pinned,
        "charter_digest_from": printable(mandate.charter_digest_from),
        "checkpoints": [
            {
                "from": printable(h.source),
                "log": h.origin,
                "size": h.size,
                "root": h.root.hex(),
                "witnessed": h.quorum_time,
            }
            for h in anchored.heads
        ],
        "keys": list(anchored.keys),
        "logs_without_outside_checkpoint": sorted(set(result.classes) - {head.origin for head in anchored.heads}),
    }


def _reconciliation(result: Replay) -> dict[str, Any]:
    gone = result.bodies.counts(result.newest)
    logs = [_one_log(result, origin, gone[origin]) for origin in result.classes]
    return {
        "logs": logs,
        "entries": sum(log["size"] for log in logs),
        "checked": sum(log["checked"] for log in logs),
        "with_finding": sum(log["with_finding"] for log in logs),
        "not_checkable": sum(sum(log["not_checkable"].values()) for log in logs),
        "decisions": result.decisions,
        "distinct_decisions": result.distinct,
        "signatures": result.signatures,
        "bodies_present": len(result.export.bodies),
        "attachments": {
            "checked": result.attachments.checked,
            "checked_bytes": result.attachments.checked_bytes,
            "not_checked": result.attachments.absent,
            "not_checked_bytes": result.attachments.absent_bytes,
        },
    }


def _one_log(result: Replay, origin: str, gone: Mapping[str, int]) -> dict[str, Any]:
    counts, walk = result.classes[origin].counts(), result.walks.get(origin)
    found: dict[str, Any] = {
        "log": origin,
        "size": result.export.logs[origin].checkpoint.size,
        "checked": counts.get(CHECKED, 0),
        "with_finding": counts.get(FINDING, 0),
        "not_checkable": {reason: counts[reason] for reason in (*REASONS, NOT_REACHED) if reason in counts},
        "by_sender": [],
        "openings": 0,
        "statements": 0,
        "bodies": {},
    }
    if walk is not None:
        by_sender = [{"sender": s, "kind": kind, "entries": n} for (s, kind), n in sorted(walk.sums.entries.items())]
        found |= {"by_sender": by_sender, "openings": walk.sums.openings, "statements": walk.sums.statements}
        found["bodies"] = {name: gone[name] for name in sorted(gone)}
    return found


def _grades(result: Replay) -> dict[str, int]:
    return {grade.text: sum(1 for f in result.findings if f.grade is grade) for grade in Grade}


def _rules(result: Replay) -> dict[str, Any]:
    """Charters and policies in force, each with the directory entries and times they hold from."""
    found = []
    for index, kind, logged_at in result.trust.kinds:
        if kind == "charter":
            charter = result.trust.directory.at(index + 1).charter
            found.append(
                {
                    "from_directory_entry": index,
                    "from": logged_at,
                    "version": charter.version,
                    "charter_sha256": charter.digest.hex(),
                    "policy_sha256": charter.policy.hex(),
                    "rulebook": charter.rules,
                }
            )
    disagreements = sum(1 for finding in result.findings if finding.code == "second-opinion")
    return {"charters": found, "second_program_disagreements": disagreements}


def _run(run: Run) -> dict[str, Any]:
    return {
        "started": run.started,
        "milliseconds": round(run.seconds * 1000),
        "versions": dict(run.versions) or versions(),
    }
