"""Who a decision is about, and around what: a node, a channel, and the facts of one message.

The subject of every decision is a node. Its member's entitlements come from the charter, its accreditation from its
certificate. All four classes are values; the decision looks them up by `key`, which holds everything but the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from rsc_share import codec

REALMS = ("operational", "exercise")


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A state's clearance in one scheme: a *set* of levels (X.841; not a maximum) and the tag values it holds."""

    levels: frozenset[str]
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        return {"levels": sorted(self.levels), "tags": {name: sorted(values) for name, values in self.tags.items()}}


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One node. `groups` are its member's groups at the time of the decision, and hold `@members` for every member
    of the charter: who lacks it is in no audience at all. `accreditation` is the highest level of each scheme that
    this node's system may hold."""

    node: str
    member: str
    groups: frozenset[str]
    entitlements: Mapping[str, Entitlement]
    accreditation: Mapping[str, str]
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wire = {
            "accreditation": dict(self.accreditation),
            "entitlements": {scheme: held.wire() for scheme, held in self.entitlements.items()},
            "groups": sorted(self.groups),
            "member": self.member,
            "node": self.node,
        }
        object.__setattr__(self, "digest", sha256(codec.pack(wire)).digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subject) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelFacts:
    """A channel as policy sees it. `members` are the member codes in it (groups resolved), `ceiling` the highest
    level of each scheme that may be said here: a scheme that is not named may not be used, unless an equivalence
    leads to one that is. `families` is for the rulebook; no step of a decision reads it."""

    name: str
    realm: str
    members: frozenset[str]
    ceiling: Mapping[str, str]
    families: frozenset[str] = frozenset()
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wire = [self.name, self.realm, sorted(self.members), dict(self.ceiling), sorted(self.families)]
        object.__setattr__(self, "digest", sha256(codec.pack(wire)).digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelFacts) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, slots=True)
class Facets:
    """What a decision needs to know besides label and subject.

    `time` is `logged_at` in milliseconds (a sender that plans ahead gives its own clock). `originator` is the sender's
    member; it counts as the originator of a label that names none. `releases` are the members whose signed release for
    this very use is at hand. `realm` is where the material comes from; None: from this channel.
    """

    time: int
    channel: ChannelFacts
    originator: str
    family: str
    type: str
    purpose: str | None = None
    releases: frozenset[str] = frozenset()
    realm: str | None = None
    key: tuple[Any, ...] = field(init=False, repr=False, compare=False)
    """Everything but the time, ready to be looked up."""

    def __post_init__(self) -> None:
        key = (
            self.channel.digest,
            self.originator,
            self.family,
            self.type,
            self.purpose,
            self.releases,
            self.realm,
        )
        object.__setattr__(self, "key", key)
