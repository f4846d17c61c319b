"""The logs of an export: one folder each, with a checkpoint that parses. Nothing is verified here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rsc_share import shape
from rsc_share.audit import layout
from rsc_share.audit.files import Files
from rsc_share.audit.findings import Finding, file_finding
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.note import Note, VerifierKey
from rsc_share.log.tiles import WIDTH


@dataclass(frozen=True, slots=True)
class LogFiles:
    """One log's folder: its checkpoint note, parsed but not verified, and the keys the exporter says are its."""

    folder: str
    note: bytes
    checkpoint: Checkpoint
    vkeys: tuple[VerifierKey, ...]
    lines: tuple[str, ...]
    """(key names of the note's signature lines, each with its 4-byte id in hex)"""


def find_logs(files: Files, here: list[str], findings: list[Finding]) -> dict[str, LogFiles]:
    """By origin. A folder whose checkpoint does not parse is a finding and no log."""
    paths = layout.below(here, layout.LOGS)
    folders = Counter(folder for path in paths if (folder := layout.folder_of(path)) is not None)
    found: dict[str, LogFiles] = {}
    for folder in sorted(folders):
        path = layout.log_file(folder, "checkpoint")
        try:
            log = _log(files, folder, folders[folder])
        except RemoteError as error:
            findings.append(file_finding(path, f"cannot be used: {error.what}", "a C2SP checkpoint"))
            continue
        if log.checkpoint.origin in found:
            findings.append(
                file_finding(path, f"is a second one of {log.checkpoint.origin}", "one folder for each log")
            )
            continue
        found[log.checkpoint.origin] = log
        findings.extend(_misplaced(log))
    findings += _misnumbered(sorted(folders))
    return found


def _misnumbered(folders: list[str]) -> Iterator[Finding]:
    """Folders that skip a number: `ct.2` without `ct` says that a log was taken away, or renamed."""
    channels = Counter(folder.partition(".")[0] for folder in folders)
    for folder in folders:
        channel, _, number = folder.partition(".")
        if int(number or 1) > channels[channel] or number == "1":
            path = layout.log_file(folder, "checkpoint")
            yield file_finding(path, f"is one of {channels[channel]} logs of {channel}", "numbers without a gap")


def _misplaced(log: LogFiles) -> list[Finding]:
    channel = log.checkpoint.origin.rpartition("/")[2]
    if log.folder.partition(".")[0] == channel:
        return []
    path = layout.log_file(log.folder, "checkpoint")
    return [file_finding(path, f"is of the log {log.checkpoint.origin}", f"a checkpoint of {log.folder}")]


def _log(files: Files, folder: str, count: int) -> LogFiles:
    """`count`: how many files are in the folder."""
    note = _text(files, layout.log_file(folder, "checkpoint"), layout.MAX_NOTE)
    parsed = Note.parse(note)
    lines = _text(files, layout.log_file(folder, "vkeys"), layout.MAX_TEXT).decode("utf-8", "replace").split("\n")
    if lines.pop() != "":
        raise shape.wrong("vkeys", "does not end with a newline")
    keys = tuple(VerifierKey.parse(line) for line in lines)
    signers = tuple(f"{line.name} {line.key_id.hex()}" for line in parsed.signatures)
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.size > WIDTH * count:  # every entry will get a place in memory: not for a number alone
        raise RemoteError(f"it speaks of {checkpoint.size} entries, its folder holds {count} files")
    return LogFiles(folder, note, checkpoint, keys, signers)


def _text(files: Files, path: str, limit: int) -> bytes:
    data = files.read(path, limit)
    if data is None or len(data) > limit:
        raise RemoteError(f"{path} is missing or too long")
    return data
