"""What every party of the floor does with the same bytes: names and keys, trees, signatures. See `floor_calls`."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from floor_entries import Recorded
from floor_line import FORMS, HASHES, SIGNATURES, Laps, Rows, encode
from nacl.bindings import crypto_sign, crypto_sign_open

from rsc_share.crypto.ed25519 import expand
from rsc_share.envelope.block import SignatureBlock
from rsc_share.envelope.header_form import WrittenHeader

NONCE = bytes(12)
NUMBERS = [encode(n) for n in range(1 << 14)]
_read_header = msgspec.msgpack.Decoder(WrittenHeader).decode
_read_block = msgspec.msgpack.Decoder(SignatureBlock).decode


class Wrong(Exception):
    """A party was shown what it must not take."""


def same(found: object, wanted: object) -> None:
    """Raises `Wrong`: what the floor leaves out is never a comparison."""
    if found != wanted:
        raise Wrong("not what was signed, or committed to")


class Edge:
    """The right edge of the log's tree, as a party keeps it."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size, self._edge = 0, list[bytes]()
        self.grow(leaves)

    def grow(self, leaves: Sequence[bytes]) -> None:
        edge, size = self._edge, self.size
        for leaf in leaves:
            rest, node = size, leaf
            while rest & 1:
                node = sha256(b"\1" + edge.pop() + node).digest()
                rest >>= 1
            edge.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        *left, root = self._edge
        for node in reversed(left):
            root = sha256(b"\1" + node + root).digest()
        return root

    def state(self) -> bytes:
        """What a party must find again after a crash."""
        return encode([self.size, self._edge])


def levels(row: list[bytes]) -> list[list[bytes]]:
    """Of the tree over the headers that one signature covers, leaves first."""
    found = [row]
    while len(row) > 1:
        odd = row[-1:] if len(row) & 1 else []
        row = [sha256(b"\1" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)] + odd
        found.append(row)
    return found


def counter(salt: bytes, place: bytes, n: int) -> bytes:
    return sha256(b"rsc-share/v1 to\0" + salt + place + NUMBERS[n]).digest()


class Party:
    """What is known before the first run, and the bytes that are the same in every entry. `together`: messages for
    which a publisher's program waits at once, and so those of one commit; 0: a whole run."""

    def __init__(self, recorded: Recorded, name: str, rows: Rows, together: int = 0) -> None:
        r = self.known = recorded
        self.name, self.rows, self.together, self.tree = name, rows, together, Edge(recorded.leaves)
        self.places = [b"\x94" + encode([r.log, r.sender, node])[1:] for node in r.readers]
        self._signed = b"rsc-share/v1 entry\0\1" + r.framework_id + r.realm.encode() + b"\0"
        self._public, self._log_public = r.signer.public.raw, r.log_public.raw
        self.log_key_id = sha256(r.log.encode() + b"\n\1" + self._log_public).digest()[:4]
        self._secret, self._log_secret = expand(r.signer.secret())[1], expand(r.log_key.secret())[1]

    # --- signatures

    def sign_run(self, size: int, root: bytes) -> bytes:
        return crypto_sign(self._signed + size.to_bytes(2, "big") + root, self._secret)[:64]

    def sign_tree(self, text: bytes) -> bytes:
        return crypto_sign(text, self._log_secret)[:64]

    def signed_run(self, headers: Sequence[bytes], blocks: Sequence[bytes], laps: Laps) -> None:
        """One signature over all of them; `BadSignatureError`. From the leaves up: no path is walked, but each is the
        right one, or another party would judge its entry otherwise."""
        rows, block = levels([sha256(b"\0" + header).digest() for header in headers]), _read_block(blocks[0])
        laps(self.name, HASHES)
        crypto_sign_open(block.signature + self._signed + block.size.to_bytes(2, "big") + rows[-1][0], self._public)
        laps(self.name, SIGNATURES)
        same(self.blocks(rows, block.signature), list(blocks))
        laps(self.name, FORMS)

    def blocks(self, rows: list[list[bytes]], signature: bytes) -> list[bytes]:
        """The packed signature blocks of a run, by its tree."""
        size, key_id = len(rows[0]), self.known.signer.public.key_id
        paths = [
            [row[at] for level, row in enumerate(rows[:-1]) if (at := (index >> level) ^ 1) < len(row)]
            for index in range(size)
        ]
        return [encode([1, key_id, signature, index, size, path]) for index, path in enumerate(paths)]

    def signed_tree(self, note: bytes, laps: Laps) -> tuple[int, bytes]:
        """Size and root of a checkpoint; `BadSignatureError`."""
        text, _, line = note.partition(b"\n\n")
        crypto_sign_open(b64decode(line.rsplit(b" ", 1)[1])[4:] + text + b"\n", self._log_public)
        _, size, root = text.split(b"\n")
        laps(self.name, SIGNATURES)
        return int(size), b64decode(root)

    def grown(self, entries: Sequence[bytes], laps: Laps) -> None:
        self.tree.grow([sha256(b"\0" + entry).digest() for entry in entries])
        laps(self.name, HASHES)

    # --- forms and bodies

    def parts(self, headers: Sequence[bytes], laps: Laps) -> list[WrittenHeader]:
        """The headers, each in its one spelling."""
        found = [_read_header(data) for data in headers]
        same([encode(header) for header in found], list(headers))
        laps(self.name, FORMS)
        return found

    def commitment(self, id: bytes, salt: bytes, content: bytes) -> bytes:
        place = encode([self.known.log, self.known.sender, id, 0])
        return sha256(b"".join((b"rsc-share/v1 commit\0", place, salt, content))).digest()

    def key(self, id: bytes, commit: bytes) -> bytes:
        return hmac.digest(self.known.gk, encode(["rsc-share/v1 part key", id, 0, commit]) + b"\1", "sha256")

    def place(self, id: bytes) -> bytes:
        """What a body is bound to."""
        r = self.known
        return encode([r.framework_id, r.log, r.realm, r.sender, id, 0])
