"""Checkpoints and cosignatures: which lines count, for which tree, and for whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from note_world import (
    ALL_LINES,
    CHECKPOINT,
    EST,
    EST_LINE,
    EST_PQ,
    EST_PQ_LINE,
    LOG,
    LOG_KEYS,
    LOG_LINE,
    LOG_PQ,
    LOG_PQ_LINE,
    ORIGIN,
    ROOT,
    TIME,
    WITNESS,
    WITNESS_KEYS,
    note,
    refused,
)

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.checkpoint import Checkpoint, verify_checkpoint
from rsc_share.log.cosignature import (
    Cosignature,
    cosign_ed25519,
    open_checkpoint,
    verify_cosignature,
)
from rsc_share.log.merkle import EMPTY_ROOT, leaf_hash
from rsc_share.log.note import (
    KeyType,
    NoteSignature,
    VerifierKey,
)

# -- checkpoints


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"origin\n7\n",
        CHECKPOINT.text()[:-1],
        CHECKPOINT.text() + b"extension\n",
        CHECKPOINT.text() + b"\n",
        b"\n7\n" + CHECKPOINT.text().split(b"\n")[2] + b"\n",
        CHECKPOINT.text().replace(b"\n7\n", b"\n07\n"),
        CHECKPOINT.text().replace(b"\n7\n", b"\n0\n"),
        CHECKPOINT.text().replace(b"\n7\n", b"\n-7\n"),
        CHECKPOINT.text().replace(b"\n7\n", b"\n9223372036854775808\n"),
        b"origin\n7\nAAAA\n",
        b"with space\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        b"x" * 256 + b"\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        b"x" * 2000 + b"\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        Checkpoint.parse(text)
    assert caught.value.code == "malformed"


def test_empty_log_has_one_checkpoint() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert empty.text().decode() == f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert Checkpoint.parse(empty.text()) == empty
    for size, root in ((0, ROOT), (-1, ROOT), (1, ROOT[:31]), (2**63, ROOT)):
        with pytest.raises(RemoteError):
            Checkpoint(ORIGIN, size, root)


def test_raw_log_signature_of_a_header_verifies_over_the_text() -> None:
    cache = VerifyCache(16)
    for verify in ({}, {"verify": cache.verify}):
        verify_checkpoint(CHECKPOINT, LOG_LINE.blob, LOG.public, **verify)
        with pytest.raises(RemoteError) as caught:
            verify_checkpoint(Checkpoint(ORIGIN, 8, ROOT), LOG_LINE.blob, LOG.public, **verify)
        assert caught.value.code == "bad-signature"
    assert len(cache) == 1
    with pytest.raises(RemoteError):
        verify_checkpoint(CHECKPOINT, LOG_LINE.blob, LOG_PQ.public)


def test_checkpoint_of_another_log_is_refused() -> None:
    """The same key, another origin: a relay cannot show one channel's tree as another's."""
    other = Checkpoint("relay.example/baltic/other", 7, ROOT)
    line = NoteSignature(ORIGIN, LOG_LINE.key_id, LOG.sign(other.text()))
    refused(note(line, text=other.text()), "unknown-log")


# -- cosignatures


def test_all_four_lines_verify() -> None:
    opened = open_checkpoint(note(*ALL_LINES), LOG_KEYS, WITNESS_KEYS)
    assert opened.checkpoint == CHECKPOINT
    assert opened.log == {KeyType.ED25519, KeyType.ML_DSA_44}
    assert opened.cosignatures == (
        Cosignature(WITNESS, TIME, KeyType.COSIGNATURE),
        Cosignature(WITNESS, TIME + 1, KeyType.ML_DSA_44),
    )


def test_signed_bytes_are_those_of_the_specification() -> None:
    """Written out by hand from c2sp.org/tlog-cosignature, and verified with the bare keys."""
    from rsc_share.crypto.signing import verify

    ed = b"cosignature/v1\ntime 1790000000\n" + CHECKPOINT.text()
    verify(EST.public, ed, EST_LINE.blob[8:])
    name, origin = WITNESS.encode(), ORIGIN.encode()
    pq = (
        b"subtree/v1\n\x00"
        + bytes([len(name)])
        + name
        + (TIME + 1).to_bytes(8, "big")
        + bytes([len(origin)])
        + origin
        + bytes(8)
        + (7).to_bytes(8, "big")
        + ROOT
    )
    verify(EST_PQ.public, pq, EST_PQ_LINE.blob[8:])
    assert EST_LINE.blob[:8] == TIME.to_bytes(8, "big")


def test_log_key_id_is_that_of_the_specification() -> None:
    import hashlib

    raw = hashlib.sha256(ORIGIN.encode() + b"\n\x06" + LOG_PQ.public.raw).digest()[:4]
    assert LOG_PQ_LINE.key_id == raw == LOG_KEYS[1].key_id
    assert len({key.key_id for key in (*LOG_KEYS, *WITNESS_KEYS)}) == 4


@pytest.mark.parametrize("line", [EST_LINE, EST_PQ_LINE])
def test_cosignature_cannot_move(line: NoteSignature) -> None:
    """Not to another tree, size, log, time, nor (ML-DSA) to another cosigner."""
    key = WITNESS_KEYS[0] if line is EST_LINE else WITNESS_KEYS[1]
    verify_cosignature(CHECKPOINT, key, line)
    later = (TIME + 5).to_bytes(8, "big") + line.blob[8:]
    for checkpoint, changed in (
        (Checkpoint(ORIGIN, 8, ROOT), line),
        (Checkpoint(ORIGIN, 7, leaf_hash(b"")), line),
        (Checkpoint("other", 7, ROOT), line),
        (CHECKPOINT, NoteSignature(line.name, line.key_id, later)),
    ):
        with pytest.raises(RemoteError) as caught:
            verify_cosignature(checkpoint, key, changed)
        assert caught.value.code == "bad-signature"


def test_mldsa_cosignature_names_its_cosigner() -> None:
    renamed = VerifierKey.of("baltic/LVA/mod-1", KeyType.ML_DSA_44, EST_PQ.public)
    moved = NoteSignature(renamed.name, renamed.key_id, EST_PQ_LINE.blob)
    with pytest.raises(RemoteError):
        verify_cosignature(CHECKPOINT, renamed, moved)


def test_one_ed25519_key_cannot_vote_under_two_names() -> None:
    """The 0x04 message does not name its cosigner: whoever copies a witness's key would own its votes."""
    thief = VerifierKey.of("baltic/XXX/thief", KeyType.COSIGNATURE, EST.public)
    copied = NoteSignature(thief.name, thief.key_id, EST_LINE.blob)
    with pytest.raises(LocalError):
        open_checkpoint(note(LOG_LINE, EST_LINE, copied), LOG_KEYS, [*WITNESS_KEYS, thief])


def test_log_key_cannot_cosign() -> None:
    for name in (ORIGIN, "baltic/EST/mod-2"):
        own = VerifierKey.of(name, KeyType.COSIGNATURE, LOG.public)
        with pytest.raises(LocalError):
            open_checkpoint(note(LOG_LINE), LOG_KEYS, [own])
        with pytest.raises(LocalError):
            open_checkpoint(note(LOG_LINE), [own])
    with pytest.raises(LocalError):
        open_checkpoint(note(LOG_LINE), LOG_KEYS, [VerifierKey.of("x", KeyType.ED25519, EST.public)])
    with pytest.raises(LocalError):
        open_checkpoint(note(LOG_LINE), ())


def test_plain_signature_is_no_cosignature_and_the_other_way_round() -> None:
    plain = VerifierKey.of(WITNESS, KeyType.COSIGNATURE, EST.public)
    blob = TIME.to_bytes(8, "big") + EST.sign(CHECKPOINT.text())
    with pytest.raises(RemoteError):
        verify_cosignature(CHECKPOINT, plain, NoteSignature(WITNESS, plain.key_id, blob))
    with pytest.raises(RemoteError):
        verify_cosignature(CHECKPOINT, plain, EST_PQ_LINE)
    with pytest.raises(LocalError):
        verify_cosignature(CHECKPOINT, LOG_KEYS[0], LOG_LINE)


def test_newest_time_of_each_witness_counts_once() -> None:
    older, newer = (
        cosign_ed25519(CHECKPOINT, WITNESS, EST, TIME - 9),
        cosign_ed25519(CHECKPOINT, WITNESS, EST, TIME + 9),
    )
    opened = open_checkpoint(note(LOG_LINE, EST_LINE, newer, older, EST_LINE), LOG_KEYS, WITNESS_KEYS)
    assert opened.cosignatures == (Cosignature(WITNESS, TIME + 9, KeyType.COSIGNATURE),)


def test_time_of_a_cosignature_fits_63_bits() -> None:
    far = NoteSignature(WITNESS, EST_LINE.key_id, b"\xff" * 8 + EST_LINE.blob[8:])
    with pytest.raises(RemoteError) as caught:
        verify_cosignature(CHECKPOINT, WITNESS_KEYS[0], far)
    assert caught.value.code == "malformed"
    for time_s in (0, -1, 2**63):
        with pytest.raises(LocalError):
            cosign_ed25519(CHECKPOINT, WITNESS, EST, time_s)


def test_mldsa_line_without_a_time_is_read_and_never_fresh() -> None:
    """Some logs sign with time 0, which speaks of consistency only. We read it; it counts as of 1970."""
    name, origin = WITNESS.encode(), ORIGIN.encode()
    head = b"subtree/v1\n\x00" + bytes([len(name)]) + name + bytes(8) + bytes([len(origin)]) + origin
    signature = EST_PQ.sign(head + bytes(8) + (7).to_bytes(8, "big") + ROOT)
    line = NoteSignature(WITNESS, WITNESS_KEYS[1].key_id, bytes(8) + signature)
    assert verify_cosignature(CHECKPOINT, WITNESS_KEYS[1], line) == Cosignature(WITNESS, 0, KeyType.ML_DSA_44)


@given(st.data())
def test_any_changed_byte_of_a_cosigned_checkpoint_is_seen(data: st.DataObject) -> None:
    """Refused, or read as a note with fewer known lines: never as the same statement by the same signers."""
    whole = note(LOG_LINE, EST_LINE)
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        opened = open_checkpoint(bytes(changed), LOG_KEYS, WITNESS_KEYS)
    except RemoteError:
        return
    assert opened.checkpoint == CHECKPOINT
    assert opened.cosignatures == ()
