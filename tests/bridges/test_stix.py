"""STIX in: every leaf of a file is in a message or in the loss report; what is broken is refused in one line."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.bridges import strict_json
from rsc_share.bridges.tlp import KNOWN, ORDER, TLP_2_EXTENSION
from rsc_share.errors import LocalError, RemoteError
from rsc_share.messages import Indicator, Report, split
from rsc_share.stix import StixImport, read_bundle

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared/vectors")) / "messages"
EXAMPLES = sorted((VECTORS / "stix21/examples").rglob("*.json"))
needs_vectors = pytest.mark.skipif(not EXAMPLES, reason="needs the outside vectors: set RSC_VECTORS")

UUID = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
INDICATOR: dict[str, Any] = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": f"indicator--{UUID}",
    "created": "2026-01-15T12:00:00.000Z",
    "modified": "2026-01-15T12:00:00.000Z",
    "pattern": "[ipv4-addr:value = '192.0.2.1']",
    "pattern_type": "stix",
    "valid_from": "2026-01-15T12:00:00Z",
}
FULL: dict[str, dict[str, Any]] = {
    "indicator": INDICATOR
    | {
        "name": "C2",
        "description": "known server",
        "indicator_types": ["malicious-activity"],
        "pattern_version": "2.1",
        "valid_until": "2026-02-15T12:00:00Z",
        "kill_chain_phases": [{"kill_chain_name": "lm", "phase_name": "delivery"}],
        "external_references": [
            {"source_name": "capec", "external_id": "CAPEC-163", "url": "https://example", "hashes": {"SHA-256": "ab"}}
        ],
        "labels": ["seen"],
        "confidence": 70,
        "lang": "en",
        "revoked": True,
        "created_by_ref": f"identity--{UUID}",
        "object_marking_refs": ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],
    },
    "malware": {
        "type": "malware",
        "spec_version": "2.1",
        "id": f"malware--{UUID}",
        "created": "2026-01-15T12:00:00.123456Z",
        "modified": "2026-01-15T12:00:00Z",
        "is_family": False,
        "name": "HARBOUR MOUSE",
        "description": "waits",
        "malware_types": ["remote-access-trojan"],
        "aliases": ["HM"],
        "kill_chain_phases": [{"kill_chain_name": "lm", "phase_name": "delivery"}],
        "first_seen": "2025-01-01T00:00:00Z",
        "last_seen": "2025-02-01T00:00:00Z",
        "operating_system_refs": [f"software--{UUID}"],
        "architecture_execution_envs": ["x86"],
        "implementation_languages": ["c"],
        "capabilities": ["hides-executing-code"],
        "sample_refs": [f"file--{UUID}"],
    },
    "threat-actor": {
        "type": "threat-actor",
        "spec_version": "2.1",
        "id": f"threat-actor--{UUID}",
        "created": "2026-01-15T12:00:00Z",
        "modified": "2026-01-15T12:00:00Z",
        "name": "GREY HERON",
        "description": "fishes",
        "threat_actor_types": ["crime-syndicate"],
        "aliases": ["GH"],
        "first_seen": "2025-01-01T00:00:00Z",
        "roles": ["director"],
        "goals": ["money"],
        "sophistication": "advanced",
        "resource_level": "club",
        "primary_motivation": "personal-gain",
        "secondary_motivations": ["notoriety"],
        "personal_motivations": ["revenge"],
    },
    "report": {
        "type": "report",
        "spec_version": "2.1",
        "id": f"report--{UUID}",
        "created": "2026-01-15T12:00:00Z",
        "modified": "2026-01-15T12:00:00Z",
        "name": "Harbours",
        "description": "a year",
        "report_types": ["campaign"],
        "published": "2026-01-15T12:00:00Z",
        "object_refs": [f"malware--{UUID}"],
    },
}


def bundle(*objects: Any, **more: Any) -> bytes:
    return json.dumps({"type": "bundle", "id": f"bundle--{UUID}", "objects": list(objects), **more}).encode()


def read(*objects: Any, **more: Any) -> StixImport:
    return read_bundle(bundle(*objects, **more))


# --- completeness of the loss report, checked by a program that knows nothing of the reader


def leaves(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            spelled = f".{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f"[{json.dumps(key)}]"
            yield from leaves(inner, path + spelled)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def scalars(value: Any) -> Iterator[Any]:
    for _, leaf in leaves(value):
        yield leaf
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)


def canonical(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    return value


def assert_nothing_is_forgotten(objects: list[dict[str, Any]], result: StixImport) -> None:
    lost = [line.partition(" (")[0] for line in result.loss.lost]
    carried = {body.stix_id: [canonical(x) for x in scalars(body.model_dump(mode="json"))] for body in result}
    for index, value in enumerate(objects):
        name = value.get("id", "")
        for path, leaf in leaves(value):
            if path in ("$.type", "$.spec_version") and name in carried:
                continue
            place = f"{name} {path}"
            if any(place == one or (place.startswith(one) and place[len(one)] in ".[") for one in lost):
                continue
            if any(one.endswith(f"objects[{index}]") for one in lost):
                continue
            if path.startswith("$.object_marking_refs"):
                assert KNOWN[leaf] in ORDER[: ORDER.index(result.markings[name]) + 1]
                continue
            assert canonical(leaf) in carried.get(name, []), f"{place} is neither carried nor lost"


@needs_vectors
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_leaf_of_the_examples_is_carried_or_named_as_lost(path: Path) -> None:
    value = json.loads(path.read_text())
    result = read_bundle(path)
    objects = value["objects"] if value["type"] == "bundle" else [value]
    wanted = [one["id"] for one in objects if one["type"] in FULL]
    assert [body.stix_id for body in result] == wanted
    assert_nothing_is_forgotten(objects, result)
    for body in result:
        split(body, "TLP:GREEN REL TO @members")


@pytest.mark.parametrize("kind", FULL)
def test_a_full_object_is_carried_whole(kind: str) -> None:
    result = read(FULL[kind])
    assert result.loss.lost == ()
    assert len(result) == 1
    assert_nothing_is_forgotten([FULL[kind]], result)
    assert isinstance(result.bodies[0], Indicator if kind == "indicator" else Report)


json_values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(FULL)),
    st.dictionaries(st.text(max_size=6).map("x_".__add__), json_values, max_size=3),
    st.dictionaries(st.text(max_size=6).map("x_".__add__), json_values, max_size=2),
)
def test_whatever_is_added_is_named_as_lost(kind: str, outer: dict[str, Any], inner: dict[str, Any]) -> None:
    value = copy.deepcopy(FULL[kind])
    for phase in value.get("kill_chain_phases", []):
        phase.update(inner)
    value.update(outer)
    result = read(value)
    assert_nothing_is_forgotten([value], result)
    assert len(result.loss) == len(outer) + (len(inner) if "kill_chain_phases" in value else 0)


def test_other_objects_and_versions_are_lost_by_name() -> None:
    identity = {"type": "identity", "id": f"identity--{UUID}", "name": "x"}
    old = INDICATOR | {"id": "indicator--00000000-0000-4000-8000-000000000000", "spec_version": "2.0"}
    result = read(identity, old, {"type": "odd"}, INDICATOR, spec_version="2.1")
    assert [body.stix_id for body in result] == [INDICATOR["id"]]
    assert set(result.loss) == {
        "bundle $.spec_version",
        f"identity--{UUID} $ ('identity' objects are not carried)",
        f"{old['id']} $ (not STIX 2.1)",
        "bundle $.objects[2] ('odd' objects are not carried)",
    }
    assert result.bundle_id == f"bundle--{UUID}"


def test_digits_below_a_microsecond_are_lost_by_name() -> None:
    result = read(INDICATOR | {"valid_from": "2026-01-15T12:00:00.123456700Z"})
    assert result.loss.lost == (f"indicator--{UUID} $.valid_from (digits below a microsecond)",)
    assert read(INDICATOR | {"valid_from": "2026-01-15T12:00:00.123456000Z"}).loss.lost == ()


def test_granular_markings_are_lost_with_advice() -> None:
    marks = [{"marking_ref": next(iter(KNOWN)), "selectors": ["description"]}]
    result = read(INDICATOR | {"granular_markings": marks})
    assert result.loss.lost == (f"indicator--{UUID} $.granular_markings (mark the portions yourself)",)


def test_newest_version_of_an_object_counts() -> None:
    newer = INDICATOR | {"modified": "2026-01-16T12:00:00Z", "name": "new"}
    for objects in ([INDICATOR, newer], [newer, INDICATOR]):
        result = read(*objects)
        assert [body.name for body in result.indicators] == ["new"]
        assert "superseded" in result.loss.lost[0]
    with pytest.raises(RemoteError, match="twice"):
        read(INDICATOR, INDICATOR | {"name": "other"})


def test_taxii_envelope_and_single_object_are_read() -> None:
    envelope = json.dumps({"more": True, "next": "abc", "objects": [INDICATOR]}).encode()
    assert len(read_bundle(envelope)) == 1
    assert read_bundle(envelope).loss.lost == ("bundle $.more", "bundle $.next")
    assert len(read_bundle(json.dumps(INDICATOR).encode())) == 1
    assert len(read_bundle(b'{"type": "bundle", "id": "bundle--%s"}' % UUID.encode())) == 0


# --- markings


@pytest.mark.parametrize(("marking", "level"), KNOWN.items())
def test_published_markings_are_recognised(marking: str, level: str) -> None:
    result = read(INDICATOR | {"object_marking_refs": [marking]})
    assert result.marking == level
    assert result.loss.lost == ()


def test_markings_a_bundle_defines_are_recognised() -> None:
    one = {"type": "marking-definition", "id": f"marking-definition--{UUID}", "definition_type": "tlp"}
    two = {"type": "marking-definition", "id": f"marking-definition--{UUID}"}
    tlp_2 = {"extensions": {TLP_2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}}}
    marked = INDICATOR | {"object_marking_refs": [one["id"]]}
    assert read(marked, one | {"definition": {"tlp": "white"}}).marking == "TLP:CLEAR"
    assert read(two | tlp_2, marked).marking == "TLP:AMBER+STRICT"


def test_strictest_marking_wins_and_an_unknown_one_leaves_no_suggestion() -> None:
    green, red = (
        f"marking-definition--{one}"
        for one in ("34098fce-860f-48ae-8e50-ebd3cc5e41da", "5e57c739-391a-4eb3-b6be-7d15ca92d5ed")
    )
    assert read(INDICATOR | {"object_marking_refs": [red, green]}).marking == "TLP:RED"
    unknown = read(INDICATOR | {"object_marking_refs": [green, f"marking-definition--{UUID}"]})
    assert unknown.marking is None
    assert "object_marking_refs" in unknown.loss.lost[0]
    mixed = read(INDICATOR | {"object_marking_refs": [green]}, FULL["report"])
    assert mixed.marking is None
    assert mixed.markings == {INDICATOR["id"]: "TLP:GREEN"}


def test_bundle_cannot_redefine_a_published_marking() -> None:
    red = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
    fake = {"type": "marking-definition", "id": red, "definition_type": "tlp", "definition": {"tlp": "white"}}
    assert read(fake, INDICATOR | {"object_marking_refs": [red]}).marking == "TLP:RED"


@pytest.mark.parametrize("definition", [None, "white", {"tlp": 3}, {"tlp": "purple"}, {"tlp": ["white"]}])
def test_odd_marking_definitions_are_no_marking(definition: Any) -> None:
    odd = {"type": "marking-definition", "id": f"marking-definition--{UUID}", "definition_type": "tlp"}
    result = read(odd | {"definition": definition}, INDICATOR | {"object_marking_refs": [odd["id"]]})
    assert result.marking is None


# --- refusals


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": None},
        {"pattern": 3},
        {"pattern": ""},
        {"pattern_type": ...},
        {"valid_from": ...},
        {"created": ...},
        {"modified": "yesterday"},
        {"modified": "2026-01-15T12:00:00+00:00"},
        {"modified": "2026-13-15T12:00:00Z"},
        {"modified": "2026-01-15T12:00:60Z"},
        {"modified": "2026-01-15T12:00:00.Z"},
        {"modified": "٢٠٢٦-01-15T12:00:00Z"},
        {"valid_until": "2026-01-15T12:00:00Z"},
        {"id": "indicator--1"},
        {"id": f"malware--{UUID}"},
        {"id": ...},
        {"confidence": 101},
        {"confidence": 50.0},
        {"confidence": True},
        {"revoked": "no"},
        {"indicator_types": []},
        {"indicator_types": [1]},
        {"indicator_types": "malicious-activity"},
        {"kill_chain_phases": [{"kill_chain_name": "x"}]},
        {"kill_chain_phases": ["x"]},
        {"external_references": [{"url": "x"}]},
        {"external_references": [{"source_name": "x", "hashes": ["ab"]}]},
        {"object_marking_refs": [3]},
        {"lang": "x" * 100},
        {"name": "\ud800"},
        {"labels": ["x"] * 5000},
    ],
)
def test_broken_indicator_refuses_the_file_and_says_where(change: dict[str, Any]) -> None:
    value = {key: one for key, one in (INDICATOR | change).items() if one is not ...}
    with pytest.raises(RemoteError) as caught:
        read(value)
    (key,) = change
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"3",
        b"{}",
        b'{"type": "bundle"}',
        b'{"type": "bundle", "id": "bundle--1"}',
        b'{"type": "bundle", "type": "bundle"}',
        b'{"type": ["bundle"]}',
        b'{"type": "bundle", "id": "bundle--%s", "objects": {}}' % UUID.encode(),
        b'{"type": "bundle", "id": "bundle--%s", "objects": [3]}' % UUID.encode(),
        b'{"type": "bundle", "id": "bundle--%s", "objects": [{"id": "x"}]}' % UUID.encode(),
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 70 + b"]" * 70,
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteError):
        read_bundle(data)


def test_duplicate_key_deep_inside_is_refused() -> None:
    text = bundle(INDICATOR).replace(b'"pattern_type"', b'"pattern": "[x]", "pattern_type"')
    with pytest.raises(RemoteError, match='"pattern" stands twice'):
        read_bundle(text)


@needs_vectors
def test_server_database_is_not_a_bundle() -> None:
    with pytest.raises(RemoteError, match="neither a STIX bundle"):
        read_bundle(VECTORS / "taxii21/medallion-default_data.json")


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_bytes(b'{\n "type": }')
    with pytest.raises(RemoteError, match=r"in\.json: line 2") as caught:
        read_bundle(file)
    assert caught.value.fields["line"] == 2
    for missing in (tmp_path / "none.json", tmp_path, "a\0b"):
        with pytest.raises(LocalError):
            read_bundle(missing)
    file.write_bytes(bundle(INDICATOR))
    assert len(read_bundle(str(file))) == 1


def test_too_large_a_file_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json.json, "loads", lambda *a, **k: pytest.fail("parsed"))
    with pytest.raises(RemoteError, match="larger"):
        read_bundle(b" " * (32 * 1024 * 1024 + 1))


@given(
    st.binary(max_size=80)
    | st.recursive(
        st.none() | st.text(max_size=4),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["type", "objects", "id"]), x),
        max_leaves=8,
    ).map(lambda x: json.dumps(x).encode())
)
def test_any_bytes_are_read_or_raise_one_error(data: bytes) -> None:
    with contextlib.suppress(RemoteError):
        read_bundle(data)


def test_import_shows_no_content_in_logs() -> None:
    result = read(FULL["malware"])
    assert "HARBOUR" not in repr(result)
