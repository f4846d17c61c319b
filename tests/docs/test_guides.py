"""What the guides list is what the program has: alarms, steps of a decision, exit codes of a node's commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rsc_share.cli.frame import Exit
from rsc_share.cli.node_watch import ADVICE
from rsc_share.node.alarms import CODES
from rsc_share.policy.decision import BROKEN, STEPS, UNKNOWN_ACTION

GUIDES = Path(__file__).parents[2] / "docs"


def words(guide: str, head: str) -> set[str]:
    """What stands in the first column of the tables below a heading."""
    text = (GUIDES / guide).read_text()
    part = text[text.index(f"\n## {head}\n") :].split("\n## ", 2)[1]
    first = re.findall(r"^\|([^|]*)\|", part, re.MULTILINE)
    return {word for cell in first for word in re.findall(r"`([a-z-]+)`", cell) or [cell.strip()]}


@pytest.mark.parametrize("code", sorted(CODES | set(ADVICE)))
def test_every_alarm_is_explained_to_its_operator(code: str) -> None:
    assert code in words("operations.md", "A node's directory")


def test_every_exit_code_of_a_nodes_commands_is_explained() -> None:
    found = {int(word) for word in words("operations.md", "A node's directory") if word.isdigit()}
    named = {Exit.OK, Exit.FINDINGS, Exit.BAD_INPUT, Exit.UNAVAILABLE, Exit.BUG, Exit.STORAGE, Exit.STOPPED}
    assert found == set(map(int, named))


def test_every_word_of_a_denial_is_explained_to_developers() -> None:
    known = {*STEPS, UNKNOWN_ACTION, BROKEN, "inactive", "no-prekey"}
    assert known <= words("embedding.md", "Why somebody is not in a plan")
