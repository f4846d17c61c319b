"""Signed notes: what parses is one spelling, and every trap has a name."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from note_world import (
    ALL_LINES,
    CHECKPOINT,
    EST_LINE,
    EST_PQ_LINE,
    LOG,
    LOG_KEYS,
    LOG_LINE,
    LOG_PQ_LINE,
    ORIGIN,
    WITNESS_KEYS,
    note,
    refused,
)

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log import lines
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import (
    open_checkpoint,
    verify_cosignature,
)
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
