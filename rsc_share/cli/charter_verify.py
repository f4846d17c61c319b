"""Verifying a packet as the directory will: the same fold, from version 1 on, with the pin from outside."""

from __future__ import annotations

import hashlib

from rsc_share.charter.amendment import charter_object
from rsc_share.charter.directory import Directory
from rsc_share.charter.quorum import pack_signatures
from rsc_share.cli.packet import BUNDLE, KEYS, TEXT, Packet
from rsc_share.cli.sigfile import count
from rsc_share.errors import RemoteError

OBJECT, SIGNED = "object", "signatures"


def fold(packet: Packet, pin: bytes) -> dict[str, bytes]:
    """Fold every version of the packet into a directory pinned to `pin`; the files of the last one's entry.

    Raises `RemoteError`: `quorum` (signatures missing), `wrong-charter` (another version 1 than the pin's), and what
    the fold raises.
    """
    directory = Directory.begin(pin)
    files: dict[str, bytes] = {}
    time = 0
    for step in packet.chain:
        if step is packet.chain[0] and step.charter.digest != pin:
            raise RemoteError(
                f"version 1 has the digest {step.charter.digest.hex()}, not the one that was given",
                code="wrong-charter",
                advice="compare it with the treaty's annex, all 64 digits",
            )
        files = entry_files(step)
        bodies = {hashlib.sha256(data).digest(): data for name, data in files.items() if name != OBJECT}
        # A charter counts from where it is logged, on a day of its own: the earliest one that can be.
        time = max(time, step.charter.valid[0])
        directory.apply(files[OBJECT], time, bodies)
    return files


def entry_files(packet: Packet) -> dict[str, bytes]:
    """The directory object of a version and the bodies it names, by file name."""
    charter = packet.charter
    counted = count(packet)
    signatures = pack_signatures(counted.good)
    return {
        OBJECT: charter_object(charter, packet.keys, signatures),
        TEXT: charter.text,
        KEYS: packet.keys,
        SIGNED: signatures,
        BUNDLE: packet.bundle,
    }
