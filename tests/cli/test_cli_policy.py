"""Lint and explain on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_world import Founders, Run

from rsc_share.labels.shipped import policies_folder


def args(founders: Founders, label: str, **changes: str) -> list[object]:
    values = {"sender": "EST", "node": "FIN/mod-1", "channel": "counter-terrorism", **changes}
    found: list[object] = ["policy", "explain", label, "--charter", founders.packet]
    for name, value in values.items():
        found += [f"--{name.replace('_', '-')}", value]
    return found


def test_shipped_policy_has_no_errors(run: Run) -> None:
    ran = run("policy", "lint")
    assert ran.code == 0, ran
    assert "error" not in ran.out


def test_lint_knows_the_charters_codes(founders: Founders, run: Run) -> None:
    ran = run("policy", "lint", "--charter", founders.packet, "--json")
    assert ran.code == 1
    errors = {finding["what"] for finding in ran.json["findings"] if finding["severity"] == "error"}
    assert "no family cyber" in errors


def test_lint_finds_what_means_less_than_it_says(run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(policies_folder(), tmp_path / "policies"))
    rows = folder / "agreements/regional.toml"
    rows.write_text(rows.read_text().replace('tags = { caveat = ["CRYPTO"] }', 'tags = { caveat = ["CRIPTO"] }'))
    ran = run("policy", "lint", folder)
    assert ran.code == 1
    assert "CRIPTO" in ran.out
    rows.write_text("[[agreement]]\nid = 3\n")
    run("policy", "lint", folder).fails(2, "policy-file")
    run("policy", "lint", tmp_path / "none").fails(2, "no-folder")


def test_explain_permitted_with_its_steps(founders: Founders, run: Run) -> None:
    ran = run(*args(founders, "REGIONAL SECRET REL TO FIN"))
    assert ran.code == 0, ran
    assert "permitted (released)" in ran.out
    values = run(*args(founders, "REGIONAL SECRET REL TO FIN"), "--json").json
    assert len(values["steps"]) == 12
    assert values["row"] == "EST-FIN-2026-ct"


def test_explain_denied_names_the_nearest_change(founders: Founders, run: Run) -> None:
    ran = run(*args(founders, "REGIONAL SECRET REL TO LVA"))
    assert ran.code == 1
    assert "DENIED (audience)" in ran.out
    assert "adds the reader to REL TO" in ran.out
    assert run(*args(founders, "REGIONAL TOP SECRET REL TO FIN", asked_by="FIN/mod-1"), "--json").json["steps"] == []


def test_what_is_not_told_is_not_called_denied(founders: Founders, run: Run) -> None:
    ran = run(*args(founders, "REGIONAL TOP SECRET REL TO FIN", asked_by="EST/mod-1"))
    assert (ran.code, "NOT TOLD (withheld)" in ran.out, "DENIED" in ran.out) == (1, True, False)
    assert "--asked-by" in ran.out
    assert "the label asks" not in ran.out, "no head of a table without lines"


@pytest.mark.parametrize(
    ("label", "changes", "code"),
    [
        ("REGIONAL SECRET REL TO FIN", {"node": "FIN/none"}, "no-node"),
        ("REGIONAL SECRET REL TO FIN", {"channel": "none"}, "no-channel"),
        ("REGIONAL SECRET REL TO FIN", {"action": "leak"}, "usage"),
        ("REGIONAL SECRET REL TO FIN", {"sender": "est"}, "name"),
        ("REGIONAL SECRET REL TO FIN", {"type": "threat"}, "name"),
        ("REGIONAL SECRET REL TO FIN", {"sender": "NOR"}, "no-node"),
        ("REGIONAL SECRETT REL TO FIN", {}, "label"),
        ("REGIONAL SECRET", {}, "label"),
    ],
)
def test_explain_bad_input(founders: Founders, run: Run, label: str, changes: dict[str, str], code: str) -> None:
    run(*args(founders, label, **changes)).fails(2, code)


def test_explain_a_text_needs_its_policy(founders: Founders, run: Run) -> None:
    text = args(founders, "REGIONAL SECRET REL TO FIN")
    text[text.index(founders.packet)] = founders.packet / "charter.toml"
    run(*text).fails(2, "usage")
    assert run(*text, "--policy", policies_folder()).code == 0
