"""Commitments, grants and bodies."""

from __future__ import annotations

from typing import Any

from rsc_share import names
from rsc_share.crypto import bodies
from rsc_share.crypto.sealing import Prekey, grant_check, grant_info, open_key
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.material import T0, Material, refusal, seeded
from rsc_share.testing.vectors.trees import ORIGIN

FRAMEWORK = seeded("framework", 32)
ID = names.uuid7(T0, seeded("message id", 10))
_PLACE = {"framework_id": FRAMEWORK, "log": ORIGIN, "realm": "operational", "sender": "EST/mod-1"}


def sealing(material: Material) -> Vectors:
    prekey, other = Prekey.generate(seed=b"LVA/mod-1"), Prekey.generate(seed=b"FIN/mod-1")
    gk = seeded("grant key", 32)
    check = grant_check(gk)
    fields: dict[str, Any] = {**_PLACE, "grant_id": ID, "node": "LVA/mod-1", "prekey_id": prekey.id, "check": check}
    info = grant_info(**fields)
    sealed = material.seal(prekey.public, gk, info)
    moved = grant_info(**{**fields, "node": "FIN/mod-1"})
    promised = grant_info(**{**fields, "check": grant_check(bytes(32))})
    cases = [
        ("right", prekey, sealed, info),
        ("another node's info", prekey, sealed, moved),
        ("another prekey", other, sealed, info),
        ("altered", prekey, sealed[:-1] + bytes([sealed[-1] ^ 1]), info),
        ("not the promised key", prekey, material.seal(prekey.public, bytes(32), promised), info),
        ("one byte short", prekey, sealed[:-1], info),
    ]
    return {
        "what": "HPKE base mode, KEM 0x647a (MLKEM768-X25519), KDF 0x0001, AEAD 0x0002, empty aad.",
        "prekey": {"secret": prekey.to_bytes().hex(), "public": prekey.public.hex(), "id": prekey.id.hex()},
        "other": {"secret": other.to_bytes().hex(), "public": other.public.hex(), "id": other.id.hex()},
        "grant_key": gk.hex(),
        "check": check.hex(),
        "fields": {key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()},
        "info": info.hex(),
        "cases": [
            {
                "why": why,
                "prekey": key.id.hex(),
                "sealed": data.hex(),
                "info": text.hex(),
                "ok": refusal(open_key, key, data, text) is None,
            }
            for why, key, data, text in cases
        ],
    }


def parts(_: Material) -> Vectors:
    gk, salt = seeded("grant key", 32), seeded("salt", 32)
    place: dict[str, Any] = {**_PLACE, "id": ID, "part": 0}
    made = [
        bodies.seal_part(gk, **place, salt=salt, payload=payload)
        for payload in (b"", b"concur", b"dissent", seeded("long", 3000))
    ]
    sealed = made[1]
    longer = bodies.seal_part(gk, **place, salt=salt, payload=b"concurs")
    cases: list[tuple[str, bytes, bytes, dict[str, Any]]] = [("right", item.body, item.commit, place) for item in made]
    cases += [
        ("another commitment", sealed.body, longer.commit, place),
        ("another message", sealed.body, sealed.commit, {**place, "id": names.uuid7(T0, bytes(10))}),
        ("another part", sealed.body, sealed.commit, {**place, "part": 1}),
        ("another sender", sealed.body, sealed.commit, {**place, "sender": "FIN/mod-1"}),
        ("another realm", sealed.body, sealed.commit, {**place, "realm": "exercise"}),
        ("altered", sealed.body[:-1] + bytes([sealed.body[-1] ^ 1]), sealed.commit, place),
        ("cut", sealed.body[:-1], sealed.commit, place),
    ]
    return {
        "what": "Bodies under grant key `grant_key`. `place` is what commitment, key and aad are made of.",
        "grant_key": gk.hex(),
        "part_key": bodies.part_key(gk, id=ID, part=0, commit=sealed.commit).hex(),
        "cases": [_part(gk, *case) for case in cases],
        "padded": [[n, bodies.padded_size(n)] for n in (0, 1023, 1024, 1025, 2048, 2049, 4000, 65_000, 65_520)],
        "to": _counters(),
        "received": _received(),
    }


def _part(gk: bytes, why: str, body: bytes, commit: bytes, place: dict[str, Any]) -> dict[str, Any]:
    code = refusal(bodies.open_part, gk, body, commit, **place)
    case = {
        "why": why,
        "place": {key: value.hex() if isinstance(value, bytes) else value for key, value in place.items()},
        "body": body.hex(),
        "commit": commit.hex(),
        "ok": code is None,
    }
    if code is None:
        salt, payload = bodies.open_part(gk, body, commit, **place)
        case |= {"salt": salt.hex(), "payload": payload.hex()}
    return case


def _counters() -> list[dict[str, Any]]:
    salt = seeded("counter", 16)
    return [
        {
            "log": ORIGIN,
            "sender": "EST/mod-1",
            "node": node,
            "n": n,
            "salt": salt.hex(),
            "c": bodies.to_commitment(log=ORIGIN, sender="EST/mod-1", node=node, n=n, salt=salt).hex(),
        }
        for node, n in (("LVA/mod-1", 1), ("LVA/mod-1", 2), ("FIN/mod-1", 1), ("FIN/mod-1", 70_000))
    ]


def _received() -> list[dict[str, Any]]:
    salt, digest = seeded("statement", 16), seeded("header", 32)
    found = []
    for state in ("stored", "opened", "bad-grant", "bad-part", "body-missing"):
        c = bodies.received_commitment(
            log=ORIGIN, receiver="LVA/mod-1", sender="EST/mod-1", header_hash=digest, state=state, salt=salt
        )
        fields = {"log": ORIGIN, "receiver": "LVA/mod-1", "sender": "EST/mod-1", "header_hash": digest.hex()}
        found.append({**fields, "state": state, "salt": salt.hex(), "c": c.hex()})
    return found
