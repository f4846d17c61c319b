"""The same values as JSON, for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rsc_share.demo.parts import Ledger, Part, failed

FORMAT = "rsc-share demo 1"


def summary(parts: Sequence[Part], out: Path, network: Path | None, seconds: float) -> dict[str, Any]:
    """`network`: the folder of the half that ran over one. `table` holds what the table on the screen says: one row for
    each portion and member."""
    steps = [{"step": number, "title": part.title, **asdict(part)} for number, part in enumerate(parts, 1)]
    return {
        "format": FORMAT,
        "ok": not failed(parts),
        "failed": list(failed(parts)),
        "claims": sum(len(part.claims) for part in parts),
        "seconds": round(seconds, 3),
        "out": str(out),
        "network": None if network is None else str(network),
        "table": [line for part in parts if isinstance(part, Ledger) for line in _table(part)],
        "steps": steps,
    }


def _table(ledger: Ledger) -> Iterator[Mapping[str, Any]]:
    for row in ledger.rows:
        for cell in row.cells:
            yield {
                "references": list(row.references),
                "sender": row.sender,
                "channel": row.channel,
                "portion": row.portion,
                "label": row.label,
                "member": cell.member,
                "outcome": cell.code,
                "rule": cell.rule,
                "why": cell.why,
                "read": cell.read,
                "signed_for": cell.signed,
            }
