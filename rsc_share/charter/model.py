"""What a charter says, as values: members, their first nodes, relays, channels, quorums.

Fingerprints are 64 lower-case hex digits of a key id; the keys themselves lie beside the text (`keyring`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rsc_share.charter.parameters import Parameters
from rsc_share.names import DIRECTORY

Role = Literal["member", "observer", "auditor"]
Realm = Literal["operational", "exercise"]
OnExpiry = Literal["freeze", "continue-restricted"]
NodeRole = Literal["full", "receive", "witness"]

ROLES: tuple[Role, ...] = ("member", "observer", "auditor")
REALMS: tuple[Realm, ...] = ("operational", "exercise")
ON_EXPIRY: tuple[OnExpiry, ...] = ("freeze", "continue-restricted")
NODE_ROLES: tuple[NodeRole, ...] = ("full", "receive", "witness")
"""full: sends, receives, cosigns. receive: as full, but sends only what machines and readers say. witness: cosigns."""

MEMBERS = "@members"
"""The built-in group of every party; auditors, who take part in nothing, are in no group."""
LIMITS = ("entries_per_second", "bytes_per_second", "body_bytes", "blob_bytes", "sessions", "in_flight_bytes")
"""What a channel may limit, per member. The relay's operator may only lower them."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node as the charter or a certificate describes it, keys by fingerprint. `accreditation` is scheme to level."""

    name: str
    signing: str
    witness: tuple[str, str]
    realms: frozenset[Realm]
    accreditation: Mapping[str, str]
    role: NodeRole = "full"


@dataclass(frozen=True, slots=True)
class MemberEntitlement:
    """What a member may read in one label scheme: a set of levels, and values per tag."""

    levels: frozenset[str]
    tags: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Member:
    """One party. `duty` is None for a party without a duty key."""

    code: str
    role: Role
    authority: str
    duty: str | None = None
    title: str = ""
    suspended: bool = False
    groups: frozenset[str] = frozenset()
    entitlements: Mapping[str, MemberEntitlement] = field(default_factory=dict)
    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)

    @property
    def votes(self) -> bool:
        """Whether its signature counts towards a quorum."""
        return self.role == "member" and not self.suspended


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay: who runs it, the fingerprints of its log keys (Ed25519, ML-DSA-44), SHA-256 of its TLS keys (SPKI)."""

    host: str
    operator: str
    log_keys: tuple[str, str]
    tls_pins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel. `members` are codes; groups in the text are resolved against the charter's members."""

    name: str
    realm: Realm
    relay: str
    members: frozenset[str]
    listed: tuple[str, ...]
    ceiling: Mapping[str, str]
    families: frozenset[str]
    retention_days: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    alternate: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """A log that ended at `[size, root]`: entries at or beyond `size` are void, its channel goes on elsewhere."""

    log: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The framework this one follows (quorum lost for good): its id and its directory's final `[size, root]`."""

    framework_id: bytes
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Fraction:
    """A quorum: `signers * whole >= part * members`, in integers."""

    part: int
    whole: int

    def needed(self, members: int) -> int:
        """The least number of signers among `members`."""
        return -(-self.part * members // self.whole)

    def __str__(self) -> str:
        return f"{self.part}/{self.whole}"


@dataclass(frozen=True, slots=True)
class Charter:
    """One version of a framework's charter: parsed and consistent in itself, signed by nobody yet.

    `valid` is `[from, until)` in milliseconds UTC. `previous` is the SHA-256 of the version before, None in version 1.
    """

    framework: str
    version: int
    previous: bytes | None
    valid: tuple[int, int]
    rules: int
    on_expiry: OnExpiry
    quorum: Fraction
    quorum_remove: Fraction
    witness_quorum: int
    policy: bytes
    directory_relay: str
    parameters: Parameters
    members: Mapping[str, Member]
    relays: Mapping[str, Relay]
    channels: Mapping[str, Channel]
    closed: tuple[Closed, ...]
    predecessor: Predecessor | None
    erasure: tuple[str, ...]
    """Officers' posts that may order an erasure: nobody's, where the charter names none."""
    text: bytes = field(repr=False)
    digest: bytes

    def origin(self, channel: str) -> str:
        """The log of a channel (or of `directory`). KeyError for a channel this version does not have."""
        host = self.directory_relay if channel == DIRECTORY else self.channels[channel].relay
        return f"{host}/{self.framework}/{channel}"

    @property
    def directory(self) -> str:
        """The log origin of the directory."""
        return self.origin(DIRECTORY)

    def states(self) -> tuple[Member, ...]:
        """Every party with role `member`, suspended ones too: the N of every quorum."""
        return tuple(m for m in self.members.values() if m.role == "member")

    def in_force(self, now: int) -> bool:
        return self.valid[0] <= now < self.valid[1]
