"""What the directory knows at one of its sizes: an immutable `State`, one per entry that changed anything but a prekey.

A state shares everything that did not change with the one before, so thousands of them are cheap to keep, and the
directory at any size is one bisection away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

from rsc_share.charter.certificate import NodeCertificate, OfficerCertificate
from rsc_share.charter.model import Charter
from rsc_share.charter.quorum import Version
from rsc_share.charter.revocation import Revocation
from rsc_share.charter.rowtext import Agreement, Restriction
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.rows import Row

C = TypeVar("C", NodeCertificate, OfficerCertificate)
By = Literal["authority", "duty"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands in the directory of which framework."""

    index: int
    logged_at: int
    framework_id: bytes


@dataclass(frozen=True, slots=True)
class Certified(Generic[C]):
    """A certificate in the directory. Active from `active_from` (ms, NODE_DELAY included) to its own end.

    `first`: named by the charter itself. `statement`: digest of the certificate object, empty for a first node.
    `by`: key id of the authority that signed it.
    """

    certificate: C
    place: Place
    active_from: int
    by: bytes
    statement: bytes = b""
    first: bool = False
    countersigned: bool = False
    revoked: bool = False

    @property
    def until(self) -> int:
        return self.certificate.valid[1]

    def active(self, now: int) -> bool:
        """Whether it is neither revoked nor outside its time; the member's standing is judged elsewhere."""
        return not self.revoked and self.active_from <= now < self.until


NodeFact = Certified[NodeCertificate]
OfficerFact = Certified[OfficerCertificate]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revocation in the directory. A duty key's is confirmed when the authority revokes the same name."""

    revocation: Revocation
    place: Place
    by: By
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Agreed:
    agreement: Agreement
    rows: tuple[Row, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Restricted:
    restriction: Restriction
    rows: tuple[Row, ...]
    place: Place
    by: By
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Party:
    """What one member has put into the directory, by name; newest certificate last."""

    nodes: Mapping[str, tuple[NodeFact, ...]] = field(default_factory=dict)
    officers: Mapping[str, tuple[OfficerFact, ...]] = field(default_factory=dict)
    revocations: Mapping[str, tuple[Revoked, ...]] = field(default_factory=dict)
    restrictions: Mapping[str, Restricted] = field(default_factory=dict)

    def live_nodes(self, now: int) -> set[str]:
        """Names with a certificate that is or will be active: what NODES_MAX counts."""
        return {name for name, facts in self.nodes.items() if any(not f.revoked and now < f.until for f in facts)}

    def live_officers(self, now: int) -> set[str]:
        return {name for name, facts in self.officers.items() if any(not f.revoked and now < f.until for f in facts)}


@dataclass(frozen=True, slots=True)
class State:
    """Everything but prekeys, after the entry at `index`. `bundle` is the quorum's, without the directory's rows."""

    version: Version
    bundle: Bundle
    index: int
    charter_index: int
    parties: Mapping[str, Party]
    agreements: Mapping[str, Agreed] = field(default_factory=dict)

    @property
    def charter(self) -> Charter:
        return self.version.charter

    def party(self, code: str) -> Party:
        return self.parties.get(code, _NOBODY)

    def with_party(self, code: str, party: Party) -> State:
        return replace(self, parties={**self.parties, code: party})

    def restrictions(self) -> Iterator[Restricted]:
        for code in sorted(self.parties):
            for _, found in sorted(self.parties[code].restrictions.items()):
                yield found


_NOBODY = Party()


def current(facts: tuple[Certified[C], ...], now: int) -> Certified[C] | None:
    """The newest certificate of a name that is active at `now`: a renewal takes over when its own delay is over."""
    for fact in reversed(facts):
        if fact.active(now):
            return fact
    return None
