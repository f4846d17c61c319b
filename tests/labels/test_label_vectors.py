"""Outside cases: dominance_cases.json, under the ACME scheme as its SPIF declares it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import defusedxml.ElementTree as Xml
import pytest

from rsc_share.labels import Label, LabelError, SchemeSet, join, load_scheme, parse_label
from rsc_share.labels.order import readers

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared" / "vectors")) / "labels"
CASES = VECTORS / "dominance_cases.json"
SPIF = VECTORS / "sparrow" / "config" / "spifs" / "ACME.xml"
NS = "{http://www.xmlspif.org/spif}"
NOW = 1_790_000_000_000

pytestmark = pytest.mark.skipif(not CASES.is_file(), reason=f"no vectors in {VECTORS}")

# A label of ours always says who it is for. ACME labels without REL TO are for everybody who is cleared.
MOCK = b"""
scheme = "MOCK"
title = "the other policy of the ACME sample"
version = 1
default_audience = ["@members"]
level = [{ name = "CONFIDENTIAL" }, { name = "SECRET" }]
[[equivalence]]
to = "ACME"
valid = [1970-01-01, 2999-12-31]
levels = { CONFIDENTIAL = "CONFIDENTIAL" }
"""


def acme() -> bytes:
    """Our scheme from the facts in the SPIF: levels by hierarchy, each tag set with its type."""
    root = Xml.parse(SPIF).getroot()
    levels = sorted(root.iter(f"{NS}securityClassification"), key=lambda level: int(level.get("hierarchy")))
    lines = ['scheme = "ACME"', 'title = "sample"', "version = 1", 'default_audience = ["@members"]']
    lines += [f'[[level]]\nname = "{level.get("name")}"' for level in levels]
    for tag in root.iter(f"{NS}securityCategoryTag"):
        kind = {"tagType7": "informative"}.get(tag.get("tagType"), tag.get("tagType"))
        if kind == "enumerated":  # Releasable To: with us the audience
            continue
        lines.append(f'[[tag]]\nname = "{tag.get("name").lower()}"\ntype = "{kind}"')
        lines += [f'[[tag.value]]\nname = "{value.get("name")}"' for value in tag.iter(f"{NS}tagCategory")]
    return "\n".join(lines).encode()


def schemes() -> SchemeSet:
    return SchemeSet([load_scheme(acme(), "acme.toml"), load_scheme(MOCK, "mock.toml")])


def parse(text: str) -> Label:
    return parse_label(re.sub(r",(?! )", ", ", text), schemes())


def adatp() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(CASES.read_text())["adatp"] if CASES.is_file() else []
    return found


def test_all_cases_are_here() -> None:
    cases = json.loads(CASES.read_text())
    assert (len(cases["adatp"]), len(cases["rsc_share_required"])) == (8, 3)


@pytest.mark.parametrize("case", adatp(), ids=lambda case: f"{case['a']} + {case['b']}")
def test_adatp_dominant_label(case: dict[str, Any]) -> None:
    a, b = parse(case["a"]), parse(case["b"])
    if case["out"] is None and "no equivalence" in case["via"]:
        with pytest.raises(LabelError):
            join(a, b, schemes(), NOW)
        return
    ours = join(a, b, schemes(), NOW)
    assert ours == join(b, a, schemes(), NOW)
    if case["out"] is None:  # nothing in common: ADatP leaves it to people, we close it
        assert ours.audience == ()
        return
    theirs = parse(case["out"])
    assert (ours.scheme, ours.level, ours.tags) == (theirs.scheme, theirs.level, theirs.tags)
    if "6" in case["via"]:  # the rule that drops a category one side lacks: ours is never wider
        assert readers(ours) == {"MOCK", "PHONY"}
        assert readers(theirs) == {"@members"}
    else:
        assert readers(ours) == readers(theirs)


@pytest.mark.parametrize("index", range(3))
def test_mandatory_audience(index: int) -> None:
    case = json.loads(CASES.read_text())["rsc_share_required"][index]
    levels = ("NONE", "ONE", "TWO", "THREE")
    numbered = "".join(f'[[level]]\nname = "{name}"\n' for name in levels)
    only = SchemeSet(
        [load_scheme(f'scheme = "N"\ntitle = "n"\nversion = 1\n{numbered}'.replace('"N"', '"NN"').encode(), "n")]
    )

    def label(side: dict[str, Any]) -> Label:
        text = f"NN {levels[side['level']]}"
        if "audience" in side:
            text += f" REL TO {', '.join(side['audience'])}" if side["audience"] else " ORIGINATOR ONLY"
        return parse_label(text, only)

    if case["join"] == "INVALID":
        with pytest.raises(LabelError, match="no default audience"):
            join(label(case["a"]), label(case["b"]), only, NOW)
    else:
        assert join(label(case["a"]), label(case["b"]), only, NOW) == label(case["join"])
