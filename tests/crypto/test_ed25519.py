"""One Ed25519 rule: others' vectors, the rule written out in slow arithmetic, and libsodium give one verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import slow_ed25519 as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.crypto import ed25519
from rsc_share.crypto.signing import PrivateKey, PublicKey, Suite, verify
from rsc_share.errors import LocalError, RemoteError

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
CCTV = VECTORS / "merkle" / "cctv" / "ed25519" / "ed25519vectors.json"

REFUSED_FLAGS = {
    "non_canonical_A": "rule 2",
    "non_canonical_R": "rule 2",
    "low_order_A": "rule 2",
    "low_order_R": "rule 2",
    "low_order_residue": "rule 3: the equation holds only after multiplying by the cofactor",
}
"""Everything else a vector may be flagged with (`low_order_component_A`, `..._R`, `reencoded_k`) decides nothing."""


def accepted(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        verify(PublicKey(Suite.ED25519, public), message, signature)
    except RemoteError as error:
        return error.code != "bad-signature"
    return True


@pytest.mark.skipif(not CCTV.is_file(), reason=f"no vectors of others at {CCTV} (set RSC_VECTORS)")
def test_cctv_vectors_follow_the_one_rule() -> None:
    vectors: list[dict[str, Any]] = json.loads(CCTV.read_bytes())
    verdicts = set()
    for vector in vectors:
        public, signature = bytes.fromhex(vector["key"]), bytes.fromhex(vector["sig"])
        message = vector["msg"].encode()
        verdict = not REFUSED_FLAGS.keys() & set(vector["flags"] or ())
        assert slow.verifies(public, message, signature) is verdict, vector["number"]
        assert accepted(public, message, signature) is verdict, vector["number"]
        verdicts.add(verdict)
    assert len(vectors) > 900
    assert verdicts == {True, False}


SCALAR = st.integers(1, slow.L - 1)


@settings(max_examples=25, deadline=None)
@given(
    a=st.sampled_from([0, 1, slow.L - 1]) | SCALAR,
    r=st.sampled_from([0, 1]) | SCALAR,
    torsion=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    message=st.binary(max_size=20),
)
def test_keys_and_nonces_with_small_order_parts(a: int, r: int, torsion: tuple[int, int], message: bytes) -> None:
    public, signature = slow.sign_with_torsion(a, r, *torsion, message)
    assert accepted(public, message, signature) is slow.verifies(public, message, signature)


@settings(max_examples=25, deadline=None)
@given(seed=st.binary(min_size=1, max_size=8), message=st.binary(max_size=20), multiple=st.integers(0, 15))
def test_signature_cannot_be_respelled_by_adding_l(seed: bytes, message: bytes, multiple: int) -> None:
    """S, S + L, S + 2L ... solve the same equation: only S < L is a signature, so no entry has two spellings."""
    key = PrivateKey.generate(Suite.ED25519, seed=seed)
    signature = key.sign(message)
    number = int.from_bytes(signature[32:], "little") + multiple * slow.L
    respelled = signature[:32] + (number % 2**256).to_bytes(32, "little")
    assert accepted(key.public.raw, message, respelled) is (multiple == 0)
    assert slow.verifies(key.public.raw, message, respelled) is (multiple == 0)


@pytest.mark.parametrize("torsion", range(8))
def test_key_of_small_order_signs_nothing(torsion: int) -> None:
    """With such a key one signature verifies for many messages; it would be a key that anybody can use."""
    public = slow.encode(slow.TORSION[torsion])
    for spelling in {public, public[:31] + bytes([public[31] ^ 0x80])}:
        for message in (b"", b"1", b"2", b"3"):
            for signature in (public + bytes(32), bytes(64), b"\1" + bytes(63)):
                assert not accepted(spelling, message, signature)


def test_probes_tell_the_rules_apart() -> None:
    """Each probe's verdict is the slow rule's, and the accepted one is not the only kind."""
    for verdict, message, public, signature in ed25519.PROBES:
        assert slow.verifies(bytes.fromhex(public), message, bytes.fromhex(signature)) is verdict
    assert [probe[0] for probe in ed25519.PROBES].count(True) == 1


@pytest.mark.parametrize("odd", range(len(ed25519.PROBES)))
def test_library_with_another_rule_is_refused_at_the_start(odd: int, monkeypatch: Any) -> None:
    ed25519.check_rule()
    honest, (_, message, public, signature) = ed25519.verifies, ed25519.PROBES[odd]
    different = (bytes.fromhex(public), message, bytes.fromhex(signature))
    monkeypatch.setattr(ed25519, "verifies", lambda *given: honest(*given) ^ (given == different))
    with pytest.raises(LocalError) as caught:
        ed25519.check_rule()
    assert caught.value.code == "ed25519-rule"
