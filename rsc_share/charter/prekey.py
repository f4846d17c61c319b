"""Prekeys: a node publishes the key that grants are sealed to. Content: `{created node public}`, signed by the node."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.charter.objects import content_of, sign_object
from rsc_share.crypto.signing import PUBLIC_SIZE, Signer, Suite

_KEYS = ("created", "node", "public")


@dataclass(frozen=True, slots=True)
class Prekey:
    """`public` is ML-KEM-768 public (1,184 bytes) || X25519 public (32); `created` ms, by the node's clock."""

    node: str
    public: bytes
    created: int

    @property
    def id(self) -> bytes:
        """SHA-256(suite || public), as for every key."""
        return hashlib.sha256(bytes([Suite.HPKE]) + self.public).digest()

    def content(self) -> dict[str, Any]:
        return {"created": self.created, "node": self.node, "public": self.public}


def publish_prekey(prekey: Prekey, framework_id: bytes, node: Signer) -> bytes:
    """The directory object."""
    return sign_object("prekey", prekey.content(), framework_id, node)


def read_prekey(content: bytes) -> Prekey:
    value = content_of(content, "prekey", _KEYS)
    return Prekey(
        node=names.node(value["node"], "node"),
        public=shape.blob(value["public"], "public", size=PUBLIC_SIZE[Suite.HPKE]),
        created=shape.integer(value["created"], "created"),
    )
