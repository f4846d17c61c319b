"""Bodies: one key per plaintext, one plaintext per commitment, one spelling of the padding."""

from __future__ import annotations

import hashlib
import hmac
import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share import codec
from rsc_share.crypto import bodies as module
from rsc_share.crypto.bodies import (
    MAX_INLINE_PART,
    MAX_INLINE_PAYLOAD,
    commitment,
    open_part,
    padded_size,
    part_key,
    received_commitment,
    seal_part,
    sealed_size,
    to_commitment,
)
from rsc_share.errors import LocalError, RemoteError

GK = bytes(range(32))
SALT = b"s" * 32
LOG, SENDER, ID = "relay.example/regional/warnings", "EST/mod-1", bytes.fromhex("0198c0de0000700080000000000000aa")
NAMED: dict[str, Any] = {"log": LOG, "sender": SENDER, "id": ID, "part": 0}
PLACE: dict[str, Any] = NAMED | {"framework_id": b"f" * 32, "realm": "operational"}


def refused(body: bytes, commit: bytes, *, gk: bytes = GK, **changed: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        open_part(gk, body, commit, **PLACE | changed)
    assert caught.value.code == "bad-part"


def craft(plain: bytes, commit: bytes, *, pad: bool = True) -> bytes:
    """A body that decrypts under the grant key and this commitment, whatever stands in it: what a cheat can make."""
    if pad:
        plain = plain.ljust(padded_size(len(plain)), b"\0")
    key = part_key(GK, id=ID, part=0, commit=commit)
    return AESGCM(key).encrypt(bytes(12), plain, codec.pack([b"f" * 32, LOG, "operational", SENDER, ID, 0]))


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


@settings(max_examples=50, deadline=None)
@given(payload=st.binary(max_size=3000), salt=st.binary(min_size=32, max_size=32), part=st.integers(0, 15))
def test_round_trip(payload: bytes, salt: bytes, part: int) -> None:
    place = PLACE | {"part": part}
    sealed = seal_part(GK, **place, salt=salt, payload=payload)
    assert open_part(GK, sealed.body, sealed.commit, **place) == (salt, payload)
    assert sealed.digest == hashlib.sha256(sealed.body).digest()
    assert sealed.size == len(sealed.body) == padded_size(4 + len(codec.pack([salt, payload]))) + 16
    assert sealed == seal_part(GK, **place, salt=salt, payload=payload)


def test_formats_are_what_the_protocol_says() -> None:
    """The three formulas written out again with nothing but hashes."""
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    place = codec.pack([LOG, SENDER, ID, 0])
    assert sealed.commit == hashlib.sha256(b"rsc-share/v1 commit\0" + place + SALT + b"text").digest()
    info = codec.pack(["rsc-share/v1 part key", ID, 0, sealed.commit])
    assert part_key(GK, id=ID, part=0, commit=sealed.commit) == hmac.digest(GK, info + b"\1", "sha256")
    assert sealed.body == craft(framed(codec.pack([SALT, b"text"])), sealed.commit)


def test_two_plaintexts_under_one_grant_key_never_share_a_key() -> None:
    """A cloned machine repeats salt and id; the texts differ, so do commitments, keys and key streams."""
    one = seal_part(GK, **PLACE, salt=SALT, payload=b"attack at dawn")
    two = seal_part(GK, **PLACE, salt=SALT, payload=b"attack at dusk")
    assert one.commit != two.commit
    assert part_key(GK, id=ID, part=0, commit=one.commit) != part_key(GK, id=ID, part=0, commit=two.commit)
    stream = bytes(a ^ b for a, b in zip(one.body, two.body, strict=True))
    assert stream[100:1000].count(0) < 50  # equal padding under one key stream would give zeros only


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([bytes(32), SALT]), st.binary(max_size=3)),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_part_salt_and_payload_each_change_the_key(values: list[tuple[int, bytes, bytes]]) -> None:
    keys = set()
    for part, salt, payload in values:
        commit = commitment(log=LOG, sender=SENDER, id=ID, part=part, salt=salt, payload=payload)
        keys.add(part_key(GK, id=ID, part=part, commit=commit))
    assert len(keys) == len(values)


def test_receiver_recomputes_the_commitment() -> None:
    """Invisible salamander: a body that decrypts under the right key with good padding, but says something else."""
    shown_to_the_auditor = seal_part(GK, **PLACE, salt=SALT, payload=b"warning")
    body = craft(framed(codec.pack([SALT, b"nothing to report"])), shown_to_the_auditor.commit)
    refused(body, shown_to_the_auditor.commit)
    other_salt = craft(framed(codec.pack([b"t" * 32, b"warning"])), shown_to_the_auditor.commit)
    refused(other_salt, shown_to_the_auditor.commit)


@pytest.mark.parametrize(
    "changed",
    [
        {"framework_id": b"g" * 32},
        {"log": "relay.example/regional/exercise"},
        {"realm": "exercise"},
        {"sender": "LVA/mod-1"},
        {"id": bytes(16)},
        {"part": 1},
        {"gk": bytes(32)},
    ],
)
def test_relay_cannot_move_a_body_to_another_place(changed: dict[str, Any]) -> None:
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    refused(sealed.body, sealed.commit, **changed)


def test_member_cannot_claim_anothers_commitment() -> None:
    """Log, sender, id and part are inside: the same salt and text elsewhere commit to something else."""
    mine = commitment(**NAMED, salt=SALT, payload=b"text")
    for changed in ({"log": LOG + "2"}, {"sender": "LVA/mod-1"}, {"id": bytes(16)}, {"part": 1}):
        assert commitment(**NAMED | changed, salt=SALT, payload=b"text") != mine
    assert commitment(**NAMED, salt=b"t" * 32, payload=b"text") != mine


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 1039), bit=st.integers(0, 7))
def test_damaged_body_is_refused_wherever_the_damage_is(place: int, bit: int) -> None:
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    damaged = bytearray(sealed.body)
    damaged[place] ^= 1 << bit
    refused(bytes(damaged), sealed.commit)


def test_wrong_commitment_in_the_header_is_refused() -> None:
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    for commit in (b"", bytes(32), sealed.commit[:-1], sealed.commit + b"\0"):
        refused(sealed.body, commit)


def test_sizes_no_body_has_are_refused_before_any_work(monkeypatch: Any) -> None:
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    monkeypatch.setattr(module, "AESGCM", lambda _: pytest.fail("decrypted"))
    for body in (b"", sealed.body[:16], sealed.body[:-1], bytes(MAX_INLINE_PART + 1)):
        refused(body, sealed.commit)


def honest() -> tuple[bytes, bytes]:
    return codec.pack([SALT, b"text"]), commitment(**NAMED, salt=SALT, payload=b"text")


def test_padding_is_no_hidden_channel() -> None:
    """A commitment does not cover the tail, so a tail of anything but zeros is refused, and so is another length."""
    content, commit = honest()
    plain = framed(content)
    assert open_part(GK, craft(plain, commit), commit, **PLACE) == (SALT, b"text")
    refused(craft(plain.ljust(1023, b"\0") + b"!", commit, pad=False), commit)
    refused(craft(plain + b"!", commit), commit)
    refused(seal_part(GK, **PLACE, salt=SALT, payload=b"text").body + b"\0", commit)
    refused(craft(plain.ljust(1088, b"\0"), commit, pad=False), commit)
    refused(craft(plain.ljust(2048, b"\0"), commit, pad=False), commit)


@pytest.mark.parametrize("length", [0, 1, 40, 42, 1020, 1021, 1 << 16, (1 << 32) - 1])
def test_length_field_cannot_lie(length: int) -> None:
    content, commit = honest()
    assert length != len(content)
    refused(craft(length.to_bytes(4, "big") + content, commit), commit)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        codec.pack(None),
        codec.pack([]),
        codec.pack([SALT]),
        codec.pack([SALT, b"text", None]),
        codec.pack([SALT, "text"]),
        codec.pack([SALT[:16], b"text"]),
        codec.pack(["s" * 32, b"text"]),
        codec.pack({"salt": SALT, "payload": b"text"}),
        b"\x92\xc5\x00\x20" + SALT + b"\xc4\x04text",  # a longer form of the salt's length
        b"\xdc\x00\x02\xc4\x20" + SALT + b"\xc4\x04text",  # a longer form of the list's length
        codec.pack([SALT, b"text"]) + b"\0",
    ],
)
def test_content_of_another_shape_is_refused(content: bytes) -> None:
    refused(craft(framed(content), honest()[1]), honest()[1])


def test_largest_payload_fits_and_one_more_byte_does_not() -> None:
    largest = seal_part(GK, **PLACE, salt=SALT, payload=bytes(MAX_INLINE_PAYLOAD))
    assert largest.size <= MAX_INLINE_PART
    assert open_part(GK, largest.body, largest.commit, **PLACE)[1] == bytes(MAX_INLINE_PAYLOAD)
    assert padded_size(4 + len(codec.pack([SALT, bytes(MAX_INLINE_PAYLOAD + 1)]))) + 16 > MAX_INLINE_PART
    with pytest.raises(LocalError) as caught:
        seal_part(GK, **PLACE, salt=SALT, payload=bytes(MAX_INLINE_PAYLOAD + 1))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 5_000, 60_000, 63_446])
def test_the_size_of_a_body_is_known_before_it_is_sealed(size: int) -> None:
    assert sealed_size(size) == seal_part(GK, **PLACE, salt=SALT, payload=bytes(size)).size


def padme(size: int) -> int:
    """Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019, Algorithm 1."""
    exponent = math.floor(math.log2(size))
    significant = math.floor(math.log2(exponent)) + 1
    mask = (1 << (exponent - significant)) - 1
    return (size + mask) & ~mask


@given(size=st.integers(0, 1 << 17))
def test_padding_is_padme_with_a_floor(size: int) -> None:
    assert padded_size(size) == (1024 if size <= 1024 else padme(size))
    assert size <= padded_size(size) <= max(1024, size * 112 // 100)
    assert padded_size(padded_size(size)) == padded_size(size)


def test_counter_commitments() -> None:
    salt = b"c" * 16
    to = to_commitment(log=LOG, sender=SENDER, node="FIN/ops-1", n=7, salt=salt)
    assert to == hashlib.sha256(b"rsc-share/v1 to\0" + salt + codec.pack([LOG, SENDER, "FIN/ops-1", 7])).digest()
    got = received_commitment(
        log=LOG, receiver="FIN/ops-1", sender=SENDER, header_hash=bytes(32), state="opened", salt=salt
    )
    packed = codec.pack([LOG, "FIN/ops-1", SENDER, bytes(32), "opened"])
    assert got == hashlib.sha256(b"rsc-share/v1 received\0" + salt + packed).digest()
    assert to != to_commitment(log=LOG, sender=SENDER, node="FIN/ops-1", n=8, salt=salt)


def test_salts_and_keys_of_another_length_are_refused() -> None:
    with pytest.raises(LocalError):
        commitment(**NAMED, salt=bytes(16), payload=b"")
    with pytest.raises(LocalError):
        to_commitment(log=LOG, sender=SENDER, node="FIN/ops-1", n=1, salt=bytes(32))
    with pytest.raises(LocalError):
        seal_part(bytes(31), **PLACE, salt=SALT, payload=b"")


def test_repr_shows_neither_text_nor_salt() -> None:
    sealed = seal_part(GK, **PLACE, salt=SALT, payload=b"text")
    assert "ssss" not in repr(sealed)
    assert repr(sealed.body) not in repr(sealed)
