"""One signature in one small file, and the count of all that a packet holds."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.charter.quorum import Tally, Version, sign_charter, tally
from rsc_share.charter.source import Source, Table
from rsc_share.cli.packet import Packet
from rsc_share.crypto.signing import PublicKey, Signer
from rsc_share.errors import LocalError, RscError
from rsc_share.labels import toml10

_HEAD = "# One signature under a charter. Send it to whoever collects them; it is of no use for anything else."


@dataclass(frozen=True, slots=True)
class SigFile:
    """`charter`: digest of the text, `key`: key id of the authority, `signature`: hybrid, 3,373 bytes."""

    charter: bytes
    member: str
    key: bytes
    signature: bytes

    def text(self) -> bytes:
        block = textwrap.wrap(base64.b64encode(self.signature).decode(), 76)
        lines = [_HEAD, f'charter = "{self.charter.hex()}"', f'member = "{self.member}"', f'key = "{self.key.hex()}"']
        return "\n".join([*lines, 'signature = """', *block, '"""', ""]).encode()

    @classmethod
    def parse(cls, data: bytes, name: str) -> SigFile:
        """Raises `LocalError`. Line ends may be the mail gateway's: the signature is what counts."""
        try:
            text = data.decode("utf-8")
            table = Table(Source(name, tuple(text.split("\n"))), (), toml10.loads(text))
            table.closed("charter", "member", "key", "signature")
            signature = base64.b64decode("".join(str(table.need("signature")).split()), validate=True)
            return cls(table.digest("charter"), table.text("member"), table.digest("key"), signature)
        except (ValueError, RecursionError):
            raise LocalError(f"{name} is not a signature file", code="signature-file") from None


@dataclass(frozen=True, slots=True)
class Count:
    """What the signature files of a packet come to. `bad`: why a file does not count, by its name."""

    tally: Tally
    good: Mapping[bytes, bytes]
    bad: Mapping[str, str]


def signers_of(packet: Packet) -> dict[bytes, tuple[str, PublicKey]]:
    """Keys that may sign this version, by key id: the authorities of this version and of the one before."""
    found: dict[bytes, tuple[str, PublicKey]] = {}
    for version in _versions(packet):
        for code in version.charter.members:
            key = version.authority(code)
            found[key.key_id] = (code, key)
    return found


def _versions(packet: Packet) -> list[Version]:
    return [*([packet.previous.version] if packet.previous is not None else []), packet.version]


def sign(packet: Packet, signer: Signer) -> SigFile:
    """The signature of one authority. Raises `LocalError` (`unknown-key`) if the charter does not know this key."""
    known = signers_of(packet).get(signer.public.key_id)
    if known is None:
        raise LocalError(
            f"key {signer.public.fingerprint[:16]}… is no party's authority in this charter",
            code="unknown-key",
            advice="take the right keystore, or ask who wrote the charter for your key file's fingerprint in it",
        )
    made = sign_charter(packet.charter.text, packet.framework_id, signer)
    return SigFile(packet.charter.digest, known[0], signer.public.key_id, made)


def count(packet: Packet) -> Count:
    """Verify every signature file on its own: one that is wrong does not hide the others."""
    good: dict[bytes, bytes] = {}
    bad: dict[str, str] = {}
    for name, data in packet.signatures.items():
        try:
            key, signature = _verified(packet, name, data)
            good.setdefault(key, signature)
        except RscError as error:
            bad[name] = error.what
    return Count(_tally(packet, good), good, bad)


def _verified(packet: Packet, name: str, data: bytes) -> tuple[bytes, bytes]:
    found = SigFile.parse(data, name)
    if found.charter != packet.charter.digest:
        raise LocalError("it signs another text than this charter", code="other-text")
    known = signers_of(packet).get(found.key)
    if known is None:
        raise LocalError("its key is no party's authority", code="unknown-key")
    if known[0] != found.member:
        raise LocalError(f"it says {found.member} and its key is {known[0]}'s", code="unknown-key")
    _tally(packet, {found.key: found.signature})
    return found.key, found.signature


def _tally(packet: Packet, signatures: Mapping[bytes, bytes]) -> Tally:
    old = None if packet.previous is None else packet.previous.version
    return tally(old, packet.version, packet.framework_id, signatures)
