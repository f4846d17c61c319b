"""The signing packet: a folder that travels between parties on a medium, and all that one needs to sign.

    charter.toml   the text that is signed          page.txt     the page for ink, from that text
    keys           the keys it names                changes.txt  what changes, in sentences (version 2 and later)
    bundle         the policy files, packed         README.txt   what to do
    previous/      the packet of the version before, complete, down to version 1
    signatures/    one file for each signature: EST.sig

Nobody trusts whoever carries it: every derived file is made again and compared when the packet is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from rsc_share.charter.changes import changes
from rsc_share.charter.keyring import KeyRing, check_ring
from rsc_share.charter.model import Charter
from rsc_share.charter.page import page
from rsc_share.charter.quorum import Version
from rsc_share.charter.text import parse_charter
from rsc_share.cli.files import MAX_BUNDLE, MAX_KEYS, MAX_SMALL, read_file
from rsc_share.errors import LocalError, RemoteError
from rsc_share.policy.bundle import Bundle, unpack_bundle

TEXT, KEYS, BUNDLE, PAGE, CHANGES, README = "charter.toml", "keys", "bundle", "page.txt", "changes.txt", "README.txt"
PREVIOUS, SIGNATURES = "previous", "signatures"
MAX_VERSIONS = 256

_README = """Signing packet: charter of the framework {framework}, version {version}

1. Check who sent you this folder, and read charter.toml. What stands there is what is signed.
2. Print the page:        rsc-share charter print FOLDER
   Compare its digest with the one the other parties have on paper, group by group.
3. Sign, without network: rsc-share charter sign FOLDER --authority authority.keystore
   It shows what the text says{changes} and asks for the last digits of the digest on your paper.
4. Send back the one file it wrote below signatures/.

Who collects the signatures is trusted for nothing; rsc-share charter status FOLDER says who is missing.
"""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet whose files agree with each other. Nobody's signature has been looked at."""

    version: Version
    keys: bytes
    bundle: bytes = field(repr=False)
    previous: Packet | None
    signatures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def charter(self) -> Charter:
        return self.version.charter

    @property
    def framework_id(self) -> bytes | None:
        """SHA-256 of version 1; None for version 1 itself, which is signed without."""
        return None if self.previous is None else self.chain[0].charter.digest

    @property
    def chain(self) -> list[Packet]:
        """Version 1 first, this one last."""
        return [*([] if self.previous is None else self.previous.chain), self]

    @property
    def changes(self) -> tuple[str, ...]:
        """Sentences about the text, then the lines of the policy that differ. Empty for version 1."""
        if self.previous is None:
            return ()
        return (*changes(self.previous.charter, self.charter), *policy_changes(self.previous.bundle, self.bundle))

    @property
    def derived(self) -> dict[str, bytes]:
        """Files that follow from the others."""
        charter = self.charter
        told = ", what changes," if self.previous is not None else ""
        readme = _README.format(framework=charter.framework, version=charter.version, changes=told)
        found = {PAGE: page(charter).encode(), README: readme.encode()}
        if self.previous is not None:
            found[CHANGES] = "".join(f"{sentence}\n" for sentence in self.changes).encode()
        return found

    def files(self) -> dict[str, bytes]:
        """The folder, by path."""
        found = {TEXT: self.charter.text, KEYS: self.keys, BUNDLE: self.bundle, **self.derived}
        found.update({f"{SIGNATURES}/{name}": data for name, data in self.signatures.items()})
        if self.previous is not None:
            found.update({f"{PREVIOUS}/{path}": data for path, data in self.previous.files().items()})
        return found


def policy_changes(old: bytes, new: bytes) -> Iterator[str]:
    """What differs between two packed bundles, file by file: a digest alone tells a signer nothing."""
    before, after = unpack_bundle(old), unpack_bundle(new)
    for path in sorted(before.keys() | after.keys()):
        mine, theirs = before.get(path), after.get(path)
        if mine == theirs:
            continue
        yield f"Policy file {path} {'goes' if theirs is None else 'is new' if mine is None else 'changes'}:"
        was, becomes = ((data or b"").decode().split("\n") for data in (mine, theirs))
        # The first two lines of a unified diff name files, the ones with @@ places: neither says anything here.
        for line in [*unified_diff(was, becomes, lineterm="", n=0)][2:]:
            if not line.startswith("@@"):
                yield f"    {line}"


def propose(charter: Charter, ring: KeyRing, bundle: bytes, previous: Packet | None) -> Packet:
    """A packet to be signed. Raises `LocalError` where text, keys, policy and the version before do not fit."""
    try:
        return _checked(charter, ring.pack(), bundle, previous, {})
    except RemoteError as error:
        raise LocalError(error.what, code=error.code, advice=error.advice) from None


def read_packet(folder: Path, depth: int = MAX_VERSIONS) -> Packet:
    """The packet in `folder`. Raises `LocalError` (text, missing files) and `RemoteError` (`packet`, `keys`, ...)."""
    if not folder.is_dir():
        raise LocalError(f"{folder} is not a signing packet", code="no-packet", advice="name the folder")
    if depth == 0:
        raise LocalError(f"{folder} goes back more than {MAX_VERSIONS} versions", code="packet")
    text = read_file(folder / TEXT)
    charter = parse_charter(text, str(folder / TEXT))
    keys, bundle = read_file(folder / KEYS, MAX_KEYS), read_file(folder / BUNDLE, MAX_BUNDLE)
    before = folder / PREVIOUS
    previous = read_packet(before, depth - 1) if charter.version > 1 else None
    packet = _checked(charter, keys, bundle, previous, _signatures(folder / SIGNATURES))
    for name, data in packet.derived.items():
        # A mail gateway may fold lines of what is only read; any other difference is somebody's.
        if (folder / name).exists() and _plain(read_file(folder / name)) != data:
            what = f"{folder / name} is not what the charter beside it says"
            raise RemoteError(what, code="packet", advice="somebody changed it: ask who sent it, and sign nothing")
    return packet


def _checked(
    charter: Charter, keys: bytes, bundle: bytes, previous: Packet | None, signatures: Mapping[str, bytes]
) -> Packet:
    ring = KeyRing.parse(keys)
    check_ring(charter, ring)
    if hashlib.sha256(bundle).digest() != charter.policy:
        raise RemoteError("the policy bundle is not the one that the charter names", code="policy")
    Bundle.unpack(bundle)
    if previous is not None and previous.charter.digest != charter.previous:
        raise RemoteError(
            f"version {charter.version} does not follow the version {previous.charter.version} beside it",
            code="previous",
        )
    return Packet(Version(charter, ring), keys, bundle, previous, signatures)


def _signatures(folder: Path) -> dict[str, bytes]:
    found = sorted(folder.glob("*.sig")) if folder.is_dir() else []
    return {path.name: read_file(path, MAX_SMALL) for path in found}


def _plain(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def charter_in(path: Path) -> Charter:
    """A charter's text: of a packet, or in a file of its own."""
    if path.is_dir():
        return read_packet(path).charter
    return parse_charter(read_file(path), str(path))
