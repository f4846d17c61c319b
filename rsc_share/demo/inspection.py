"""Export, replay, report; then one byte of a copy is flipped and the auditor is asked again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsc_share import names
from rsc_share.audit import html, layout, outcome, report
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import write_export
from rsc_share.audit.files import Folder, MemoryFiles
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.manifest import Manifest, line_of
from rsc_share.audit.replay import Replay, replay
from rsc_share.crypto.signing import Signer
from rsc_share.demo import parts, texts
from rsc_share.demo.parts import Audited, Claim, Exported, Flip, Flipped, Part
from rsc_share.demo.stage import STATES, TERROR, Sent, Stage
from rsc_share.durable import write_whole
from rsc_share.testing.auditing import export_source
from rsc_share.testing.founding import OPERATOR
from rsc_share.value import replace

DEMO = " demo"
"""What the tool's name in a manifest ends with: such a folder may be replaced by the next run."""
MEMBER = "EST"
PQ_LINE = 11
"""Seconds after which every log has put its post-quantum signature under its last checkpoint too."""
MANDATE = report.Mandate(
    asked_by="the four states of the demonstration",
    question="Did anybody receive what the rules withheld, and does every log show one history?",
    period="23 November 2026, by the clock of the demonstration",
    basis="fictional",
    examiner="rsc_share demo",
    label="UNMARKED (fictional)",
    charter_digest_from="the founding of the demonstration, before anything was exported",
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the auditor needs besides the export: who signs manifests, and what it holds from outside.

    `held` are checkpoints by channel from one member itself: no relay stands between it and the auditor.
    """

    folder: Path
    signer: Signer
    held: Mapping[str, bytes]
    anchors: Anchors
    target: Sent


async def inspect(stage: Stage, folder: Path) -> tuple[Part, ...]:
    """Write the export and the reports into `folder`; what was written, found, and found in altered copies."""
    await stage.pass_time(seconds=PQ_LINE)
    held = {names.channel_of(log): note for log, note in stage.node(MEMBER).engine.notes().items()}
    inspection = Inspection(
        folder=folder,
        held=held,
        signer=stage.fw.founded.log_keys[0],
        anchors=Anchors(
            charter_digest=stage.fw.founded.framework_id,
            checkpoints={f"{channel}, from {MEMBER}": note for channel, note in held.items()},
        ),
        target=next(sent for sent in stage.sent if sent.draft.body is texts.ASSESSMENT),
    )
    exported = await _export(stage, inspection)
    _hand_over(stage, folder)
    return exported, _audit(inspection), _flip(inspection)


def _hand_over(stage: Stage, folder: Path) -> None:
    """What every state would give the auditor itself: the newest witnessed checkpoint it holds of each log."""
    for member in STATES:
        for log, note in stage.node(member).engine.notes().items():
            write_whole(folder / layout.CHECKPOINTS / member / names.channel_of(log), note)


async def _export(stage: Stage, inspection: Inspection) -> Exported:
    source = await export_source(stage.fw.relay_service, OPERATOR)
    source = replace(source, tool=f"{source.tool}{DEMO}")
    manifest = write_export(source, inspection.folder, inspection.signer)
    files = read_all(inspection.folder)
    said = [text.encode() for text in _texts(stage)]
    return Exported(
        files=len(files),
        size=sum(map(len, files.values())),
        logs=tuple((names.channel_of(log.origin), len(log.entries)) for log in source.logs),
        manifest=manifest.checksum.hex(),
        claims=(
            Claim(
                f"none of the {len(said)} texts that were sent stands in any file of the export",
                bool(said) and not any(text in data for text in said for data in files.values()),
            ),
        ),
    )


def _texts(stage: Stage) -> Iterator[str]:
    """Words of every message: titles, portions, patterns. What is too short to be told from chance is left out."""
    for sent in stage.sent:
        body = sent.draft.body
        found: list[Any] = [getattr(body, name, None) for name in ("title", "pattern", "identifier", "stix_id")]
        found += [portion.value for portion in getattr(body, "text", ())]
        yield from (text for text in found if isinstance(text, str) and len(text) >= 8)


def _audit(inspection: Inspection) -> Audited:
    began, clock = time.time_ns() // 1_000_000, time.monotonic()
    result = replay(Folder(inspection.folder), inspection.anchors)
    run = report.Run(began, time.monotonic() - clock, report.versions())
    made = report.report(result, MANDATE, run)
    write_whole(inspection.folder / layout.REPORT_JSON, report.encode(made))
    write_whole(inspection.folder / layout.REPORT_HTML, html.render(made).encode())
    counts = made["content"]["reconciliation"]
    return Audited(
        first_line=made["first_line"],
        exit_code=made["exit_code"],
        entries=counts["entries"],
        signatures=counts["signatures"],
        decisions=counts["decisions"],
        anchors=(f"charter digest {result.pin.hex()}", *(f"checkpoint of {h.source}" for h in result.anchored.heads)),
        checkpoints={channel: note.decode() for channel, note in inspection.held.items()},
        grades=tuple(parts.Grade(name, count) for name, count in made["content"]["grades"].items()),
        findings=tuple(map(sentence, result.findings)),
        digest=made["findings_digest"],
        claims=(
            Claim("no breach, no integrity failure, no irregularity; anchored outside the export", _clean(result)),
            Claim("every entry was judged, and every decision by two programs", _all_judged(counts)),
        ),
    )


def _clean(result: Replay) -> bool:
    return outcome.exit_code(result) == outcome.Exit.CLEAN


def _all_judged(counts: Mapping[str, Any]) -> bool:
    return bool(counts["entries"] == counts["checked"] > 0 and counts["decisions"] > 0)


def sentence(finding: Finding) -> str:
    place = f" at {names.channel_of(finding.log)} {finding.index}" if finding.index is not None else ""
    return f"{finding.grade.text}, {finding.code}{place}: {finding.what}"


def read_all(folder: Path) -> dict[str, bytes]:
    files = Folder(folder)
    return {path: files.read(path, layout.MAX_BODY) or b"" for path in files.paths()}


def _flip(inspection: Inspection) -> Flipped:
    files = read_all(inspection.folder)
    path, offset = _place(files, inspection.target)
    altered = bytearray(files[path])
    altered[offset] ^= 1
    copy = {**files, path: bytes(altered)}
    plain = replay(MemoryFiles(copy), inspection.anchors)
    again = replay(MemoryFiles(_manifest_again(copy, inspection.signer)), inspection.anchors)
    return Flipped(
        path=path,
        offset=offset,
        before=files[path][offset],
        after=altered[offset],
        flips=(_flipped(plain, path, again=False), _flipped(again, path, again=True)),
        claims=(
            Claim("the auditor names the file", _names(plain, path)),
            Claim(
                "with a new signed manifest over the altered file, the log itself still gives it away", _by_log(again)
            ),
        ),
    )


def _place(files: Mapping[str, bytes], target: Sent) -> tuple[str, int]:
    """Where the assessment stands in the export: the middle of its entry."""
    entry = target.receipt.place.entry
    folder = layout.log_file(TERROR, "tile/entries/")
    path = next(path for path, data in sorted(files.items()) if path.startswith(folder) and entry in data)
    return path, files[path].index(entry) + len(entry) // 2


def _manifest_again(files: Mapping[str, bytes], signer: Signer) -> dict[str, bytes]:
    """What a forger who is the exporter would do: every hash right again, and its signature under them."""
    manifest = Manifest.parse(files[layout.MANIFEST])
    lines = tuple(line_of(line.path, files[line.path]) for line in manifest.files)
    return {**files, layout.MANIFEST: replace(manifest, files=lines, seal=None).signed(signer).encode()}


def _flipped(result: Replay, path: str, *, again: bool) -> Flip:
    leading = [f for f in result.findings if f.evidence.get("path") == path or (f.log and f.grade <= Grade.INTEGRITY)]
    code = int(outcome.exit_code(result))
    return Flip(again, code, tuple(map(sentence, leading)), tuple(map(sentence, result.findings)))


def _names(result: Replay, path: str) -> bool:
    return any(finding.code == "file" and finding.evidence.get("path") == path for finding in result.findings)


def _by_log(result: Replay) -> bool:
    """Found without any help of the manifest: an integrity failure that is about the log's content."""
    grave = [finding for finding in result.findings if finding.grade <= Grade.INTEGRITY]
    return bool(grave) and all(not _about_manifest(finding) for finding in grave)


def _about_manifest(finding: Finding) -> bool:
    return finding.code == "file" and str(finding.evidence.get("right", "")).startswith("SHA-256")
