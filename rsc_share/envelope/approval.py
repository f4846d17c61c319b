"""What an officer signs: nothing that late signing changes, so that an approval survives re-numbering."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rsc_share import codec
from rsc_share.crypto.signing import Signer, Suite, signed_bytes
from rsc_share.envelope.header import Header
from rsc_share.labels.label import Label


def approval_digest(h: Header) -> bytes:
    """SHA-256 over everything in the header an officer means: not seq, prev, counters, seen or directory."""
    return hashlib.sha256(
        codec.pack(
            [
                h.log,
                h.sender,
                h.id,
                h.kind,
                h.type,
                h.label and h.label.wire(),
                list(h.nodes),
                h.purpose,
                h.precedence,
                h.expires_at,
                h.document and list(h.document),
                h.refs.wire(),
                [part.commit for part in h.parts],
                h.content and h.content.wire(),
            ]
        )
    ).digest()


def approval_bytes(framework_id: bytes, digest: bytes) -> bytes:
    return signed_bytes("approval", Suite.ED25519, framework_id, digest)


def approve(signer: Signer, framework_id: bytes, header: Header) -> tuple[bytes, bytes]:
    """One item of `approvals`: the officer's key id and signature."""
    return signer.public.key_id, signer.sign(approval_bytes(framework_id, approval_digest(header)))


def release_digest(label: Label, nodes: Iterable[str], commits: Iterable[bytes]) -> bytes:
    """What a `release` lets go: SHA-256 of msgpack [label, nodes, commits] of its target."""
    return hashlib.sha256(codec.pack([label.wire(), list(nodes), list(commits)])).digest()
