"""Signed notes and verifier keys: https://c2sp.org/signed-note.

    <text, every line ended by a newline>
    <empty line>
    — <key name> <base64 of 4-byte key id || signature>

The text ends at the *last* empty line. Lines of unknown keys are ignored; a known key that fails rejects the note, and
so does a note that no known key signed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256

from rsc_share.crypto.signing import PublicKey, Suite, verify
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.lines import base64_bytes, base64_text, key_name, lines_of, text_of
from rsc_share.shape import wrong

MAX_NOTE = 1_000_000
"""Bytes of a note; 250 ML-DSA-44 lines fit. The Go implementation has the same limit."""
MAX_SIGNATURES = 256


class KeyType(IntEnum):
    """Signature type identifier bytes of signed-note and tlog-cosignature that this library speaks."""

    ED25519 = 0x01
    """Plain Ed25519 over the note text: the log's signature on its checkpoint."""
    COSIGNATURE = 0x04
    """Ed25519 cosignature/v1 with a time."""
    ML_DSA_44 = 0x06
    """ML-DSA-44 subtree/v1 cosignature, also by the log itself under the name of its origin."""


_SUITE = {KeyType.ED25519: Suite.ED25519, KeyType.COSIGNATURE: Suite.ED25519, KeyType.ML_DSA_44: Suite.ML_DSA_44}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named key that verifies note lines of one type. Raises `RemoteError` if name, type or length is wrong."""

    name: str
    type: int
    key: bytes = field(repr=False)
    key_id: bytes = field(init=False, compare=False)
    """SHA-256(name || 0x0A || type || key)[:4]: an identifier, not a fingerprint."""
    public: PublicKey = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        key_name(self.name, "key name")
        if self.type not in _SUITE:
            raise wrong("verifier key", f"unknown signature type {self.type}")
        object.__setattr__(self, "type", KeyType(self.type))
        object.__setattr__(self, "public", PublicKey(_SUITE[KeyType(self.type)], self.key))
        object.__setattr__(
            self, "key_id", sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:4]
        )

    @classmethod
    def of(cls, name: str, kind: KeyType, public: PublicKey) -> VerifierKey:
        """The verifier key for a public key of ours. `LocalError` if its suite cannot make lines of this type."""
        if public.suite != _SUITE[kind]:
            raise LocalError(f"a key of suite {public.suite} does not make {kind.name} lines")
        return cls(name, kind, public.raw)

    @property
    def vkey(self) -> str:
        """`<name>+<key id in hex>+<base64 of type || key>`."""
        return f"{self.name}+{self.key_id.hex()}+{base64_text(bytes([self.type]) + self.key)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key whose `vkey` is exactly `text`; else `RemoteError`."""
        name, _, rest = text.partition("+")
        encoded = rest.partition("+")[2]
        raw = base64_bytes(encoded, "verifier key")
        if not raw:
            raise wrong("verifier key", "has no type")
        key = cls(name, raw[0], raw[1:])
        if key.vkey != text:
            raise wrong("verifier key", "the key id is not that of this name and key")
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says so (`name`, 4-byte `key_id`) and the bytes after the key id (`blob`)."""

    name: str
    key_id: bytes
    blob: bytes = field(repr=False)

    def __post_init__(self) -> None:
        # Not bounded to 255 bytes: a line of an unknown key is to be ignored, whatever its name.
        key_name(self.name, "signature name", limit=MAX_NOTE)
        if len(self.key_id) != 4 or not self.blob:
            raise wrong("signature", "needs a key id of 4 bytes and something after it")

    def line(self) -> bytes:
        """`— <name> <base64>` with its newline."""
        return f"— {self.name} {base64_text(self.key_id + self.blob)}\n".encode()

    @classmethod
    def parse_line(cls, line: str) -> NoteSignature:
        """The signature whose line, without the newline, is exactly `line`; else `RemoteError`."""
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—":
            raise wrong("signature", "the line does not begin with an em dash and a space")
        raw = base64_bytes(encoded, "signature")
        return cls(name, raw[:4], raw[4:])


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Signature lines alone, as a witness answers add-checkpoint with. At least one; `RemoteError` otherwise."""
    return _signatures(text_of(data, "signatures", limit=MAX_NOTE))


def _signatures(text: str) -> tuple[NoteSignature, ...]:
    lines = lines_of(text, "signatures")
    if len(lines) > MAX_SIGNATURES:
        raise wrong("note", f"has more than {MAX_SIGNATURES} signatures")
    return tuple(NoteSignature.parse_line(line) for line in lines)


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: nothing in it is verified. `text` ends with a newline."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """The note's bytes, which parse back to this note; `LocalError` if they would not."""
        if not self.text.endswith(b"\n") or not 0 < len(self.signatures) <= MAX_SIGNATURES:
            raise LocalError(f"a signed note needs a text ending in a newline and 1 to {MAX_SIGNATURES} signatures")
        data = self.text + b"\n" + b"".join(signature.line() for signature in self.signatures)
        try:
            text_of(data, "note", limit=MAX_NOTE)
        except RemoteError as error:
            raise LocalError(f"cannot be a signed note: {error.what}") from None
        return data

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """The note whose bytes are exactly `data`; `RemoteError` for anything else."""
        head, border, tail = text_of(data, "note", limit=MAX_NOTE).rpartition("\n\n")
        if not border:
            raise wrong("note", "has no empty line before its signatures")
        return cls((head + "\n").encode(), _signatures(tail))


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note at least one known key signed. `by` holds the lines that verified, in their order; no other line."""

    text: bytes
    by: tuple[tuple[VerifierKey, NoteSignature], ...]

    def encode(self) -> bytes:
        """The note with its verified lines only: what may be stored or handed on.

        A line nobody verified, once stored, is served under one's own name and can wedge whoever reads it strictly.
        """
        return Note(self.text, tuple(line for _, line in self.by)).encode()


Check = Callable[[VerifierKey, bytes, NoteSignature], None]
"""Raises `RemoteError` unless the line is a signature by the key on the note text."""


Verify = Callable[[PublicKey, bytes, bytes], None]
"""As `signing.verify`: whoever reads lines again may remember those that verified."""


def verify_text(key: VerifierKey, text: bytes, line: NoteSignature, by: Verify = verify) -> None:
    """A plain Ed25519 line (0x01) over the note text."""
    if key.type != KeyType.ED25519:
        raise LocalError(f"a {KeyType(key.type).name} line needs a checkpoint: see cosignature.open_checkpoint")
    by(key.public, text, line.blob)


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> VerifiedNote:
    """Parse a plain note and verify it. Raises `RemoteError`: `malformed`, or `bad-signature` by the rules above."""
    return verify_note(Note.parse(data), keys)


Known = Mapping[tuple[str, bytes], Sequence[VerifierKey]]
"""Keys by what a line says of its own: name and key id."""


def known_by_line(keys: Iterable[VerifierKey]) -> Known:
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in keys:
        known.setdefault((key.name, key.key_id), []).append(key)
    return known


def verify_note(note: Note, keys: Iterable[VerifierKey], check: Check = verify_text) -> VerifiedNote:
    """Verify every line by a known key with `check`. Raises `RemoteError` (`bad-signature`) by the rules above."""
    return verify_known(note, known_by_line(keys), check)


def verify_known(note: Note, known: Known, check: Check) -> VerifiedNote:
    """As `verify_note`, for whoever reads many notes with the same keys."""
    verified = tuple(
        (_verifying(candidates, note.text, line, check), line)
        for line in note.signatures
        if (candidates := known.get((line.name, line.key_id)))
    )
    if not verified:
        raise RemoteError("no known key signed this note", code="bad-signature")
    return VerifiedNote(note.text, verified)


def _verifying(candidates: Sequence[VerifierKey], text: bytes, line: NoteSignature, check: Check) -> VerifierKey:
    """The key that made `line`. Four-byte ids can be made to collide: then each key is tried, and one must verify."""
    for key in candidates[:-1]:
        with contextlib.suppress(RemoteError):
            check(key, text, line)
            return key
    check(candidates[-1], text, line)
    return candidates[-1]
