"""Inputs written by hand for the checks that come last: a fuzzer finds them too, but not in twenty seconds."""

from __future__ import annotations

import base64
import struct
from typing import Any

import late_messages
from pool import ROOT, charter_text, full_items, headers, note_text, vectors

from rsc_share import codec
from rsc_share.node.home import Settings

_HASH = base64.b64encode(bytes(32)).decode()


def _packed(*values: Any) -> tuple[bytes, ...]:
    return tuple(map(codec.pack, values))


def _lines(*values: str) -> tuple[bytes, ...]:
    return tuple(value.encode() for value in values)


def _headers() -> tuple[bytes, ...]:
    """A message to its own sender, without parts or grant; a kind with references, with a type; nothing referred to,
    said at length; a text that is no text; lists in lists without end."""
    nothing = {"derived_from": [], "releases": [], "reply_to": None, "supersedes": None, "target": None}
    found = []
    for header in headers():
        own = [[header["sender"], bytes(32)]]
        found += [{**header, "to": own}, {**header, "refs": nothing}]
        target = {**nothing, "reply_to": [header["log"], 0, bytes(32)]}
        message = header["kind"] == "message"
        found.append({**header, "parts": []} if message else {**header, "refs": target})
        found.append({**header, "grant": None} if message else {**header, "type": "threat/assessment/1"})
    whole = _packed(*found)
    deep = b"\xa7content" + b"\x91" * 20_000
    place = whole[0].index(b"\xa7content")
    return (*whole, whole[0].replace(b"ROUTINE", b"ROUTIN\xff"), whole[0][:place] + deep)


def _manifests() -> tuple[bytes, ...]:
    """A path that is not the export's, another spelling of one value, half a surrogate, digits that are none."""
    text = bytes.fromhex(vectors("export")["files"]["manifest.json"])
    half = text.replace(b'"tool": "', b'"tool": "\\ud800')
    no_hex = text.replace(b'"signature": "', b'"signature": "x')
    return (text.replace(b'"export/', b'"import/'), b"{}", b'"\\u0041"\n', text + b"\n", half, no_hex)


def _charters() -> tuple[bytes, ...]:
    """One thing in a charter that is wrong, or that is rare and right."""
    text = charter_text()
    head, border, rest = text.partition("\n[")
    rest = border + rest
    zeros = "0" * 64
    made = [
        f'{head}\nprevious = "{zeros}"{rest}',
        text.replace("quorum = [2, 3]", "quorum = [1, 3]"),
        text.replace("rules = 1", "rules = 1000"),
        f'{text}\n[[closed]]\nlog = "old.example/regional/ct"\nsize = 3\nroot = "{zeros}"\n',
        f'{text}\n[predecessor]\nframework_id = "{zeros}"\nsize = 3\nroot = "{zeros}"\n',
        text.replace('groups = ["@nordic"]', 'groups = ["@members"]'),
        text.replace("[channel.ct]", "[channel.directory]"),
        text.replace('members = ["@members"]', 'members = ["@nobody"]'),
        text.replace('members = ["@members"]', 'members = ["AUD"]'),
        text.replace("lag_minutes = 10", "lag_minutes = 9999"),
        f"{head}{rest}".replace("\n", "\r\n"),
        text.rstrip("\n"),
        text + "\n",
        "\ufeff" + text,
        text + "# \u202e\n",
        text + "# \x00\n",
        f"{text}a = {'[' * 500}\n",
        f"{text}a = {'[' * 3000}{']' * 3000}\n",
        f"{text}a = {'9' * 5000}\n",
        f"{text}\n[parameters]\nlag_minutes = 1\nskew_seconds = 600\n",
    ]
    return _lines(*made)


def _labels() -> tuple[bytes, ...]:
    """A sole originator in its own audience, somebody beside everybody, a successor that has one."""
    none = {"created": None, "review": None, "successor": None, "tags": {}}
    plain = {**none, "scheme": "REGIONAL", "level": "SECRET", "originators": ["EST"], "audience": []}
    later = {**plain, "successor": {**plain, "level": "RESTRICTED"}}
    made = ({**plain, "audience": ["EST", "FIN"]}, {**plain, "audience": ["@members", "FIN"]})
    return _packed(*made, later, {**plain, "successor": later})


def _schemes() -> tuple[bytes, ...]:
    text = (ROOT / "policies/schemes/regional.toml").read_text(encoding="utf-8")
    nato = (ROOT / "policies/schemes/nato.toml").read_text(encoding="utf-8")
    made = [
        text + "# x" * 100_000,
        text.replace("[[level]]", "[[level]]\nextra = 1", 1),
        'scheme = "X"\ntitle = "x"\nversion = 1\nlevel = [1]\n',
        'scheme = "X"\ntitle = "x"\nversion = 1\nlevel = []\n',
        text.replace("valid = [2026-01-01, 2035-12-31]", "valid = [2026, 2035]"),
        text.replace("valid = [2026-01-01, 2035-12-31]", "valid = [2035-01-01, 2026-12-31]"),
        text.replace('excludes = { caveat = ["SOURCE-SENSITIVE"', 'excludes = { caveat = ["CRYPTO"'),
        text.replace('requires = { level = ["SECRET", "TOP SECRET"] }', 'requires = ["SECRET"]'),
        text.replace('banner = "REGIONAL SECRET"', "obligations = { retain_days = 30 }"),
        text.replace('audience_mode = "restrict"', 'audience_mode = "extend"'),
        text.replace('prefix = "PROJECT"\n', ""),
        text.replace('name = "NORTHWIND"', 'name = "NONE"'),
        text.replace('name = "ORCON"', 'name = "CRYPTO"'),
        text.replace('portion = "R-R"', 'public_release = false\nnamed = true\nportion = "R-R"'),
        text.replace('portion = "R-U"', 'obligations = { onward = "no" }\nportion = "R-U"'),
        text.replace("levels = { UNMARKED", 'requires = { caveat = ["CRYPTO"] }\nlevels = { UNMARKED'),
        text + 'tags = { caveat = { CRYPTO = ["a", "b"] } }\n',
        text + 'tags = { CRYPTO = "x", CT = "x" }\n',
        nato.replace("base_audience", "other_audience"),
    ]
    return _lines(*made)


def _rows() -> tuple[bytes, ...]:
    row = '[[agreement]]\nid = "a"\neffect = "deny"\nfrom = ["EST"]\nto = ["FIN"]\n'
    permit = row.replace("deny", "permit") + 'actions = ["receive"]\nvalid = [2026-01-01, 2026-12-31]\n'
    made = [
        row,
        row + row,
        permit,
        permit.replace("EST", "LVA"),
        permit.replace('"EST"', '"@members"'),
        permit + 'max_level = "REGIONAL SECRET"\n',
        permit + 'max_level = "secret"\n',
        permit + "max_level = 1\n",
        row + 'min_level = "REGIONAL SECRET"\n',
        row + 'min_level = "secret"\n',
        row.replace('"a"', '"a b"'),
        row.replace("deny", "ceiling") + 'max_level = "REGIONAL SECRET"\n',
        row.replace("deny", "ceiling"),
        row.replace("deny", "require-release"),
    ]
    return _lines(*made)


def _settings() -> tuple[bytes, ...]:
    relays = {"relay.example": "wss://relay.example/session"}
    text = Settings("EST/mod-1", bytes(32), "relay.example/r/directory", relays, ()).text()
    head, _, _ = text.partition("[relays]")
    digest = "0" * 64
    changed = ("0" * 63 + "G", "0" * 63, "é" * 64)
    return _lines(
        *(text.replace(digest, other) for other in changed),
        head + "[relays]\n",
        head + "relays = 1\n",
        text + "extra = 1\n",
        f"a = {'[' * 3000}",
        "# x" * 30_000,
    )


_NOTE = note_text()
_SIGNATURE = _NOTE.rstrip("\n").rpartition("\n")[2]
INPUTS: dict[str, tuple[bytes, ...]] = {
    "codec": (
        bytes(70_001),
        b"\xc7\x00\x01",
        b"\xd6\xff\0\0\0\0",
        b"\x91\xc7\x00\x05",
        b"\x81\xc4\x01a\x01",
        b"\xcc\x01",
        b"\x82\xa1b\x01\xa1a\x01",
        b"\x82\xa1a\x01\xa1a\x01",
        b"\xcb\x80" + bytes(7),
        b"\x91" * 20 + b"\xc0",
        b"\xcf" + b"\xff" * 8,
        b"\xc1",
    ),
    "names": (b"a" * 121, b"EST/mod-1", b"relay.example/r/main", b"threat/assessment/1"),
    "header": _headers(),
    "charter text": _charters(),
    "scheme": _schemes(),
    "rows": _rows(),
    "policy file": (b'policy = "a"\nversion = 1\nvalid = [2026-01-01, 2026-01-02]\n',),
    "policy bundle": _packed(
        {"a.toml": "x"},
        {"schemes/a.toml": "x"},
        {"policy.toml": 'policy = "a"\nversion = 1\nvalid = [2026-01-01, 2026-01-02]\n', "other": ""},
        {"policy.toml": "a = 1\n[agreement]\n"},
        {"policy.toml": 1},
        [],
    ),
    "label": _labels(),
    "label text": _lines(
        "TLP AMBER",
        "TLP:AMBER",
        "TLP:CLEAR",
        "REGIONAL UNMARKED CRYPTO REL TO FIN",
        "REGIONAL SECRET PROJECT NORTHWIND PROJECT EASTWIND REL TO FIN",
        "REGIONAL SECRET PROJECT NORTHWIND, EASTWIND REL TO FIN, LVA",
        "REGIONAL SECRET PROJECT NONE ORIGINATOR ONLY",
        "NATO SECRET REL TO EST, LVA ONLY",
        "NATO SECRET",
        "regional secret source-sensitive, crypto rel to @nordic",
        "REGIONAL SECRET REL TO stra\u00dfe",
        "REGIONAL SECRET REL TO FIN FIN",
        "X" * 66_000,
    ),
    "note": (_NOTE.encode() + f"{_SIGNATURE}\n".encode() * 257, b"a" * 69_000),
    "checkpoint": _lines(
        f"a\n0\n{_HASH}\n",
        f"a\n1\n{_HASH}\nextra\n",
        "a\n1\nAAAA\n",
        f"a\n9223372036854775808\n{_HASH}\n",
        f"+\n1\n{_HASH}\n",
        "a" * 1100 + "\n",
        "a\x01\n",
    ),
    "tlog-proof": _lines(
        f"c2sp.org/tlog-proof@v1\nindex 0\n{f'{_HASH}' + chr(10)}" + f"{_HASH}\n" * 63 + f"\n{_NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 999999\n\n{_NOTE}",
        f"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n{_NOTE}",
        f"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n{_NOTE}",
        f"c2sp.org/tlog-proof@v1\n\n{_NOTE}",
    ),
    "tile path": _lines(
        "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/64/000", "tile/0/x000/001", "tile/0/000.p/256"
    ),
    "cosignature": tuple(case["note"].encode() for case in vectors("notes")["cases"] if case["code"]),
    "verifier key": (
        b"\xed\xa0\x80+00000000+" + base64.b64encode(b"\1" + bytes(range(32))),
        *_lines(f"+00000000+{_HASH}", f"a+00000000+{_HASH}", "a+00000000+", f"a b+00000000+AQ{_HASH[2:]}"),
    ),
    "tail": _packed(*full_items()),
    "outcome": _packed(["refused", b"\x90", bytes(64)], [], ["x"]),
    "body": (struct.pack(">I", 37) + codec.pack([bytes(32), b""]) + b"\x01" + bytes(990),),
    "node settings": _settings(),
    "message": _packed({"$portion": 1}, {"$portion": "1"}, {"$portion": 1, "x": 2}, {"text": [{"$portion": 2}]}),
    "json": (b"[" * 100_000, b"[" * 70 + b"]" * 70, b'{"a":1,"a":2}', b"NaN", b"1e999", b"\xff", b"9" * 5000),
    "stix": late_messages.bundles(),
    "cap": late_messages.alerts(),
    "openings": _packed([[0, [], []]], [[0, [], []], [0, [], []]]),
    "manifest": _manifests(),
    "absent bodies": (b'{\n "' + b"0" * 64 + b'": "erased"\n}\n', b'{\n "x": "erased"\n}\n', b"{}\n", b"[]\n", b"1\n"),
    "export paths": _lines(
        f"export/bodies/00/{'0' * 62}", "export/logs/ct/checkpoint", "export/charter/0001/charter.toml"
    ),
}
