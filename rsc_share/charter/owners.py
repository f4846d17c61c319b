"""One key, one owner, in the whole directory and for ever: two uses of one key are two meanings of one signature."""

from __future__ import annotations

from rsc_share.charter.fold import Claims
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.errors import RemoteError


class Owners:
    """Who has used which key id. The Ed25519 half of a hybrid key is taken too."""

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: dict[bytes, str] = {}

    def check(self, claims: Claims) -> None:
        """Raise `RemoteError` (`key-reuse`) if any of these keys is somebody else's, or two of them are one."""
        mine: dict[bytes, str] = {}
        for key, owner in claims:
            for key_id in _ids(key):
                other = self._owners.get(key_id) or mine.get(key_id)
                if other is not None and (other != owner or key_id in mine):
                    raise RemoteError(
                        f"key {key.fingerprint[:16]}… of {owner} is already {other}'s: one key, one owner",
                        code="key-reuse",
                    )
                mine[key_id] = owner

    def claim(self, claims: Claims) -> None:
        for key, owner in claims:
            for key_id in _ids(key):
                self._owners[key_id] = owner


def _ids(key: PublicKey) -> tuple[bytes, ...]:
    if key.suite != Suite.HYBRID:
        return (key.key_id,)
    return key.key_id, PublicKey(Suite.ED25519, key.raw[:32]).key_id
