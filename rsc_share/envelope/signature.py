"""One signature for 1 to 256 headers of one log: the signer signs the RFC 6962 root over them.

Verifying costs one Ed25519 check per *batch*; every entry carries its own path, so it stays verifiable alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rsc_share import codec, shape
from rsc_share.crypto.signing import PublicKey, Signer, Suite, VerifyCache, signed_bytes
from rsc_share.envelope.header import header_hash
from rsc_share.envelope.parts import ED25519_SIGNATURE, HASH, MAX_BATCH
from rsc_share.log import proofs

MAX_BLOCK = 512
MAX_PATH = 8
"""log2 of `MAX_BATCH`."""


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """`[suite, key id, sig, index, size, path]`: whose signature, and where in the signed batch this header stands."""

    suite: int
    key_id: bytes
    signature: bytes
    index: int
    size: int
    path: tuple[bytes, ...]

    def pack(self) -> bytes:
        return codec.pack([self.suite, self.key_id, self.signature, self.index, self.size, list(self.path)])

    @classmethod
    def parse(cls, data: bytes) -> SignatureBlock:
        suite, key_id, signature, index, size, path = shape.row(
            codec.unpack(data, max_size=MAX_BLOCK, max_items=16), "signature", 6
        )
        size = shape.integer(size, "batch size", low=1, high=MAX_BATCH)
        return cls(
            suite=shape.choice(suite, "suite", (int(Suite.ED25519),)),
            key_id=shape.blob(key_id, "key id", size=HASH),
            signature=shape.blob(signature, "signature", size=ED25519_SIGNATURE),
            index=shape.integer(index, "batch index", high=size - 1),
            size=size,
            path=tuple(shape.each(shape.blob, path, "batch path", high=MAX_PATH, size=HASH)),
        )


def batch_bytes(framework_id: bytes, realm: str, size: int, root: bytes, suite: int = Suite.ED25519) -> bytes:
    """What is signed. The size is in it: with it free, one path verifies at up to 128 places (research A14)."""
    return signed_bytes("entry", suite, framework_id, realm.encode() + b"\0", size.to_bytes(2, "big"), root)


def sign_batch(signer: Signer, framework_id: bytes, realm: str, headers: Sequence[bytes]) -> list[bytes]:
    """The packed signature block of every header, in order. 1 to 256 headers of one log and realm."""
    leaves = [header_hash(header) for header in headers]
    size, root, key, paths = len(leaves), proofs.tree_root(leaves), signer.public, proofs.paths(leaves)
    signature = signer.sign(batch_bytes(framework_id, realm, size, root, key.suite))
    return [SignatureBlock(int(key.suite), key.key_id, signature, i, size, tuple(paths[i])).pack() for i in range(size)]


def verify_block(
    block: SignatureBlock, leaf: bytes, key: PublicKey, framework_id: bytes, realm: str, cache: VerifyCache
) -> None:
    """Raises `RemoteError` (`bad-signature` or `bad-proof`) unless `key` signed the batch this header stands in."""
    root = proofs.root_from_path(leaf, block.index, block.size, block.path)
    cache.verify(key, batch_bytes(framework_id, realm, block.size, root, block.suite), block.signature)
