"""Notes of one log, read again and again: a line that verified before costs nothing and proves nothing new."""

from __future__ import annotations

import pytest

from rsc_share.crypto import signing
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import KeyType, Note, NoteSignature, VerifierKey
from rsc_share.rulebook.witnesses import KEPT_LINES, NoteKeys

ORIGIN, TIME = "relay.example/baltic/main", 1_790_000_000
LOG = PrivateKey.generate(Suite.ED25519, seed=b"log")
NAMES = ("baltic/EST/mod-1", "baltic/FIN/mod-1", "baltic/LVA/mod-1")
WITNESSES = {name: PrivateKey.generate(Suite.ED25519, seed=name.encode()) for name in NAMES}
THIS, OTHER = Checkpoint(ORIGIN, 7, leaf_hash(b"this")), Checkpoint(ORIGIN, 7, leaf_hash(b"other"))


def note_keys() -> NoteKeys:
    log = (VerifierKey.of(ORIGIN, KeyType.ED25519, LOG.public),)
    return NoteKeys(ORIGIN, log, [VerifierKey.of(name, KeyType.COSIGNATURE, WITNESSES[name].public) for name in NAMES])


def line(name: str, checkpoint: Checkpoint = THIS) -> NoteSignature:
    return cosign_ed25519(checkpoint, name, WITNESSES[name], TIME)


def note(*lines: NoteSignature, checkpoint: Checkpoint = THIS) -> bytes:
    return Note(checkpoint.text(), (sign_checkpoint(checkpoint, LOG), *lines)).encode()


def refused(keys: NoteKeys, data: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        keys.open(data)
    assert caught.value.code == "bad-signature"


def test_of_a_note_that_grows_only_the_new_lines_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []

    def counting(public, data, signature):
        verified.append(signature)
        signing.verify(public, data, signature)

    monkeypatch.setattr("rsc_share.crypto.verify_cache.verify", counting)
    keys, lines = note_keys(), [line(name) for name in NAMES]
    for upto in range(len(lines) + 1):
        assert set(keys.open(note(*lines[:upto])).times) == {name.split("/")[1] for name in NAMES[:upto]}
        assert len(verified) == 1 + upto


def test_a_line_copied_to_the_note_of_another_tree_is_refused() -> None:
    keys = note_keys()
    keys.open(note(line(NAMES[0])))
    refused(keys, note(line(NAMES[0]), checkpoint=OTHER))
    assert keys.open(note(line(NAMES[0]))).checkpoint == THIS


def test_a_line_copied_under_the_name_of_another_witness_is_refused() -> None:
    keys, made = note_keys(), line(NAMES[0])
    keys.open(note(made))
    other = VerifierKey.of(NAMES[1], KeyType.COSIGNATURE, WITNESSES[NAMES[1]].public)
    refused(keys, note(NoteSignature(NAMES[1], other.key_id, made.blob)))


def test_a_line_that_was_refused_is_refused_again() -> None:
    keys, good = note_keys(), line(NAMES[0])
    bad = NoteSignature(good.name, good.key_id, good.blob[:-1] + bytes([good.blob[-1] ^ 1]))
    for _ in range(2):
        refused(keys, note(bad))


def test_with_one_time_of_a_cosignature_another_is_not_believed() -> None:
    keys, made = note_keys(), line(NAMES[0])
    keys.open(note(made))
    later = (TIME + 1).to_bytes(8, "big") + made.blob[8:]
    refused(keys, note(NoteSignature(made.name, made.key_id, later)))


def test_remembered_lines_are_bounded() -> None:
    keys = note_keys()
    for size in range(1, KEPT_LINES + 2):
        checkpoint = Checkpoint(ORIGIN, size, leaf_hash(b"%d" % size))
        keys.open(note(checkpoint=checkpoint))
    assert len(keys._lines) <= KEPT_LINES
