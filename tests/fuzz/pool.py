"""Where valid inputs come from: the project's own vectors, policies and messages, taken apart piece by piece.

Nothing is sorted by hand: a parser's corpus is whatever in the pool it takes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

from rsc_share import codec
from rsc_share.bridges.cap import write_alert
from rsc_share.cli.keyfile import OPTIONAL, USES, KeyFile, Kind
from rsc_share.cli.sigfile import SigFile
from rsc_share.crypto.keyfile import UNSAFE_FAST, seal_file
from rsc_share.crypto.signing import PrivateKey
from rsc_share.errors import LocalError
from rsc_share.messages.disaster import Alert
from rsc_share.messages.examples import EXAMPLES
from rsc_share.messages.portions import split
from rsc_share.node.home import Settings

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(os.environ.get("RSC_VECTORS", ROOT.parent / "shared/vectors"))
MAX_SEED = 70_000
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_UUID = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
_TIME = "2026-01-15T12:00:00.000Z"
_STIX = {
    "spec_version": "2.1",
    "created": _TIME,
    "modified": _TIME,
    "object_marking_refs": ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],
}
STIX = {
    "type": "bundle",
    "id": f"bundle--{_UUID}",
    "objects": [
        _STIX
        | {
            "type": "indicator",
            "id": f"indicator--{_UUID}",
            "pattern": "[ipv4-addr:value = '192.0.2.1']",
            "pattern_type": "stix",
            "valid_from": _TIME,
            "kill_chain_phases": [{"kill_chain_name": "lm", "phase_name": "delivery"}],
            "external_references": [{"source_name": "capec", "external_id": "CAPEC-163", "hashes": {"SHA-256": "ab"}}],
            "confidence": 70,
        },
        _STIX
        | {
            "type": "report",
            "id": f"report--{_UUID}",
            "name": "r",
            "published": _TIME,
            "object_refs": [f"indicator--{_UUID}"],
        },
        {"type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{_UUID}", "name": "TLP:RED"},
    ],
}


def vectors(name: str) -> Any:
    return json.loads((ROOT / f"docs/vectors/{name}.json").read_text(encoding="utf-8"))


def charter_text() -> str:
    text: str = vectors("charter")["text"]
    return text


def note_text() -> str:
    text: str = next(case["note"] for case in vectors("notes")["cases"] if case["code"] is None)
    return text


def headers() -> list[dict[str, Any]]:
    """One header of each kind, as its map."""
    found: dict[str, dict[str, Any]] = {}
    for case in vectors("entries")["good"]:
        header = msgpack.unpackb(msgpack.unpackb(bytes.fromhex(case["entry"]))[1])
        found.setdefault(header["kind"], header)
    return list(found.values())


def full_items() -> list[Any]:
    """Tails that hold an entry in full, with all that may stand beside it."""
    entry = bytes.fromhex(vectors("entries")["good"][0]["entry"])
    said = ["EST/mod-1", [bytes(16), bytes(32), "stored"]]
    items = (
        [entry, [bytes(16), 1], [said], [b"body"]],
        [entry, None, [], []],
        [bytes(32)],
        [entry, None, [["x", 1]], []],
    )
    return [["relay.example/regional/ct", 0, [item], b"note", proof] for item in items for proof in ([], [bytes(32)])]


def pool() -> list[bytes]:
    """Every candidate once, in a fixed order."""
    found: dict[bytes, None] = {}
    for path in sorted((ROOT / "docs/vectors").glob("*.json")):
        _harvest(json.loads(path.read_text(encoding="utf-8")), found)
    for data in [*_files(), *_made()]:
        found[data] = None
    for data in list(found):
        _inside(data, found)
    _parts_of_notes(found)
    return [data for data in found if len(data) <= MAX_SEED]


def _harvest(value: Any, found: dict[bytes, None]) -> None:
    if type(value) is str:
        if _HEX.fullmatch(value):
            found[bytes.fromhex(value)] = None
        found[value.encode("utf-8", "surrogatepass")] = None
    elif type(value) in (dict, list):
        _keep_packed(value, found)
        for item in value.values() if type(value) is dict else value:
            _harvest(item, found)


def _parts_of_notes(found: dict[bytes, None]) -> None:
    for data in list(found):
        text, border, tail = data.rpartition(b"\n\n")
        if border and tail.startswith("—".encode()):
            found |= {text + b"\n": None, tail: None}


def _inside(data: bytes, found: dict[bytes, None]) -> None:
    """What is packed inside of what is packed: headers in entries, contents in objects, openings in submissions."""
    try:
        value = msgpack.unpackb(data, strict_map_key=True)
    except (ValueError, msgpack.UnpackException):
        return
    if type(value) in (list, dict):
        _walk(value, found)


def _walk(value: Any, found: dict[bytes, None]) -> None:
    if type(value) is bytes and len(value) >= 8 and value not in found:
        found[value] = None
        _inside(value, found)
    elif type(value) in (list, dict):
        _keep_packed(value, found)
        for item in value.values() if type(value) is dict else value:
            _walk(item, found)


def _keep_packed(value: Any, found: dict[bytes, None]) -> None:
    try:
        data = codec.pack(value)
    except LocalError:
        return
    if len(data) >= 8:
        found.setdefault(data)


def _files() -> Iterator[bytes]:
    places = [(ROOT, "policies/**/*.toml"), (ROOT, "examples/**/*.toml")]
    places += [(OUTSIDE / "messages", "stix21/examples/**/*.json"), (OUTSIDE / "messages", "cap/testdata/**/*.xml")]
    for folder, pattern in places:
        for path in sorted(folder.glob(pattern)):
            yield path.read_bytes()


def _made() -> Iterator[bytes]:
    """What no vector holds: message payloads, STIX and CAP, a keystore, a node's settings."""
    for body in EXAMPLES:
        for draft in split(body, "REGIONAL SECRET REL TO @members"):
            yield draft.payload
        if isinstance(body, Alert):
            yield write_alert(body).data
    yield json.dumps(STIX).encode()
    yield json.dumps(STIX["objects"][0]).encode()
    secrets = {"signing": (1, PrivateKey.generate(1, seed=b"a").secret()), "token": (0, b"secret")}
    yield seal_file(bytes(32), salt=bytes(16), cost=UNSAFE_FAST, nonce=bytes(12), secrets=secrets)
    yield codec.pack({name: list(item) for name, item in secrets.items()})
    sealed = codec.pack([bytes(32), b"payload"])
    yield len(sealed).to_bytes(4, "big") + sealed
    yield from _files_of_members()
    relays = {"relay.example": "wss://relay.example/session"}
    yield Settings("EST/mod-1", bytes(32), "relay.example/r/directory", relays, ("EST/duty-1",)).text().encode()


def _files_of_members() -> Iterator[bytes]:
    facts: dict[str, dict[str, Any]] = {
        "authority": {"title": "Estonia"},
        "node": {"realms": ["exercise", "operational"], "accreditation": {"NATO": "SECRET"}, "role": "full"},
        "relay": {},
    }
    owners: dict[Kind, str] = {"authority": "EST", "node": "EST/mod-1", "relay": "relay.example"}
    for kind, name in owners.items():
        keys = {use: PrivateKey.generate(suite, seed=use.encode()).public for use, suite in USES[kind].items()}
        yield KeyFile(kind, name, keys, facts[kind]).text()
        needed = {use: key for use, key in keys.items() if use not in OPTIONAL}
        yield KeyFile(kind, name, needed, facts[kind]).text()
    yield SigFile(bytes(32), "EST", bytes(32), bytes(3373)).text()
