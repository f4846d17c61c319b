"""The keys beside a charter's text: a sorted msgpack list of `[suite, raw]`, exactly those the text names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rsc_share import shape
from rsc_share.charter.consistency import keys_of
from rsc_share.charter.model import Charter
from rsc_share.codec import pack, unpack
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.errors import RemoteError

MAX_KEYS = 4_096
MAX_BYTES = 2_097_152
"""60 members with one node each take 210 kB."""

_SUITES = {"authority": Suite.HYBRID, "duty": Suite.ED25519, "signing": Suite.ED25519}
_PAIR = (Suite.ED25519, Suite.ML_DSA_44)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Public keys by fingerprint."""

    keys: Mapping[str, PublicKey]

    @classmethod
    def of(cls, keys: Iterable[PublicKey]) -> KeyRing:
        """A ring of these keys; the same key twice is one key."""
        found = {key.fingerprint: key for key in keys}
        return cls({fingerprint: found[fingerprint] for fingerprint in sorted(found)})

    @classmethod
    def parse(cls, data: bytes) -> KeyRing:
        """The ring that `pack` wrote. Raises `RemoteError` for anything else."""
        value = unpack(data, max_size=MAX_BYTES, max_items=MAX_KEYS, max_depth=3)
        keys: list[PublicKey] = shape.each(_key, value, "keys", low=1, high=MAX_KEYS)
        shape.ascending([key.key_id for key in keys], "keys")
        return cls({key.fingerprint: key for key in keys})

    def pack(self) -> bytes:
        return pack([key.wire() for key in sorted(self.keys.values(), key=lambda key: key.key_id)])

    def __getitem__(self, fingerprint: str) -> PublicKey:
        return self.keys[fingerprint]


def _key(value: Any, where: str) -> PublicKey:
    return PublicKey.from_wire(value, where)


def check_ring(charter: Charter, ring: KeyRing) -> None:
    """Every fingerprint of the text has its key, of the suite its use needs, and there is no key beside them."""
    wanted = expected_suites(charter)
    missing = [fingerprint for fingerprint in wanted if fingerprint not in ring.keys]
    if missing:
        raise RemoteError(f"the keys lack {missing[0][:16]}…, which the charter names", code="keys", missing=missing)
    for fingerprint, key in ring.keys.items():
        if fingerprint not in wanted:
            raise RemoteError(f"key {fingerprint[:16]}… is not named by the charter", code="keys")
        if key.suite != wanted[fingerprint]:
            raise RemoteError(f"key {fingerprint[:16]}… needs suite {wanted[fingerprint].name}", code="keys")


def expected_suites(charter: Charter) -> dict[str, Suite]:
    """The suite each fingerprint of the text must have."""
    found: dict[str, Suite] = {}
    for fingerprint, owner in keys_of(charter):
        use = owner.partition(" ")[0]
        if use in _SUITES:
            found[fingerprint] = _SUITES[use]
    for member in charter.members.values():
        for node in member.nodes.values():
            found.update(zip(node.witness, _PAIR, strict=True))
    for relay in charter.relays.values():
        found.update(zip(relay.log_keys, _PAIR, strict=True))
    return found
