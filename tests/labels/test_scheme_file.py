"""Scheme files: what is shipped is sound, and what is wrong is named."""

from __future__ import annotations

import pytest

from rsc_share.errors import RemoteError
from rsc_share.labels import Label, SchemeSet, load_scheme, map_label, shipped_schemes
from rsc_share.labels.equivalence import equivalence_faults
from rsc_share.labels.scheme import day_of
from rsc_share.labels.toml_values import read_toml
from rsc_share.policy.rows import parse_rows

GOOD = """
scheme = "ALPHA"
title = "a"
version = 1
default_audience = ["@members"]
[[level]]
name = "LOW"
[[level]]
name = "HIGH"
[[tag]]
name = "caveat"
type = "restrictive"
[[tag.value]]
name = "A"
"""
NOVEMBER_2026 = 1_795_000_000_000

RESTRICTIVE = 'type = "restrictive"'
TO_BETA = '[[equivalence]]\nto = "BETA"\nvalid = [2026-01-01, 2026-02-01]\nlevels = {}\n'

WRONG = {
    "crlf": GOOD.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + GOOD,
    "not toml": GOOD + "[[",
    "unknown key": 'colour = "red"' + GOOD,
    "level twice": GOOD.replace('"HIGH"', '"LOW"'),
    "no level": 'scheme = "ALPHA"\ntitle = "a"\nversion = 1\nlevel = []',
    "level in lower case": GOOD.replace('"HIGH"', '"high"'),
    "tag type": GOOD.replace("restrictive", "secret"),
    "permissive without prefix": GOOD.replace("restrictive", "permissive"),
    "originator control that tests": GOOD.replace(
        'type = "restrictive"', 'type = "restrictive"\noriginator_control = true'
    ),
    "extend without base": GOOD.replace("version = 1", 'version = 1\naudience_mode = "extend"'),
    "rule about nothing": GOOD + '[[rule]]\nwhen = { caveat = ["B"] }\n',
    "two meanings of a word": GOOD + '[[tag]]\nname = "other"\ntype = "restrictive"\nvalue = [{ name = "A" }]\n',
    "reserved word": GOOD.replace('"A"', '"ORIGINATOR ONLY"'),
    "higher level binds less": GOOD.replace('name = "LOW"', 'name = "LOW"\nnamed = true'),
    "higher level is public": GOOD.replace('name = "HIGH"', 'name = "HIGH"\npublic_release = true'),
    "unknown obligation": GOOD.replace('name = "LOW"', 'name = "LOW"\nobligations = { retain = 3 }'),
    "dates backwards": GOOD + TO_BETA.replace("2026-02-01", "2025-02-01"),
    "date and time": GOOD + TO_BETA.replace("2026-02-01", "2026-02-01T00:00:00Z"),
    "equivalence of no level": GOOD
    + '[[equivalence]]\nto = "BETA"\nvalid = [2026-01-01, 2026-02-01]\nlevels = { X = "Y" }\n',
    "equivalence that needs a caveat": GOOD + TO_BETA + 'requires = { caveat = ["A"] }\n',
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_scheme_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(RemoteError, match=r"alpha\.toml"):
        load_scheme(WRONG[name].encode(), "alpha.toml")


def test_good_scheme_file_loads() -> None:
    scheme = load_scheme(GOOD.encode(), "alpha.toml")
    assert list(scheme.levels) == ["LOW", "HIGH"]
    assert [level.rank for level in scheme.levels.values()] == [0, 1]


def two(forth: str, back: str, back_valid: str = "[2026-01-01, 2026-12-31]") -> SchemeSet:
    levels = '[[level]]\nname = "LOW"\n[[level]]\nname = "HIGH"\n'
    texts = {
        "ALPHA": f'{levels}[[equivalence]]\nto = "BETA"\nvalid = [2026-01-01, 2026-12-31]\nlevels = {forth}\n',
        "BETA": f'{levels}[[equivalence]]\nto = "ALPHA"\nvalid = {back_valid}\nlevels = {back}\n',
    }
    return SchemeSet(
        load_scheme(f'scheme = "{name}"\ntitle = "t"\nversion = 1\n{text}'.encode(), name)
        for name, text in texts.items()
    )


def test_shipped_schemes_lower_nothing_on_any_way_round() -> None:
    assert list(equivalence_faults(shipped_schemes())) == []


def test_round_trip_that_lowers_is_found() -> None:
    schemes = two('{ LOW = "LOW", HIGH = "HIGH" }', '{ LOW = "LOW", HIGH = "LOW" }')
    assert any("HIGH comes back as LOW" in fault for fault in equivalence_faults(schemes))


def test_ways_that_are_never_open_together_are_no_round_trip() -> None:
    schemes = two('{ LOW = "LOW", HIGH = "HIGH" }', '{ HIGH = "LOW" }', "[2027-01-01, 2027-12-31]")
    assert list(equivalence_faults(schemes)) == []


def test_higher_level_that_reads_lower_is_found() -> None:
    schemes = two('{ LOW = "HIGH", HIGH = "LOW" }', "{}")
    assert any("reads lower" in fault for fault in equivalence_faults(schemes))


def test_equivalence_is_directed_and_dated() -> None:
    schemes = shipped_schemes()
    day = day_of(NOVEMBER_2026)
    label = Label.of("EST", "SECRET", audience=["FIN"])
    mapped = map_label(label, "NATO", schemes, day)
    assert mapped is not None
    assert (mapped.scheme, mapped.level, mapped.audience) == ("NATO", "SECRET", ("FIN",))
    assert map_label(mapped, "EST", schemes, day) is None
    assert map_label(label, "NATO", schemes, day - 365) is None


def test_value_without_equivalent_stops_the_mapping() -> None:
    label = Label.of("EST", "SECRET", tags={"caveat": ["SOURCE-SENSITIVE"]})
    day = day_of(NOVEMBER_2026)
    assert map_label(label, "NATO", shipped_schemes(), day) is None
    assert map_label(label, "REGIONAL", shipped_schemes(), day) is not None


@pytest.mark.parametrize("line", ["# \u202e", 'basis = "\u202e"', 'basis = "\\u202e"', 'basis = "a\\nb"'])
def test_attack_a_row_that_reads_one_way_and_is_in_force_another(line: str) -> None:
    row = f'[[agreement]]\nid = "x"\neffect = "deny"\nfrom = ["EST"]\nto = ["FIN"]\n{line}\n'
    assert parse_rows(row.replace(line, 'basis = "a"').encode(), "bundle")
    with pytest.raises(RemoteError, match=r"invisible character U\+"):
        parse_rows(row.encode(), "bundle")


def test_escape_of_an_invisible_character_is_found_in_lists_and_tables() -> None:
    with pytest.raises(RemoteError, match="spells the invisible"):
        read_toml(b'a = [{ b = ["x", "\\u200b"] }]\n', "x.toml")
