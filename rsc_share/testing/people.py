"""The parties of a test framework: their keys from a seed, their nodes and officers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rsc_share.charter.compose import node_spec
from rsc_share.charter.model import Member, MemberEntitlement, NodeSpec, Role
from rsc_share.crypto.signing import PrivateKey, PublicKey, Suite

NODE = "mod-1"
OFFICER = "duty-1"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What one node holds in its keystore."""

    name: str
    signing: PrivateKey = field(repr=False)
    witness: PrivateKey = field(repr=False)
    witness_pq: PrivateKey = field(repr=False)

    @classmethod
    def of(cls, name: str, *seed: object) -> NodeKeys:
        return cls(
            name,
            _key(Suite.ED25519, name, "signing", *seed),
            _key(Suite.ED25519, name, "witness", *seed),
            _key(Suite.ML_DSA_44, name, "witness-pq", *seed),
        )

    def spec(self, accreditation: Mapping[str, str]) -> NodeSpec:
        return node_spec(
            self.name, self.signing.public, (self.witness.public, self.witness_pq.public), accreditation=accreditation
        )

    @property
    def public(self) -> tuple[PublicKey, ...]:
        return self.signing.public, self.witness.public, self.witness_pq.public


@dataclass(frozen=True, slots=True)
class Party:
    """One member state with everything that is in its safe."""

    code: str
    role: Role
    authority: PrivateKey = field(repr=False)
    duty: PrivateKey = field(repr=False)
    officer: PrivateKey = field(repr=False)
    nodes: tuple[NodeKeys, ...]

    @classmethod
    def of(cls, code: str, seed: int, role: Role = "member", nodes: tuple[str, ...] = (NODE,)) -> Party:
        return cls(
            code,
            role,
            _key(Suite.HYBRID, code, "authority", seed),
            _key(Suite.ED25519, code, "duty", seed),
            _key(Suite.ED25519, code, "officer", seed),
            tuple(NodeKeys.of(f"{code}/{name}", seed) for name in nodes) if role == "member" else (),
        )

    @property
    def officer_name(self) -> str:
        return f"{self.code}/{OFFICER}"

    def member(
        self, entitlements: Mapping[str, MemberEntitlement], accreditation: Mapping[str, str], title: str = ""
    ) -> Member:
        return Member(
            code=self.code,
            role=self.role,
            authority=self.authority.public.fingerprint,
            duty=self.duty.public.fingerprint,
            title=title,
            entitlements=entitlements,
            nodes={node.name: node.spec(accreditation) for node in self.nodes},
        )

    @property
    def public(self) -> tuple[PublicKey, ...]:
        """Every key the charter names for this party."""
        nodes = [key for node in self.nodes for key in node.public]
        return (self.authority.public, self.duty.public, *nodes)


def _key(suite: Suite, *seed: object) -> PrivateKey:
    return PrivateKey.generate(suite, seed=repr(seed).encode())
