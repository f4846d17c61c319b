"""How far a check of a store has come, kept in its folder, so that an interrupted one goes on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsc_share.durable import write_whole
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import CompactRange
from rsc_share.relay.store.check_blobs import BlobCheck
from rsc_share.relay.store.recompute import Finding, LogCheck

FILE = "check"
MAX_FILE = 16 << 20


@dataclass(slots=True)
class CheckState:
    """`mark`: the mark of damage there was when the check began; under another one it begins anew."""

    mark: str
    logs: dict[str, LogCheck] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    blobs: dict[str, BlobCheck] = field(default_factory=dict)


def save(folder: Path, state: CheckState) -> None:
    """Raises `StorageError` (`not-written`)."""
    value = {
        "mark": state.mark,
        "logs": [_log_value(log) for log in state.logs.values()],
        "findings": [[found.log, found.where, found.what, found.stops] for found in state.findings],
        "blobs": [_blob_value(blobs) for blobs in state.blobs.values()],
    }
    write_whole(folder / FILE, json.dumps(value).encode(), mode=0o600)


def load(folder: Path, mark: str) -> CheckState | None:
    """What was saved under this very mark; None where nothing was, or it cannot be read."""
    try:
        data = (folder / FILE).read_bytes()
        value = json.loads(data) if len(data) <= MAX_FILE else None
        if not isinstance(value, dict) or value["mark"] != mark:
            return None
        logs = [_log(item) for item in value["logs"]]
        blobs = [_blobs(item) for item in value["blobs"]]
        return CheckState(
            mark,
            {log.origin: log for log in logs},
            [Finding(*found) for found in value["findings"]],
            {item.origin: item for item in blobs},
        )
    except (OSError, ValueError, KeyError, TypeError, RemoteError):
        return None


def forget(folder: Path) -> None:
    with suppress(FileNotFoundError):
        (folder / FILE).unlink()


def _log_value(log: LogCheck) -> dict[str, Any]:
    return {
        "origin": log.origin,
        "number": log.number,
        "target": log.target,
        "root": log.root.hex(),
        "edge": [node.hex() for node in log.edge],
        "size": log.tree.size,
        "tree": [node.hex() for node in log.tree.edge],
        "last_body": log.last_body,
        "entries_done": log.entries_done,
        "bodies_done": log.bodies_done,
    }


def _log(value: dict[str, Any]) -> LogCheck:
    return LogCheck(
        value["origin"],
        value["number"],
        value["target"],
        bytes.fromhex(value["root"]),
        tuple(map(bytes.fromhex, value["edge"])),
        CompactRange.from_edge(value["size"], map(bytes.fromhex, value["tree"])),
        value["last_body"],
        value["entries_done"],
        value["bodies_done"],
    )


def _blob_value(blobs: BlobCheck) -> dict[str, Any]:
    return {
        "origin": blobs.origin,
        "number": blobs.number,
        "last": blobs.last,
        "size": blobs.tree.size,
        "tree": [node.hex() for node in blobs.tree.edge],
        "read": blobs.read,
        "missing": blobs.missing,
        "done": blobs.done,
    }


def _blobs(value: dict[str, Any]) -> BlobCheck:
    return BlobCheck(
        value["origin"],
        value["number"],
        value["last"],
        CompactRange.from_edge(value["size"], map(bytes.fromhex, value["tree"])),
        value["read"],
        value["missing"],
        value["done"],
    )
