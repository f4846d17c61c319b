"""Grants: sealed to one node, for one place, with the key the grant promises."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rsc_share.crypto.sealing import (
    PREKEY_SECRET_SIZE,
    SEALED_SIZE,
    Prekey,
    check_prekey,
    grant_check,
    grant_info,
    open_key,
    seal_key,
)
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.errors import LocalError, RemoteError

FIN, LVA = Prekey.generate(seed=b"FIN"), Prekey.generate(seed=b"LVA")
GK = bytes(range(32))
PLACE: dict[str, Any] = {
    "framework_id": bytes(32),
    "log": "relay.example/regional/warnings",
    "realm": "operational",
    "sender": "EST/mod-1",
    "grant_id": bytes(16),
    "node": "FIN/ops-1",
    "prekey_id": FIN.id,
    "check": grant_check(GK),
}
INFO = grant_info(**PLACE)


def refused(prekey: Prekey, sealed: bytes, info: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        open_key(prekey, sealed, info)
    assert caught.value.code == "bad-grant"


def test_what_is_sealed_opens_at_its_node_only() -> None:
    sealed = seal_key(FIN.public, GK, INFO)
    assert len(sealed) == SEALED_SIZE == 1168
    assert open_key(FIN, sealed, INFO) == GK
    refused(LVA, sealed, INFO)
    assert seal_key(FIN.public, GK, INFO) != sealed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("framework_id", b"\1" + bytes(31)),
        ("log", "relay.example/regional/warnings2"),
        ("realm", "exercise"),
        ("sender", "LVA/mod-1"),
        ("grant_id", b"\1" + bytes(15)),
        ("node", "FIN/ops-2"),
        ("prekey_id", LVA.id),
    ],
)
def test_relay_cannot_move_a_sealed_key_to_another_place(field: str, value: Any) -> None:
    refused(FIN, seal_key(FIN.public, GK, INFO), grant_info(**PLACE | {field: value}))


def test_sender_cannot_seal_a_key_the_grant_does_not_promise() -> None:
    """The alibi "it was released to you": the node is granted another key than the entry's check, and says so."""
    other = grant_check(b"another key".ljust(32, b"!"))
    info = grant_info(**PLACE | {"check": other})
    with pytest.raises(LocalError):
        seal_key(FIN.public, GK, info)
    refused(FIN, reference_seal(FIN.public, GK, info), info)
    assert open_key(FIN, reference_seal(FIN.public, GK, INFO), INFO) == GK
    for gk in (b"", GK[:31], GK + b"\0"):
        refused(FIN, reference_seal(FIN.public, gk, INFO), INFO)


def test_damaged_sealed_key_is_refused_wherever_the_damage_is() -> None:
    sealed = seal_key(FIN.public, GK, INFO)
    for place in (0, 500, 1087, 1088, 1119, 1120, 1151, 1152, 1167):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        refused(FIN, bytes(damaged), INFO)
    for other in (b"", sealed[:-1], sealed + b"\0", bytes(SEALED_SIZE)):
        refused(FIN, other, INFO)
    # An ephemeral key of small order: X25519 gives zeros, whatever the private key.
    refused(FIN, sealed[:1088] + bytes(32) + sealed[1120:], INFO)


@pytest.mark.parametrize(
    "public",
    [
        b"",
        FIN.public[:-1],
        FIN.public + b"\0",
        FIN.public[:1184] + bytes(32),
        FIN.public[:1184] + b"\1" + bytes(31),
        b"\xff" * 1184 + FIN.public[1184:],
    ],
    ids=["empty", "short", "long", "zero point", "small order", "ML-KEM outside the field"],
)
def test_prekey_nobody_can_seal_to_is_refused(public: bytes) -> None:
    """One such prekey in the directory would stop the grants of every sender."""
    for attempt in (lambda: check_prekey(public), lambda: seal_key(public, GK, INFO)):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.code == "bad-prekey"
    check_prekey(FIN.public)


def test_prekey_id_is_the_key_id_of_suite_3() -> None:
    assert FIN.id == hashlib.sha256(b"\x03" + FIN.public).digest() == PublicKey(Suite.HPKE, FIN.public).key_id
    assert len(FIN.public) == 1216


def test_prekey_round_trip_and_no_copies() -> None:
    again = Prekey.from_bytes(FIN.to_bytes())
    assert again.public == FIN.public == Prekey.generate(seed=b"FIN").public
    assert Prekey.generate().public != FIN.public
    assert open_key(again, seal_key(FIN.public, GK, INFO), INFO) == GK
    assert repr(FIN) == f"Prekey({FIN.id.hex()[:16]}…)"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(LocalError):
            leak(FIN)
    for secret in (b"", bytes(PREKEY_SECRET_SIZE - 1), bytes(PREKEY_SECRET_SIZE + 1)):
        with pytest.raises(LocalError):
            Prekey.from_bytes(secret)


def test_lengths_are_checked_where_they_would_be_ambiguous() -> None:
    with pytest.raises(LocalError):
        grant_check(bytes(31))
    for field in ("framework_id", "prekey_id", "check"):
        with pytest.raises(LocalError):
            grant_info(**PLACE | {field: bytes(31)})


def test_hpke_is_what_the_documents_say() -> None:
    """The library against RFC 9180 and X-Wing written out below, in both directions."""
    assert reference_open(FIN, seal_key(FIN.public, GK, INFO), INFO) == GK
    assert open_key(FIN, reference_seal(FIN.public, GK, INFO), INFO) == GK


# RFC 9180 section 5.1 (base mode) and draft-connolly-cfrg-xwing-kem, from the text and slow on purpose.

SUITE_ID = b"HPKE" + bytes.fromhex("647a00010002")


def labeled_extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + SUITE_ID + label + ikm, "sha256")


def labeled_expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE_ID + label + info
    return hmac.digest(prk, labeled + b"\1", "sha256")[:length]


def key_and_nonce(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    context = b"\0" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    secret = labeled_extract(shared, b"secret", b"")
    return labeled_expand(secret, b"key", context, 32), labeled_expand(secret, b"base_nonce", context, 12)


def x_wing(kem_secret: bytes, curve_secret: bytes, curve_ciphertext: bytes, curve_public: bytes) -> bytes:
    return hashlib.sha3_256(
        kem_secret + curve_secret + curve_ciphertext + curve_public + bytes.fromhex("5c2e2f2f5e5c")
    ).digest()


def reference_open(prekey: Prekey, sealed: bytes, info: bytes) -> bytes:
    kem = MLKEM768PrivateKey.from_seed_bytes(prekey.to_bytes()[:64])
    curve = X25519PrivateKey.from_private_bytes(prekey.to_bytes()[64:])
    kem_ct, curve_ct, sealed_text = sealed[:1088], sealed[1088:1120], sealed[1120:]
    curve_secret = curve.exchange(X25519PublicKey.from_public_bytes(curve_ct))
    shared = x_wing(kem.decapsulate(kem_ct), curve_secret, curve_ct, prekey.public[1184:])
    key, nonce = key_and_nonce(shared, info)
    return AESGCM(key).decrypt(nonce, sealed_text, b"")


def reference_seal(public: bytes, gk: bytes, info: bytes) -> bytes:
    kem_secret, kem_ct = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = X25519PrivateKey.generate()
    curve_secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
    curve_ct = ephemeral.public_key().public_bytes_raw()
    key, nonce = key_and_nonce(x_wing(kem_secret, curve_secret, curve_ct, public[1184:]), info)
    return kem_ct + curve_ct + AESGCM(key).encrypt(nonce, gk, b"")
