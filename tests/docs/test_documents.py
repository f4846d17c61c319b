"""What the documents say about the code is true: the example, the table of rows, the defaults, the names of tests."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from rsc_share.audit.outcome import Exit
from rsc_share.audit.unchecked import NEVER
from rsc_share.charter.parameters import SECOND, TEXT_KEYS, Parameters, bounds
from rsc_share.cli.frame import Exit as Command
from rsc_share.crypto.signing import KINDS
from rsc_share.envelope.header import KEYS
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.serving import CLOSE_CODES
from rsc_share.relay.net.settings import read_settings
from rsc_share.rulebook.rules import VERSION_1
from rsc_share.rulebook.view import Party
from rsc_share.session.calls import CALLS
from rsc_share.session.table import NODE_TAKES, RELAY_TAKES, State

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = (
    "protocol.md",
    "threat-model.md",
    "glossary.md",
    "dependencies.md",
    "auditing.md",
    "operations.md",
    "performance.md",
)
PROTOCOL = (DOCS / "protocol.md").read_text()


def section(title: str) -> str:
    """From a heading that starts with `title` to the next heading."""
    found = re.search(rf"^#+ {re.escape(title)}.*?$(.*?)(?=^#|\Z)", PROTOCOL, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The body rows of every table in `text`."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in split if not set("".join(row)) <= set("- ")]


def test_the_example_entry_is_the_one_in_the_vectors() -> None:
    dump = re.search(r"```\n([0-9a-f\n]+)```", section("1. One entry"))
    assert dump
    good = json.loads((DOCS / "vectors" / "entries.json").read_text())["good"][2]
    assert dump[1].replace("\n", "") == good["entry"]
    keys = [row[0].strip("`") for row in rows(section("1. One entry")) if row[0].startswith("`")]
    assert [key for key in keys if key in KEYS] == KEYS


def test_the_table_of_admission_is_the_rulebook() -> None:
    letters = {"R": Party.RELAY, "N": Party.NODE, "A": Party.AUDITOR}
    # Row 6 says when a node asks: it is applied by all, and by a node only to entries of its own.
    said = [(int(r[0]), r[1], r[3].partition(";")[0]) for r in rows(section("12.2 The checks")) if r[0].isdigit()]
    found = [(check.row, check.name, check.who) for check in VERSION_1.checks]
    assert [(row, name) for row, name, _ in said] == [(row, name) for row, name, _ in found]
    for (_, name, who), (_, _, party) in zip(said, found, strict=True):
        assert name == "id-is-new" or {letters[letter] for letter in who} == set(party), name


def test_every_kind_of_signature_is_in_the_table() -> None:
    said = {name for row in rows(section("3.3 Signed bytes")) for name in re.findall(r"`([a-z]+)`", row[0])}
    assert said == KINDS


def test_parameters_and_their_bounds_are_the_codes() -> None:
    head = PROTOCOL[: PROTOCOL.index("## 1. One entry")]
    said = {
        name.lower(): int(value.replace(",", ""))
        for name, value in re.findall(r"([A-Z_]{3,})\s([\d,]+)(?:\ss)?[,.]", head)
    }
    for key, name in TEXT_KEYS.items():
        scale = 1 if name == "nodes_max" else SECOND
        assert said[name] * scale == getattr(Parameters(), name), name
        low, high = bounds(name)
        assert f"`{key}` {low}\u2013{high:,}" in PROTOCOL, key


@pytest.mark.parametrize("name", WRITTEN)
def test_links_lead_somewhere(name: str) -> None:
    text = (DOCS / name).read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`]*`", "", text)):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (DOCS / target).exists(), target


def test_every_test_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (DOCS / "threat-model.md").read_text()))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_[a-z0-9_]+)", path.read_text())
    }
    assert len(named) > 80
    assert named <= defined, sorted(named - defined)


def test_every_threat_names_a_test() -> None:
    text = (DOCS / "threat-model.md").read_text()
    table = text[text.index("## Threat, defence, test") : text.index("## B. What this does not stop")]
    threats = [row for row in rows(table) if row[0].startswith("**")]
    assert len(threats) > 35
    assert [row[0] for row in threats if "`test_" not in row[2]] == []


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [item for items in project["optional-dependencies"].values() for item in items]
    packages = {re.split(r"[\[<>=; ]", item)[0] for item in (*project["dependencies"], *extras)} - {project["name"]}
    text = (DOCS / "dependencies.md").read_text()
    assert sorted(package for package in packages if f"`{package}`" not in text) == []


def test_exit_codes_and_what_is_not_checked_are_the_auditors() -> None:
    text = (DOCS / "auditing.md").read_text()
    assert {int(row[0]) for row in rows(text) if row[0].isdigit() and row[0] != ""} >= set(map(int, Exit))
    listed = text[text.index("## What is not checked") : text.index("## Before you sign")].count("\n- ")
    assert listed == len(NEVER)


def test_the_relays_settings_limits_and_codes_are_the_programs() -> None:
    text = (DOCS / "operations.md").read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    read = read_settings(example[1].encode(), "relay.toml")
    assert read.limits == Limits(), "the example shows the usual values"
    assert all(f"`{item.name}`" in text for item in fields(Limits))
    codes = {int(row[0]) for row in rows(text) if row[0].isdigit()}
    assert codes >= {Command.OK, Command.BAD_INPUT, Command.BUG, Command.STORAGE, Command.TEMPORARY}
    measured = {name for metric in Meters().registry.collect() for name in [metric.name]}
    assert [name for name in measured if f"`{name}" not in text] == []


def test_the_frames_calls_and_codes_of_a_session_are_the_programs() -> None:
    frames = [
        re.findall(r'\["([a-z]+)"', row[0])[0] for row in rows(section("14.3 Frames")) if row[0].startswith('`["')
    ]
    assert sorted(frames) == sorted({kind for takes in (RELAY_TAKES, NODE_TAKES) for k in takes.values() for kind in k})
    states = {row[0].partition(":")[0]: row[1:] for row in rows(section("14.3 Frames")) if len(row) == 3}
    for state in State:
        assert re.findall(r"[a-z]+", states[state][0].partition("(")[0].replace("nothing", "")) == [*RELAY_TAKES[state]]
        assert re.findall(r"[a-z]+", states[state][1].partition("(")[0].replace("nothing", "")) == [*NODE_TAKES[state]]
    calls = [(row[0].strip("`"), row[3]) for row in rows(section("14.6 Calls")) if len(row) == 4]
    assert calls[1:] == [(n, "its most urgent entry's" if n == "submit" else form.rank) for n, form in CALLS.items()]
    said = {code: int(row[1]) for row in rows(section("14.5 Why")) for code in re.findall(r"`([a-z-]+)`", row[0])}
    assert {code: said.get(code) for code in CLOSE_CODES} == CLOSE_CODES
