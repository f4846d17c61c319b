"""Encodings, names, keys and signed bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from rsc_share import codec, names
from rsc_share.crypto import ed25519
from rsc_share.crypto.signing import KINDS, PublicKey, Suite, signed_bytes, verify
from rsc_share.testing.vectors.material import T0, Material, plain, refusal, seeded

Vectors = dict[str, Any]


def encoding(_: Material) -> Vectors:
    values: list[Any] = [None, True, 0, 127, 128, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, codec.INT_MAX]
    values += [
        -1,
        -32,
        -33,
        -128,
        -129,
        codec.INT_MIN,
        0.5,
        -1.25,
        "",
        "a" * 31,
        "a" * 32,
        "ü" * 128,
        b"",
        b"\x00" * 256,
    ]
    values += [[], [1, [2, [3]]], list(range(16)), {}, {"a": 1, "b": b"x"}, {"Z": 0, "a": 1, "é": 2, "𐀀": 4}]
    good = [{"value": plain(value), "packed": codec.pack(value).hex(), "ok": True} for value in values]
    nested = b"\x91" * 17 + b"\xc0"
    bad: list[tuple[str, bytes]] = [
        ("integer in a longer form", b"\xcc\x05"),
        ("integer in a longer form", b"\xd0\x05"),
        ("unsigned integer above 2^63-1", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("string in a longer form", b"\xd9\x01a"),
        ("string is not UTF-8", b"\xa1\xff"),
        ("string with a surrogate", b"\xa3\xed\xa0\x80"),
        ("bin in a longer form", b"\xc5\x00\x01\x00"),
        ("list in a longer form", b"\xdc\x00\x01\xc0"),
        ("map keys out of order", b"\x82\xa1b\x01\xa1a\x02"),
        ("map key twice", b"\x82\xa1a\x01\xa1a\x02"),
        ("map key is no string", b"\x81\x01\x02"),
        ("negative zero", b"\xcb" + struct.pack(">d", -0.0)),
        ("not a number", b"\xcb" + struct.pack(">d", float("nan"))),
        ("infinite", b"\xcb" + struct.pack(">d", float("inf"))),
        ("32-bit float", b"\xca" + struct.pack(">f", 0.5)),
        ("extension type", b"\xd4\x01\x00"),
        ("timestamp", b"\xd6\xff\x00\x00\x00\x00"),
        ("never used byte", b"\xc1"),
        ("bytes after the value", b"\xc0\xc0"),
        ("ends early", b"\x92\x01"),
        ("nothing", b""),
        ("nested 17 deep", nested),
        ("claims 2^32-1 items", b"\xdd\xff\xff\xff\xff"),
    ]
    return {
        "what": "Canonical msgpack. `$bin` is hex, `$float` and `$int` are decimal texts.",
        "cases": good + [{"why": why, "packed": data.hex(), "ok": _unpacks(data)} for why, data in bad],
    }


def _unpacks(data: bytes) -> bool:
    return refusal(codec.unpack, data, max_size=1 << 20) is None


_NAMES: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "framework": (names.framework, ("regional", "-", "a" * 63, "a" * 64, "", "Regional", "reg ional", "regional\n")),
    "member": (names.member, ("EST", "UN-OCHA", "E1", "E", "EST ", "est", "A" * 32, "A" * 33, "1ST", "EST\n")),
    "group": (names.group, ("@nordic", "@members", "nordic", "@", "@Nordic", "@-a")),
    "node": (names.node, ("EST/mod-1", "EST/-1", "EST", "est/mod-1", "EST/Mod-1", "EST/a/b", "EST/" + "a" * 64)),
    "channel": (names.channel, ("counter-terrorism", "directory", "-x", "", "a_b")),
    "origin": (
        names.origin,
        (
            "relay.example/regional/ct",
            "relay.example:8443/regional/ct",
            "relay.example:08/regional/ct",
            "Relay.example/regional/ct",
            "relay.example./regional/ct",
            "relay.example/regional",
            "https://relay.example/regional/ct",
            "relay.example/regional/ct/",
        ),
    ),
    "type": (
        names.message_type,
        (
            "threat/assessment/1",
            "ee.mod.drone/sighting/12",
            "threat/1",
            "threat/assessment/0",
            "threat/assessment/01",
            "Threat/assessment/1",
            "a/b/c/1",
            "threat/assessment/100000",
        ),
    ),
}


def names_(_: Material) -> Vectors:
    cases = [
        {"kind": kind, "text": text, "ok": _accepts(read, text)}
        for kind, (read, texts) in _NAMES.items()
        for text in texts
    ]
    ids = []
    for what, raw in (
        ("a UUIDv7", names.uuid7(T0, seeded("uuid", 10))),
        ("version 4", bytes.fromhex("0190f0e0a0004a00800000000000000a")),
        ("wrong variant", bytes.fromhex("0190f0e0a0007a00c00000000000000a")),
        ("15 bytes", bytes(15)),
    ):
        ok = refusal(names.message_id, raw) is None
        ids.append({"what": what, "id": raw.hex(), "ok": ok, "time": names.id_time(raw) if ok else None})
    return {"what": "Names by kind, and message ids with the time (ms) inside.", "cases": cases, "ids": ids}


def _accepts(read: Callable[[Any], Any], text: str) -> bool:
    return refusal(read, text) is None


def signatures(material: Material) -> Vectors:
    keys, signed = [], []
    framework = seeded("framework", 32)
    for suite in (Suite.ED25519, Suite.HYBRID, Suite.ML_DSA_44):
        signer = material.key("vector", suite)
        public = signer.public
        keys.append({"suite": int(suite), "raw": public.raw.hex(), "key_id": public.key_id.hex()})
        data = signed_bytes("certificate", suite, framework, b"content")
        good = signer.sign(data)
        signed.append(_signature(public, data, good, "right"))
        signed.append(_signature(public, data + b"!", good, "other bytes"))
        signed.append(_signature(public, signed_bytes("revocation", suite, framework, b"content"), good, "other kind"))
        signed.append(
            _signature(public, signed_bytes("certificate", suite, bytes(32), b"content"), good, "other framework")
        )
        signed.append(_signature(public, data, good[:-1], "one byte short"))
        if suite is Suite.HYBRID:
            signed.append(_signature(public, data, good[:64], "Ed25519 half alone"))
            broken = bytes([good[0] ^ 1]) + good[1:]
            signed.append(_signature(public, data, broken, "Ed25519 half broken"))
            signed.append(_signature(public, data, good[:-1] + bytes([good[-1] ^ 1]), "ML-DSA half broken"))
    texts = [
        {
            "kind": kind,
            "suite": 1,
            "framework_id": framework.hex(),
            "parts": ["0102", "03"],
            "bytes": signed_bytes(kind, 1, framework, b"\x01\x02", b"\x03").hex(),
        }
        for kind in sorted(KINDS)
    ]
    rule = [
        {"accepted": verdict, "message": message.hex(), "public": public, "signature": signature}
        for verdict, message, public, signature in ed25519.PROBES
    ]
    return {
        "what": "Key ids, signed bytes, signatures, and the one Ed25519 rule (`ed25519_rule`).",
        "keys": keys,
        "signed_bytes": texts,
        "signatures": signed,
        "ed25519_rule": rule,
    }


def _signature(public: PublicKey, data: bytes, signature: bytes, why: str) -> dict[str, Any]:
    ok = refusal(verify, public, data, signature) is None
    wire = {"suite": int(public.suite), "key": public.raw.hex()}
    return {"why": why, **wire, "data": data.hex(), "signature": signature.hex(), "ok": ok}
