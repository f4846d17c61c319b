"""The threat model prints the fixed table of attacks as it is tested: who catches each, by which named check."""

from __future__ import annotations

from pathlib import Path

import test_attacks_by_relays
import test_attacks_on_entries
from attack_bench import name_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "threat-model.md"
PARTIES = {"relay": 0, "node": 1, "sender": 1, "witness": 1, "recipient": 1, "auditor": 2}


def words(name: str) -> str:
    """`SwapAudience` and `swap_audience` as people write it."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").replace("-", " ").strip()


def table() -> list[str]:
    """One line for each attack: the check and code of relay, node and auditor."""
    found: dict[str, list[list[str]]] = {}
    for row in (*test_attacks_on_entries.TABLE, *test_attacks_by_relays.TABLE):
        attack = row.attack if isinstance(row.attack, str) else row.attack.__name__
        cells = found.setdefault(words(attack), [[], [], []])
        for check, code in row.checks:
            said = f"`{name_of(check)}` {code}"
            if said not in cells[PARTIES[row.party]]:
                cells[PARTIES[row.party]].append(said)
    return [
        f"| {attack} | {' · '.join(a)} | {' · '.join(b)} | {' · '.join(c)} |" for attack, (a, b, c) in found.items()
    ]


def test_threat_model_prints_the_table_that_is_tested() -> None:
    text = DOCUMENT.read_text()
    missing = [line for line in table() if line not in text]
    assert not missing, "paste these lines into docs/threat-model.md:\n" + "\n".join(missing)
