"""The logs of a framework that ran, checked by programs that know C2SP formats and nothing of this library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_interop_log import HERE, go_tool, noble, run

from rsc_share.messages import Indicator
from rsc_share.testing import Framework

__all__ = ["go_tool", "noble"]


@pytest.fixture
async def logs(tmp_path: Path) -> list[Path]:
    """Every log of an export, laid out as the checkers want it: keys, and no proofs beside the log."""
    async with Framework.create("EST", "LVA", "FIN", seed=11) as fw:
        for pattern in ("a", "b", "c"):
            body = Indicator(pattern=pattern, stix_id="i")
            await (await fw.node("EST").channel("main").publish(body, label="TLP:GREEN REL TO @members")).receipt()
        await fw.export(tmp_path / "out")
    found = []
    for log in sorted((tmp_path / "out" / "export" / "logs").iterdir()):
        shutil.move(log / "vkeys", log / "keys.txt")
        (log / "consistency.json").write_text("[]")
        (log / "proofs").mkdir()
        found.append(log)
    return found


async def test_go_checksum_database_verifies_an_exported_framework(go_tool: Path, logs: list[Path]) -> None:
    for log in logs:
        seen = json.loads(run(go_tool, "check", log).stdout)
        assert seen["size"] > 5
        assert len(seen["signatures"]) == 4, "the log and three members, Ed25519"


async def test_node_and_noble_verify_an_exported_framework(noble: Path, logs: list[Path]) -> None:
    for log in logs:
        seen = json.loads(run("node", HERE / "log_check.mjs", "check", log, noble).stdout)
        kinds = [line.split()[0] for line in seen["signatures"]]
        assert (kinds.count("1"), kinds.count("4")) == (1, 3)
        assert kinds.count("6") >= 1, "the log's post-quantum line; witnesses add theirs every ten minutes"
        flipped = log / "checkpoint"
        data = flipped.read_bytes()
        flipped.write_bytes(data.replace(b"\n\n", b"\n \n", 1))
        assert run("node", HERE / "log_check.mjs", "check", log, noble, check=False).returncode == 1
