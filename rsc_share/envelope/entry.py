"""Entries as they stand in a log, before anybody has judged them.

`Signed` is what a sender submits: header and signature block. A relay adds the stamp and gets an entry; its leaf is
SHA-256(0x00 || entry). Both types say *unverified*: only the rulebook turns one into something to act on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rsc_share import shape
from rsc_share.envelope.entry_form import ENTRY, MAX_ENTRY, Stamp, WrittenEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.signature import SignatureBlock
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import leaf_hash, leaf_hashes
from rsc_share.value import Value
from rsc_share.wire import write

VERSION = 1


class Signed(Value, frozen=True):
    """A parsed, unverified header with its parsed, unverified signature block, and the bytes of both."""

    header: Header
    block: SignatureBlock
    header_bytes: bytes
    block_bytes: bytes
    header_hash: bytes

    @classmethod
    def parse(cls, header: bytes, block: bytes) -> Signed:
        return cls(Header.parse(header), SignatureBlock.parse(block), header, block, header_hash(header))


class UnverifiedEntry(Value, frozen=True):
    """An entry of a channel log: canonical and well formed, and nothing more."""

    signed: Signed
    stamp: Stamp
    raw: bytes

    @property
    def leaf(self) -> bytes:
        """Its leaf hash, made when asked for: who replays a log has hashed it before."""
        return leaf_hash(self.raw)

    @property
    def header(self) -> Header:
        return self.signed.header

    @classmethod
    def parse(cls, raw: bytes) -> UnverifiedEntry:
        """Raises `RemoteError` (`malformed`). What parses packs to the same bytes."""
        header, block, stamp = split_entry(raw)
        return cls(Signed.parse(header, block), Stamp.parse(stamp), raw)

    @classmethod
    def parse_all(cls, raws: Sequence[bytes]) -> list[UnverifiedEntry]:
        """As `parse` of each, one part of all of them after the other: what reads a part stays in the processor's
        cache. Raises what one of them raises."""
        written = ENTRY.read_all(list(raws))
        for entry in written:
            if entry.version != VERSION:
                raise _other_version()
        headers, blocks = [entry.header for entry in written], [entry.block for entry in written]
        stamps = Stamp.parse_all([entry.stamp for entry in written])
        signed = map(
            Signed,
            Header.parse_all(headers),
            SignatureBlock.parse_all(blocks),
            headers,
            blocks,
            leaf_hashes(headers),
        )
        return list(map(cls, signed, stamps, raws))

    @classmethod
    def parse_each(cls, raws: Sequence[bytes]) -> Sequence[UnverifiedEntry | RemoteError]:
        """As `parse_all`; in the place of an entry that cannot be read, why not."""
        with suppress(RemoteError):
            return cls.parse_all(raws)
        # Not while that one is handled: each error would hold what was read before it.
        return [cls._or_why_not(raw) for raw in raws]

    @classmethod
    def _or_why_not(cls, raw: bytes) -> UnverifiedEntry | RemoteError:
        try:
            return cls.parse(raw)
        except RemoteError as error:
            return error

    @classmethod
    def stamped(cls, signed: Signed, stamp: Stamp) -> UnverifiedEntry:
        return cls(signed, stamp, join_entry(signed.header_bytes, signed.block_bytes, stamp.pack()))


class DirectoryEntry(Value, frozen=True):
    """An entry of the directory log: an object that proves itself, and a stamp. It has no signature of a node."""

    object: bytes
    stamp: Stamp
    raw: bytes
    leaf: bytes

    @classmethod
    def parse(cls, raw: bytes) -> DirectoryEntry:
        found, block, stamp = split_entry(raw)
        if block:
            raise shape.wrong("signature", "a directory entry has none")
        return cls(shape.blob(found, "object", low=1), Stamp.parse(stamp), raw, leaf_hash(raw))

    @classmethod
    def stamped(cls, found: bytes, stamp: Stamp) -> DirectoryEntry:
        raw = join_entry(found, b"", stamp.pack())
        return cls(found, stamp, raw, leaf_hash(raw))


def split_entry(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Header or object, signature block, stamp: the three byte strings of an entry."""
    found = ENTRY.read(raw)
    if found.version != VERSION:
        raise _other_version()
    return found.header, found.block, found.stamp


def _other_version() -> RemoteError:
    return shape.wrong("entry version", f"is not {VERSION}: a newer release may read it")


def join_entry(header: bytes, block: bytes, stamp: bytes) -> bytes:
    raw = write(WrittenEntry(VERSION, header, block, stamp))
    if len(raw) > MAX_ENTRY:
        raise shape.wrong("entry", f"is {len(raw)} bytes long; the log takes {MAX_ENTRY}")
    return raw


__all__ = [
    "MAX_ENTRY",
    "VERSION",
    "DirectoryEntry",
    "Signed",
    "Stamp",
    "UnverifiedEntry",
    "join_entry",
    "split_entry",
]
