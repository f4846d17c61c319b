"""A log and a witness with their keys, a checkpoint, and the four lines that both can put under it."""

from __future__ import annotations

from typing import Any

import pytest

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import (
    cosign_ed25519,
    cosign_mldsa44,
    open_checkpoint,
)
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import (
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
)

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
