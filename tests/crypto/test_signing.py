"""Signatures: every suite, the border between signed texts, and the cache."""

from __future__ import annotations

import copy
import hashlib
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.crypto import verify_cache
from rsc_share.crypto.signing import (
    KINDS,
    PUBLIC_SIZE,
    SECRET_SIZE,
    SIGNATURE_SIZE,
    PrivateKey,
    PublicKey,
    Signer,
    Suite,
    signed_bytes,
    verify,
)
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.errors import LocalError, RemoteError

FRAMEWORK = bytes(range(32))
SIGNING = sorted(SECRET_SIZE)
KEYS = {suite: PrivateKey.generate(suite, seed=b"one") for suite in SIGNING}
OTHERS = {suite: PrivateKey.generate(suite, seed=b"two") for suite in SIGNING}


def refused(key: PublicKey, data: bytes, signature: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        verify(key, data, signature)
    assert caught.value.code == "bad-signature"


@pytest.mark.parametrize("suite", SIGNING)
def test_what_a_key_signs_verifies_and_nothing_else_does(suite: Suite) -> None:
    key: Signer = KEYS[suite]
    signature = key.sign(b"text")
    assert len(signature) == SIGNATURE_SIZE[suite]
    assert len(key.public.raw) == PUBLIC_SIZE[suite]
    verify(key.public, b"text", signature)
    refused(key.public, b"texT", signature)
    refused(key.public, b"text\0", signature)
    refused(OTHERS[suite].public, b"text", signature)
    for length in (0, 1, len(signature) - 1):
        refused(key.public, b"text", signature[:length])
    refused(key.public, b"text", signature + b"\0")
    for place in {0, 31, 32, 63, 64, len(signature) - 1} & set(range(len(signature))):
        damaged = bytearray(signature)
        damaged[place] ^= 1
        refused(key.public, b"text", bytes(damaged))


def test_rfc_8032_section_7_1_test_2() -> None:
    key = PrivateKey(Suite.ED25519, bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert key.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_hybrid_cannot_be_stripped() -> None:
    """Neither half verifies alone, not by shortening, zeroing, repeating or borrowing the other half."""
    hybrid, other = KEYS[Suite.HYBRID], OTHERS[Suite.HYBRID]
    signature, foreign = hybrid.sign(b"charter"), other.sign(b"charter")
    classical, quantum = signature[:64], signature[64:]
    refused(hybrid.public, b"charter", classical)
    refused(hybrid.public, b"charter", quantum)
    refused(hybrid.public, b"charter", classical + bytes(3309))
    refused(hybrid.public, b"charter", bytes(64) + quantum)
    refused(hybrid.public, b"charter", quantum + classical)
    refused(hybrid.public, b"charter", classical + foreign[64:])
    refused(hybrid.public, b"charter", foreign[:64] + quantum)
    refused(hybrid.public, b"charter", classical + hybrid.sign(b"other text")[64:])
    refused(hybrid.public, b"charter", hybrid.sign(b"other text")[:64] + quantum)


def test_half_of_a_hybrid_key_is_another_key() -> None:
    """The Ed25519 half used alone has another id, and a signature under it names suite 1, not 2."""
    hybrid = KEYS[Suite.HYBRID]
    half = PublicKey(Suite.ED25519, hybrid.public.raw[:32])
    assert half.key_id != hybrid.public.key_id
    text = signed_bytes("charter", Suite.HYBRID, FRAMEWORK, b"v1")
    assert text != signed_bytes("charter", Suite.ED25519, FRAMEWORK, b"v1")
    # The raw half does verify as what it is: only the key id keeps the two apart, so the id must be compared.
    verify(half, text, hybrid.sign(text)[:64])
    with pytest.raises(RemoteError):
        PublicKey(Suite.HYBRID, half.raw)


def test_one_seed_never_gives_two_suites_a_common_half() -> None:
    assert KEYS[Suite.HYBRID].public.raw[:32] != KEYS[Suite.ED25519].public.raw
    assert KEYS[Suite.HYBRID].secret()[32:] != KEYS[Suite.ML_DSA_44].secret()


def test_key_id_is_the_hash_of_suite_and_key() -> None:
    key = KEYS[Suite.ED25519].public
    assert key.key_id == hashlib.sha256(b"\x01" + key.raw).digest()
    assert key.fingerprint == key.key_id.hex()


@pytest.mark.parametrize("suite", SIGNING)
def test_public_key_wire_round_trip(suite: Suite) -> None:
    key = KEYS[suite].public
    again = PublicKey.from_wire(key.wire())
    assert again == key
    assert hash(again) == hash(key)
    assert again.wire() == key.wire()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [1],
        [1, b""],
        [1, bytes(31)],
        [1, bytes(33)],
        [0, bytes(32)],
        [5, bytes(32)],
        [True, bytes(32)],
        [1.0, bytes(32)],
        ["1", bytes(32)],
        [1, "0" * 32],
        [2, bytes(32)],
        [2, bytes(1952)],
        [3, bytes(1184)],
        [1, bytes(32), 0],
        {"suite": 1},
    ],
)
def test_public_key_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(RemoteError) as caught:
        PublicKey.from_wire(value, "member.authority")
    assert caught.value.fields["where"] == "member.authority"


def test_sealing_key_verifies_nothing() -> None:
    refused(PublicKey(Suite.HPKE, bytes(1216)), b"", b"")
    refused(PublicKey(Suite.HPKE, bytes(1216)), b"", bytes(64))
    with pytest.raises(LocalError):
        PrivateKey.generate(Suite.HPKE)
    with pytest.raises(LocalError):
        PrivateKey(Suite.HPKE, bytes(32))


def test_secret_is_not_shown_copied_or_pickled() -> None:
    key = KEYS[Suite.ED25519]
    assert repr(key) == f"PrivateKey(ED25519, {key.public.fingerprint[:16]}…)"
    assert key.secret().hex() not in repr(key)
    assert repr(key.public) == f"PublicKey(ED25519, {key.public.fingerprint[:16]}…)"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(LocalError):
            leak(key)


@pytest.mark.parametrize("suite", SIGNING)
def test_secret_gives_the_same_key_back(suite: Suite) -> None:
    key = KEYS[suite]
    assert PrivateKey(suite, key.secret()).public == key.public
    assert PrivateKey.generate(suite, seed=b"one").public == key.public
    assert PrivateKey.generate(suite).public != key.public
    for secret in (b"", bytes(31), bytes(33), bytes(65)):
        with pytest.raises(LocalError):
            PrivateKey(suite, secret)


def test_no_text_of_one_kind_is_a_text_of_another() -> None:
    """Kind, suite and framework are in front, ended or of fixed length: none is the start of another."""
    heads = {
        signed_bytes(kind, suite, framework)
        for kind in KINDS
        for suite in Suite
        for framework in (FRAMEWORK, bytes(32))
    }
    assert len(heads) == len(KINDS) * len(Suite) * 2
    assert not any(a != b and a.startswith(b) for a in heads for b in heads)
    assert signed_bytes("entry", 1, FRAMEWORK, b"a", b"b") == b"rsc-share/v1 entry\0\x01" + FRAMEWORK + b"ab"


def test_signed_bytes_refuses_what_would_be_ambiguous() -> None:
    for kind in ("", "Entry", "entry\0", "session"):
        with pytest.raises(LocalError):
            signed_bytes(kind, 1, FRAMEWORK)
    for framework in (b"", bytes(31), bytes(33)):
        with pytest.raises(LocalError):
            signed_bytes("entry", 1, framework)


def test_cache_answers_for_exactly_what_verified() -> None:
    key, cache = KEYS[Suite.ED25519], VerifyCache(8)
    signature = key.sign(b"text")
    cache.verify(key.public, b"text", signature)
    cache.verify(key.public, b"text", signature)
    assert len(cache) == 1
    for wrong in ((key.public, b"texT", signature), (OTHERS[Suite.ED25519].public, b"text", signature)):
        with pytest.raises(RemoteError):
            cache.verify(*wrong)


def test_cache_cannot_be_confused_by_moving_the_border() -> None:
    """Text moved into the signature is another signature, though all bytes together are the same."""
    key, cache = KEYS[Suite.ED25519], VerifyCache(8)
    signature = key.sign(b"do not release")
    cache.verify(key.public, b"do not release", signature)
    with pytest.raises(RemoteError):
        cache.verify(key.public, b"release", signature + b"do not ")


def test_cache_never_remembers_a_failure() -> None:
    key, cache = KEYS[Suite.ED25519], VerifyCache(8)
    for _ in range(3):
        with pytest.raises(RemoteError):
            cache.verify(key.public, b"text", bytes(64))
    assert len(cache) == 0


@pytest.mark.parametrize("limit", [2, 3, 8, 9])
def test_cache_is_bounded_and_keeps_the_newest(limit: int) -> None:
    key, cache = KEYS[Suite.ED25519], VerifyCache(limit)
    signed = [(str(n).encode(), key.sign(str(n).encode())) for n in range(40)]
    for text, signature in signed:
        cache.verify(key.public, text, signature)
        assert len(cache) <= limit
    with pytest.raises(LocalError):
        VerifyCache(1)


def test_cache_verifies_again_only_what_it_forgot(monkeypatch: Any) -> None:
    """With room for four: used ones move to the young generation, the one not used is forgotten."""
    key, cache = KEYS[Suite.ED25519], VerifyCache(4)
    signed = {n: (key.public, str(n).encode(), key.sign(str(n).encode())) for n in range(4)}
    verified: list[bytes] = []
    monkeypatch.setattr(verify_cache, "verify", lambda key, data, signature: verified.append(data))
    for n in (0, 1, 0, 1, 2, 0, 3, 0, 1):
        cache.verify(*signed[n])
    assert verified == [b"0", b"1", b"2", b"3", b"1"]


@settings(max_examples=60, deadline=None)
@given(suite=st.sampled_from(list(Suite)), data=st.binary(max_size=80), signature=st.binary(max_size=70))
def test_verify_raises_nothing_but_the_one_error(suite: Suite, data: bytes, signature: bytes) -> None:
    raw = (signature + data + bytes(2048))[: PUBLIC_SIZE[suite]]
    padded = (signature + bytes(4000))[: SIGNATURE_SIZE.get(suite, 64)]
    for candidate in (signature, padded):
        refused(PublicKey(suite, raw), data, candidate)
