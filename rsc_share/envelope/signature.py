"""One signature for 1 to 256 headers of one log: the signer signs the RFC 6962 root over them.

Verifying costs one Ed25519 check per *batch*; every entry carries its own path, so it stays verifiable alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rsc_share.crypto.signing import PublicKey, Signer, Suite, signed_bytes
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.block import MAX_BLOCK, MAX_PATH, SignatureBlock
from rsc_share.envelope.header import header_hash
from rsc_share.log import proofs


def batch_bytes(framework_id: bytes, realm: str, size: int, root: bytes, suite: int = Suite.ED25519) -> bytes:
    """What is signed. The size is in it: with it free, one path verifies at up to 128 places (research A14)."""
    return _before_root(framework_id, realm, size, suite) + root


@lru_cache(maxsize=256)
def _before_root(framework_id: bytes, realm: str, size: int, suite: int) -> bytes:
    return signed_bytes("entry", suite, framework_id, realm.encode() + b"\0", size.to_bytes(2, "big"))


def sign_batch(signer: Signer, framework_id: bytes, realm: str, headers: Sequence[bytes]) -> list[bytes]:
    """The packed signature block of every header, in order. 1 to 256 headers of one log and realm."""
    leaves = [header_hash(header) for header in headers]
    size, root, key, paths = len(leaves), proofs.tree_root(leaves), signer.public, proofs.paths(leaves)
    signature = signer.sign(batch_bytes(framework_id, realm, size, root, key.suite))
    return [SignatureBlock(1, key.key_id, signature, i, size, tuple(paths[i])).pack() for i in range(size)]


def verify_block(
    block: SignatureBlock, leaf: bytes, key: PublicKey, framework_id: bytes, realm: str, cache: VerifyCache
) -> None:
    """Raises `RemoteError` (`bad-signature` or `bad-proof`) unless `key` signed the batch this header stands in."""
    size, signature = block.size, block.signature
    root = proofs.root_from_path(leaf, block.index, size, block.path)
    if size == 1:  # no other entry can come with this signature
        cache.verify(key, batch_bytes(framework_id, realm, 1, root, block.suite), signature)
        return
    mark = ("entry", key.key_id, framework_id, realm, size, root, signature)
    cache.once(mark, key, lambda: batch_bytes(framework_id, realm, size, root, block.suite), signature)


__all__ = ["MAX_BLOCK", "MAX_PATH", "SignatureBlock", "batch_bytes", "sign_batch", "verify_block"]
