"""Bodies: what a message says, encrypted under a grant key and bound by a commitment that stands in the header.

Order: commitment, then key, then ciphertext. The key is made from the commitment, so two plaintexts never share a key,
even if a cloned machine repeats its "random" salt; that is why a fixed nonce is safe. AES-GCM alone does not bind a
ciphertext to one key and text, so the reader always recomputes the commitment (message franking, Grubbs, Lu and
Ristenpart 2017; "invisible salamanders", Dodis et al. 2018). Showing salt and payload proves later what was said,
without any key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rsc_share import codec
from rsc_share.errors import LocalError, RemoteError
from rsc_share.shape import blob, row

MAX_INLINE_PART: Final = 64 * 1024
"""Bytes of ciphertext of one inline body."""
MAX_INLINE_ENTRY: Final = 512 * 1024
"""Bytes of ciphertext of all inline bodies of one entry (sealed keys do not count)."""
MAX_INLINE_PAYLOAD: Final = 63_446
"""Bytes of payload that still fit an inline body once salt, lengths and padding are added."""
SALT_SIZE: Final = 32
COUNTER_SALT_SIZE: Final = 16

_TAG: Final = 16
_LEAST: Final = 1024
_LENGTH: Final = 4
# The key is used for one plaintext only (see above), so a counter or a random nonce would add nothing.
_NONCE: Final = bytes(12)


@dataclass(frozen=True, slots=True)
class SealedPart:
    """One encrypted body. `digest`, `size` (bytes of `body`) and `commit` go into the header, `body` beside the entry.

    `salt` stays with the sender, with the payload, until delivery is sure: a re-seal needs both.
    """

    digest: bytes
    size: int
    commit: bytes
    body: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def commitment(*, log: str, sender: str, id: bytes, part: int, salt: bytes, payload: bytes) -> bytes:
    """`SHA-256("rsc-share/v1 commit" 0x00 || msgpack [log, sender, id, part] || salt || payload)`; salt is 32 bytes.

    Log, sender and id are inside, so that nobody can pass off another's commitment as his own. msgpack ends itself and
    the salt has a fixed length, so the joined bytes can be split in one way only.
    """
    found = commitment_hash(log=log, sender=sender, id=id, part=part, salt=salt)
    found.update(payload)
    return found.digest()


def commitment_hash(*, log: str, sender: str, id: bytes, part: int, salt: bytes) -> hashlib._Hash:
    """The same SHA-256 before its payload, for one that comes in pieces."""
    if len(salt) != SALT_SIZE:
        raise LocalError(f"a commitment's salt has {SALT_SIZE} bytes")
    return hashlib.sha256(b"".join((b"rsc-share/v1 commit\0", codec.pack([log, sender, id, part]), salt)))


def seal_part(
    gk: bytes,
    *,
    framework_id: bytes,
    log: str,
    realm: str,
    sender: str,
    id: bytes,
    part: int,
    salt: bytes,
    payload: bytes,
) -> SealedPart:
    """Body number `part` of message `id`, encrypted under grant key `gk`. A pure function of its arguments.

    Raises `LocalError` (`too-large`) above `MAX_INLINE_PAYLOAD`.
    """
    if len(payload) > MAX_INLINE_PAYLOAD:
        raise LocalError(
            f"a payload of {len(payload)} bytes does not fit an inline body",
            code="too-large",
            advice=f"at most {MAX_INLINE_PAYLOAD} bytes",
        )
    commit = commitment(log=log, sender=sender, id=id, part=part, salt=salt, payload=payload)
    key = part_key(gk, id=id, part=part, commit=commit)
    aad = codec.again([framework_id, log, realm, sender, id, part])
    body = AESGCM(key).encrypt(_NONCE, _pad(codec.pack([salt, payload])), aad)
    return SealedPart(hashlib.sha256(body).digest(), len(body), commit, body, salt)


def open_part(
    gk: bytes,
    body: bytes,
    commit: bytes,
    *,
    framework_id: bytes,
    log: str,
    realm: str,
    sender: str,
    id: bytes,
    part: int,
) -> tuple[bytes, bytes]:
    """`(salt, payload)` of a body whose header says `commit`, or `RemoteError` (`bad-part`) and nothing is shown."""
    if not _LEAST + _TAG <= len(body) <= MAX_INLINE_PART:
        raise _bad("has a size no body has")
    key = part_key(gk, id=id, part=part, commit=commit)
    aad = codec.again([framework_id, log, realm, sender, id, part])
    try:
        plain = AESGCM(key).decrypt(_NONCE, body, aad)
    except InvalidTag:
        raise _bad("does not open under this grant key, place and commitment") from None
    try:
        salt, payload = _unpad(plain)
    except RemoteError as error:
        raise _bad(f"is not well formed: {error.what}") from None
    found = commitment(log=log, sender=sender, id=id, part=part, salt=salt, payload=payload)
    if not compare_digest(found, commit):
        raise _bad("is not what the header commits to")
    return salt, payload


def part_key(gk: bytes, *, id: bytes, part: int, commit: bytes) -> bytes:
    """`HKDF-Expand-SHA256(gk, msgpack ["rsc-share/v1 part key", id, part, commit], 32)` (RFC 5869 section 2.3)."""
    return expand(gk, codec.again(["rsc-share/v1 part key", id, part, commit]))


def expand(gk: bytes, info: bytes) -> bytes:
    """`HKDF-Expand-SHA256(gk, info, 32)`: its first block, one HMAC. A general form takes ten times as long."""
    if len(gk) != 32:
        raise LocalError("a grant key has 32 bytes")
    return hmac.digest(gk, info + b"\x01", "sha256")


def sealed_size(payload: int) -> int:
    """Bytes of the body of so many bytes of payload."""
    packed = (
        len(codec.pack([bytes(SALT_SIZE), b""])) + payload + (0 if payload < 1 << 8 else 1 if payload < 1 << 16 else 3)
    )
    return padded_size(_LENGTH + packed) + _TAG


def padded_size(size: int) -> int:
    """Bytes of plaintext that `size` bytes (length field included) are padded to: max(1 KiB, Padme).

    Padme (Nikitin et al., PETS 2019) rounds up so that the length shows O(log log n) bits and costs at most 12 %; the
    floor is there because among short texts ("concur" or "dissent") the length is the answer.
    """
    if size <= _LEAST:
        return _LEAST
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def to_commitment(*, log: str, sender: str, node: str, n: int, salt: bytes) -> bytes:
    """The `c` of one item of `to`: `SHA-256("rsc-share/v1 to" 0x00 || salt16 || msgpack [log, sender, node, n])`.

    `n` counts this sender's entries to this node in this log; opened to that node, the relay and auditors only.
    """
    if len(salt) != COUNTER_SALT_SIZE:
        raise LocalError(f"the salt of a counter has {COUNTER_SALT_SIZE} bytes")
    return sha256(b"rsc-share/v1 to\0" + salt + codec.again((log, sender, node, n))).digest()


def received_commitment(*, log: str, receiver: str, sender: str, header_hash: bytes, state: str, salt: bytes) -> bytes:
    """The `c` of one item of a heartbeat's `received`: as `to_commitment` over "received" and
    msgpack [log, receiver, sender, header hash, state]; opened to that sender, the relay and auditors only."""
    return _salted(b"rsc-share/v1 received\0", salt, [log, receiver, sender, header_hash, state])


def _salted(head: bytes, salt: bytes, value: codec.Value) -> bytes:
    if len(salt) != COUNTER_SALT_SIZE:
        raise LocalError(f"the salt of a counter has {COUNTER_SALT_SIZE} bytes")
    return hashlib.sha256(head + salt + codec.pack(value)).digest()


def _pad(content: bytes) -> bytes:
    plain = len(content).to_bytes(_LENGTH, "big") + content
    return plain.ljust(padded_size(len(plain)), b"\0")


def _unpad(plain: bytes) -> tuple[bytes, bytes]:
    """Salt and payload of a padded text. One spelling: the right padding, and nothing in it but zeros.

    A tail that is not looked at would be a hidden channel that the commitment does not cover.
    """
    end = _LENGTH + int.from_bytes(plain[:_LENGTH], "big")
    if end > len(plain) or len(plain) != padded_size(end) or plain.count(0, end) != len(plain) - end:
        raise RemoteError("its padding is not the one of its length")
    salt, payload = row(codec.unpack(plain[_LENGTH:end], max_size=len(plain)), "body", 2)
    return blob(salt, "salt", size=SALT_SIZE), blob(payload, "payload", high=MAX_INLINE_PAYLOAD)


def _bad(what: str) -> RemoteError:
    return RemoteError(f"the body {what}", code="bad-part")
