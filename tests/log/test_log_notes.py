"""Signed notes, checkpoints and cosignatures: what parses is one spelling, and every trap has a name."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log import lines
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from rsc_share.log.cosignature import (
    Cosignature,
    cosign_ed25519,
    cosign_mldsa44,
    open_checkpoint,
    verify_cosignature,
)
from rsc_share.log.merkle import EMPTY_ROOT, leaf_hash
from rsc_share.log.note import (
    MAX_SIGNATURES,
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
    open_note,
    parse_signatures,
    verify_note,
)

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared" / "vectors")) / "merkle"
EXAMPLES = VECTORS / "c2sp-examples.json"
with_examples = pytest.mark.skipif(not EXAMPLES.is_file(), reason=f"no examples of others at {EXAMPLES}")

ORIGIN = "relay.example/baltic/counter-terrorism"
LOG = PrivateKey.generate(Suite.ED25519, seed=b"log")
LOG_PQ = PrivateKey.generate(Suite.ML_DSA_44, seed=b"log")
LOG_KEYS = (
    VerifierKey.of(ORIGIN, KeyType.ED25519, LOG.public),
    VerifierKey.of(ORIGIN, KeyType.ML_DSA_44, LOG_PQ.public),
)
WITNESS = "baltic/EST/mod-1"
EST = PrivateKey.generate(Suite.ED25519, seed=b"est")
EST_PQ = PrivateKey.generate(Suite.ML_DSA_44, seed=b"est")
WITNESS_KEYS = (
    VerifierKey.of(WITNESS, KeyType.COSIGNATURE, EST.public),
    VerifierKey.of(WITNESS, KeyType.ML_DSA_44, EST_PQ.public),
)
ROOT = leaf_hash(b"entry")
CHECKPOINT = Checkpoint(ORIGIN, 7, ROOT)
TIME = 1_790_000_000

LOG_LINE = sign_checkpoint(CHECKPOINT, LOG)
LOG_PQ_LINE = cosign_mldsa44(CHECKPOINT, ORIGIN, LOG_PQ, TIME)
EST_LINE = cosign_ed25519(CHECKPOINT, WITNESS, EST, TIME)
EST_PQ_LINE = cosign_mldsa44(CHECKPOINT, WITNESS, EST_PQ, TIME + 1)
ALL_LINES = (LOG_LINE, LOG_PQ_LINE, EST_LINE, EST_PQ_LINE)


def note(*signatures: NoteSignature, text: bytes = CHECKPOINT.text()) -> bytes:
    return Note(text, signatures).encode()


def refused(data: bytes, code: str, log: Any = LOG_KEYS, witnesses: Any = WITNESS_KEYS) -> None:
    with pytest.raises(RemoteError) as caught:
        open_checkpoint(data, log, witnesses)
    assert caught.value.code == code, caught.value


def examples() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(EXAMPLES.read_bytes())
    return loaded


# -- examples published by others


@with_examples
def test_published_notes_verify_and_keep_their_bytes() -> None:
    for case in examples()["signed_note"]:
        key = VerifierKey.parse(case["vkey"])
        data = case["note"].encode()
        opened = open_note(data, [key])
        assert opened.encode() == data == Note.parse(data).encode()
        assert key.vkey == case["vkey"]
        for at in range(opened.text.__len__()):
            changed = bytearray(data)
            changed[at] ^= 1
            with pytest.raises(RemoteError):
                open_note(bytes(changed), [key])


@with_examples
def test_published_bad_verifier_keys_are_refused() -> None:
    for case in examples()["bad_vkeys"]:
        with pytest.raises(RemoteError):
            VerifierKey.parse(case["vkey"])


@with_examples
def test_published_cosigner_keys_parse() -> None:
    for text in examples()["cosignature_v1_vkeys"].values():
        key = VerifierKey.parse(text)
        assert (key.type, key.vkey) == (KeyType.COSIGNATURE, text)
    for text in examples()["log_vkeys"].values():
        assert VerifierKey.parse(text).vkey == text


# -- traps of Python's own parsers


@pytest.mark.parametrize(
    "text", ["+1", "1_0", " 1", "1 ", "01", "-0", "", "٣", "1\n", "0x1", "1.0", "9" * 19, "1" * 20]
)
def test_decimal_has_one_spelling(text: str) -> None:
    with pytest.raises(RemoteError):
        lines.decimal(text, "size")


def test_decimal_reaches_its_limits() -> None:
    assert [lines.decimal(t, "size") for t in ("0", "7", "10", str(2**63 - 1))] == [0, 7, 10, 2**63 - 1]
    with pytest.raises(RemoteError):
        lines.decimal(str(2**63), "size")


@pytest.mark.parametrize(
    "text", ["YR==", "YQ", "YQ=", "YQ===", " YQ==", "YQ==\n", "Y Q==", "YQ==YQ==", "Y", "_-8=", "ÿÿ=="]
)
def test_base64_has_one_spelling(text: str) -> None:
    """`YR==` decodes as `YQ==` does: its last bits are not zero."""
    with pytest.raises(RemoteError):
        lines.base64_bytes(text, "root")


@given(st.text(alphabet="AQYRgw=+/ \n-_", max_size=12))
def test_base64_accepts_only_what_it_writes(text: str) -> None:
    try:
        data = lines.base64_bytes(text, "root")
    except RemoteError:
        return
    assert base64.b64encode(data).decode() == text


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r\n", "\r"])
def test_only_a_newline_ends_a_line(separator: str) -> None:
    """`str.splitlines` would read each of these as three lines."""
    text = CHECKPOINT.text().decode().replace("\n", separator, 1)
    with pytest.raises(RemoteError):
        Checkpoint.parse(text.encode())


def test_short_cosignature_is_refused_not_a_crash() -> None:
    for line, key in ((EST_LINE, WITNESS_KEYS[0]), (EST_PQ_LINE, WITNESS_KEYS[1])):
        for size in (1, 7, 8, 9, 71, len(line.blob) - 1):
            cut = NoteSignature(line.name, line.key_id, line.blob[:size])
            with pytest.raises(RemoteError):
                verify_cosignature(CHECKPOINT, key, cut)
        refused(note(LOG_LINE, NoteSignature(line.name, line.key_id, line.blob[:5])), "malformed")


def test_small_order_key_signs_nothing() -> None:
    """With the neutral element as key, (R = neutral, S = 0) verifies for any text in a lax library."""
    neutral = bytes([1]) + bytes(31)
    key = VerifierKey(ORIGIN, KeyType.ED25519, neutral)
    forged = NoteSignature(ORIGIN, key.key_id, neutral + bytes(32))
    refused(note(forged), "bad-signature", [key])


def test_witness_keeps_only_lines_it_verified() -> None:
    """Sunlight ANT-2026-SAPGR4D6: an unverified line, stored, was served again and wedged the witness."""
    junk = NoteSignature("somebody", b"abcd", b"not a signature")
    opened = open_checkpoint(note(junk, LOG_LINE, junk, EST_LINE), LOG_KEYS, WITNESS_KEYS)
    assert opened.note.encode() == note(LOG_LINE, EST_LINE)


# -- notes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + LOG_LINE.line(),
        b"text\n\n" + LOG_LINE.line()[:-1],
        b"text\n\n" + LOG_LINE.line() + b"\n",
        b"text\n\n" + LOG_LINE.line() + b"after\n",
        b"text\n\n" + LOG_LINE.line().replace("—".encode(), b"-"),
        b"text\n\n" + LOG_LINE.line().replace(b" ", b"  ", 1),
        b"text\n\n" + LOG_LINE.line().replace(b"\n", b" \n"),
        b"text\n\n" + LOG_LINE.line().replace(b" ", b"\xc2\xa0", 1),
        b"text\n\n" + LOG_LINE.line().replace(ORIGIN.encode(), b"with+plus"),
        b"text\n\n" + LOG_LINE.line().replace(ORIGIN.encode(), "no\u2009break".encode()),
        b"text\n\n" + LOG_LINE.line().replace(ORIGIN.encode(), b""),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— name AAAAAA==\n".encode(),
        b"te\x00xt\n\n" + LOG_LINE.line(),
        b"te\txt\n\n" + LOG_LINE.line(),
        b"text\r\n\r\n" + LOG_LINE.line(),
        b"te\xffxt\n\n" + LOG_LINE.line(),
        b"text\n\n" + LOG_LINE.line() * (MAX_SIGNATURES + 1),
        b"x" * 1_000_001 + b"\n\n" + LOG_LINE.line(),
    ],
)
def test_malformed_notes_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        Note.parse(data)
    assert caught.value.code == "malformed"


def test_text_ends_at_the_last_empty_line() -> None:
    data = b"a\n\nb\n\n\n" + LOG_LINE.line()
    parsed = Note.parse(data)
    assert parsed.text == b"a\n\nb\n\n"
    assert parsed.encode() == data


_tokens = st.sampled_from(
    [b"\n", b"\n\n", b" ", "—".encode(), b"+", b"=", b"text", b"7", b"\x00", b"\xc2\x85", b"\xe2\x80\xa8", b"\xff"]
    + [line.line() for line in (LOG_LINE, EST_LINE)]
    + [CHECKPOINT.text(), ORIGIN.encode(), b"AAAAAAAA"]
)


@given(st.lists(st.one_of(_tokens, st.binary(max_size=3)), max_size=12).map(b"".join))
def test_what_parses_writes_the_same_bytes(data: bytes) -> None:
    for kind in (Note, Checkpoint):
        try:
            parsed = kind.parse(data)
        except RemoteError:
            continue
        assert (parsed.encode() if isinstance(parsed, Note) else parsed.text()) == data
    try:
        found = parse_signatures(data)
    except RemoteError:
        return
    assert b"".join(line.line() for line in found) == data


def test_verifier_key_has_one_spelling() -> None:
    text = LOG_KEYS[0].vkey
    assert VerifierKey.parse(text) == LOG_KEYS[0]
    name, key_id, key = text.split("+", 2)
    for other in (
        f"{name}+{key_id.upper()}+{key}",
        f"{name}+{key_id}+{key} ",
        f"{name}x+{key_id}+{key}",
        f"{name}+00000000+{key}",
        f"{name}+{key_id}",
        f"{name}+{key_id}+",
        f"+{key_id}+{key}",
        f"{name}+{key_id}+\ud800{key}",
        "\ud800" + text,
        "",
    ):
        with pytest.raises(RemoteError):
            VerifierKey.parse(other)


def test_keys_of_wrong_length_type_or_name_are_refused() -> None:
    for name, kind, key in (
        (ORIGIN, 1, bytes(31)),
        (ORIGIN, 2, bytes(32)),
        ("a b", 1, bytes(32)),
        ("x" * 256, 1, bytes(32)),
    ):
        with pytest.raises(RemoteError):
            VerifierKey(name, kind, key)
    with pytest.raises(LocalError):
        VerifierKey.of(ORIGIN, KeyType.ML_DSA_44, LOG.public)


def test_note_that_would_not_parse_is_not_written() -> None:
    for broken in (Note(b"no newline", (LOG_LINE,)), Note(b"text\n", ()), Note(b"\ttext\n", (LOG_LINE,))):
        with pytest.raises(LocalError):
            broken.encode()


def test_unknown_lines_are_ignored_even_with_the_same_name_or_id() -> None:
    same_name = NoteSignature(ORIGIN, b"\x00\x00\x00\x00", b"x")
    same_id = NoteSignature("other", LOG_LINE.key_id, b"x")
    long_name = NoteSignature("n" * 300, b"abcd", b"x")
    opened = open_checkpoint(note(same_name, same_id, long_name, LOG_LINE), LOG_KEYS)
    assert [line for _, line in opened.note.by] == [LOG_LINE]


def test_known_key_that_fails_rejects_the_whole_note() -> None:
    for at, line in enumerate(ALL_LINES):
        broken = NoteSignature(line.name, line.key_id, line.blob[:-1] + bytes([line.blob[-1] ^ 1]))
        refused(note(*ALL_LINES[:at], broken, *ALL_LINES[at + 1 :]), "bad-signature")


def test_note_no_known_key_signed_is_refused() -> None:
    with pytest.raises(RemoteError, match="no known key"):
        open_note(note(EST_LINE), [LOG_KEYS[0]])
    refused(note(EST_LINE, EST_PQ_LINE, LOG_PQ_LINE), "bad-signature")
    refused(note(EST_LINE), "bad-signature")


def test_colliding_key_ids_do_not_hide_a_good_signature() -> None:
    """Four bytes can be ground: a second key of the same name and id must neither block nor forge the first."""
    other = VerifierKey.of(ORIGIN, KeyType.ED25519, PrivateKey.generate(Suite.ED25519, seed=b"other").public)
    object.__setattr__(other, "key_id", LOG_KEYS[0].key_id)
    for keys in ((other, LOG_KEYS[0]), (LOG_KEYS[0], other)):
        assert open_note(note(LOG_LINE), keys).by == ((LOG_KEYS[0], LOG_LINE),)
    with pytest.raises(RemoteError):
        open_note(note(LOG_LINE), [other])


def test_plain_verifier_does_not_guess_at_cosignatures() -> None:
    with pytest.raises(LocalError):
        verify_note(Note.parse(note(EST_LINE)), WITNESS_KEYS)


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
