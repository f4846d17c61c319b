"""The fold's steps for certificates, revocations, agreements and restrictions: state and object in, state out.

A step raises `RemoteError` and changes nothing, or returns the next state and the keys it claims. Its answer depends
on the state, the object and `logged_at` only, so everybody who folds the same log stands in the same place.
"""

from __future__ import annotations

from dataclasses import replace

from rsc_share.charter.certificate import Certificate, NodeCertificate, read_certificate
from rsc_share.charter.facts import (
    Agreed,
    By,
    C,
    Certified,
    NodeFact,
    OfficerFact,
    Party,
    Place,
    Restricted,
    Revoked,
    State,
    current,
)
from rsc_share.charter.model import Member
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.parameters import OFFICERS_MAX
from rsc_share.charter.revocation import Revocation, read_revocation
from rsc_share.charter.rowtext import Restriction, read_agreement, read_restriction
from rsc_share.charter.rules import agreement_rows, restriction_rows
from rsc_share.crypto.signing import PublicKey
from rsc_share.errors import RemoteError

RESTRICTIONS_MAX = 256
"""Restrictions of one member, lifted ones included."""
AGREEMENTS_MAX = 4_096
NAMES_MAX = 512
"""Names of nodes and officers one member can ever use."""
CERTIFICATES_MAX = 64
"""Certificates one name can ever have."""
Fact = NodeFact | OfficerFact
Claims = tuple[tuple[PublicKey, str], ...]


def party_of(state: State, code: str) -> Member:
    found = state.charter.members.get(code)
    if found is None:
        raise RemoteError(f"{code} is not a party to this charter", code="unknown-member")
    return found


def may_add(state: State, place: Place) -> None:
    """After the charter's last day nothing is added: what is there may go on or stand still, never grow."""
    if not state.charter.in_force(place.logged_at):
        raise RemoteError("the charter is not in force: nothing can be added under it", code="charter-expired")


def certificate(state: State, found: UnverifiedObject, place: Place) -> tuple[State, Claims]:
    read = read_certificate(found.content)
    may_add(state, place)
    member = party_of(state, read.member)
    authority = state.version.authority(member.code)
    found.verify(authority, place.framework_id)
    party = state.party(member.code)
    countersigned = _countersigned(party, found, authority, place)
    before = _same(party, found, read)
    _room(party, read.name)
    if len(_facts(party, read.name)) >= CERTIFICATES_MAX:
        raise RemoteError(f"{read.name} has had {CERTIFICATES_MAX} certificates", code="limit")
    if before is None:
        _dated(state, party, read, place)
    elif before.countersigned or not countersigned or before.revoked:
        raise RemoteError("this certificate is in the directory already", code="duplicate")
    delay = 0 if countersigned else state.charter.parameters.node_delay
    start = max(read.valid[0], place.logged_at + delay)
    if isinstance(read, NodeCertificate):
        node = Certified(read, place, start, authority.key_id, found.digest, countersigned=countersigned)
        return _add_node(state, party, node), _node_claims(read)
    officer = Certified(read, place, start, authority.key_id, found.digest, countersigned=countersigned)
    return _add_officer(state, party, officer), ((read.key, f"officer {read.name}"),)


def _room(party: Party, name: str) -> None:
    """A hostile member cannot make everybody's directory grow without end."""
    names = party.nodes.keys() | party.officers.keys() | party.revocations.keys()
    if name not in names and len(names) >= NAMES_MAX:
        raise RemoteError(f"{name} would be name number {NAMES_MAX + 1} of its member", code="limit")


def _same(party: Party, found: UnverifiedObject, read: Certificate) -> Fact | None:
    """The fact this very statement made before: it may come again once, with the countersignature it lacked."""
    return next((fact for fact in _facts(party, read.name) if fact.statement == found.digest), None)


def _facts(party: Party, name: str) -> tuple[Fact, ...]:
    return (*party.nodes.get(name, ()), *party.officers.get(name, ()))


def _node_claims(read: NodeCertificate) -> Claims:
    return (read.signing, f"signing {read.name}"), *((key, f"witness {read.name}") for key in read.witness)


def _countersigned(party: Party, found: UnverifiedObject, authority: PublicKey, place: Place) -> bool:
    """Whether an active node of the same member has signed too; any other signature is refused."""
    others = found.signatures.keys() - {authority.key_id}
    if not others:
        return False
    for facts in party.nodes.values():
        fact = current(facts, place.logged_at)
        if fact is not None and fact.certificate.signing.key_id in others:
            found.only(authority.key_id, fact.certificate.signing.key_id)
            found.verify(fact.certificate.signing, place.framework_id)
            return True
    raise RemoteError("countersigned by a key that is no active node of this member", code="unsigned")


def _dated(state: State, party: Party, read: Certificate, place: Place) -> None:
    if read.valid[1] <= place.logged_at:
        raise RemoteError("the certificate had ended when it was logged", code="expired")
    not_ahead(state, read.issued, place)
    # Else a relay could keep an old certificate back and log it after the one, or the revocation, that followed it.
    newer = any(fact.certificate.issued > read.issued for fact in _facts(party, read.name) if not fact.first)
    ended = any(item.revocation.issued >= read.issued for item in party.revocations.get(read.name, ()))
    if newer or ended:
        raise RemoteError(f"issued before what the directory already knows of {read.name}", code="issued")


def not_ahead(state: State, issued: int, place: Place) -> None:
    if issued > place.logged_at + state.charter.parameters.skew:
        raise RemoteError("dated in the future", code="issued")


def _add_node(state: State, party: Party, fact: NodeFact) -> State:
    name, most = fact.certificate.name, state.charter.parameters.nodes_max
    if name in party.officers:
        raise RemoteError(f"{name} is an officer", code="name")
    if len(party.live_nodes(fact.place.logged_at) | {name}) > most:
        raise RemoteError(f"{fact.certificate.member} would have more than {most} nodes", code="limit")
    nodes = {**party.nodes, name: (*_others(party.nodes.get(name, ()), fact), fact)}
    return state.with_party(fact.certificate.member, replace(party, nodes=nodes))


def _add_officer(state: State, party: Party, fact: OfficerFact) -> State:
    name = fact.certificate.name
    if name in party.nodes:
        raise RemoteError(f"{name} is a node", code="name")
    if len(party.live_officers(fact.place.logged_at) | {name}) > OFFICERS_MAX:
        raise RemoteError(f"{fact.certificate.member} would have more than {OFFICERS_MAX} officers", code="limit")
    officers = {**party.officers, name: (*_others(party.officers.get(name, ()), fact), fact)}
    return state.with_party(fact.certificate.member, replace(party, officers=officers))


def _others(facts: tuple[Certified[C], ...], new: Certified[C]) -> tuple[Certified[C], ...]:
    return tuple(fact for fact in facts if fact.statement != new.statement)


def signed_by_own(state: State, found: UnverifiedObject, code: str, framework_id: bytes) -> By:
    """Which of the member's own two keys signed this restrictive act. Nobody else's signature will do."""
    member = party_of(state, code)
    authority = state.version.authority(code)
    if member.duty is not None and authority.key_id not in found.signatures:
        duty = state.version.ring[member.duty]
        found.only(duty.key_id)
        found.verify(duty, framework_id)
        return "duty"
    found.only(authority.key_id)
    found.verify(authority, framework_id)
    return "authority"


def revocation(state: State, found: UnverifiedObject, place: Place) -> tuple[State, Claims]:
    read = read_revocation(found.content)
    by = signed_by_own(state, found, read.member, place.framework_id)
    not_ahead(state, read.issued, place)
    party, skew = state.party(read.member), state.charter.parameters.skew
    fact = Revoked(read, place, by, confirmed=by == "authority")
    before = party.revocations.get(read.name, ())
    confirms = by == "authority" and any(not item.confirmed for item in before)
    if not before:
        _room(party, read.name)
    elif not confirms and (any(item.revocation == read for item in before) or not _ends(party, read, skew)):
        raise RemoteError("this revocation ends nothing that is not ended already", code="duplicate")
    if by == "authority":
        before = tuple(replace(item, confirmed=True) for item in before)
    party = replace(party, revocations={**party.revocations, read.name: (*before, fact)})
    return state.with_party(read.member, _end(party, read, skew)), ()


def _ends(party: Party, read: Revocation, skew: int) -> bool:
    return any(not f.revoked and f.certificate.issued <= read.issued + skew for f in _facts(party, read.name))


def _end(party: Party, read: Revocation, skew: int) -> Party:
    """Every certificate issued up to then ends; one issued later replaces what was revoked, and a revocation that a
    relay kept back cannot reach it. SKEW: two clocks of one ministry, or a thief who dates his certificate ahead."""
    until = read.issued + skew
    if read.subject == "node" and read.name in party.nodes:
        nodes = tuple(_ended(fact, until) for fact in party.nodes[read.name])
        return replace(party, nodes={**party.nodes, read.name: nodes})
    if read.subject == "officer" and read.name in party.officers:
        officers = tuple(_ended(fact, until) for fact in party.officers[read.name])
        return replace(party, officers={**party.officers, read.name: officers})
    return party  # an empty list of facts would take the name away from the other kind


def _ended(fact: Certified[C], until: int) -> Certified[C]:
    return replace(fact, revoked=True) if fact.certificate.issued <= until else fact


def agreement(state: State, found: UnverifiedObject, place: Place) -> tuple[State, Claims]:
    read = read_agreement(found.content)
    may_add(state, place)
    keys = [state.version.authority(party_of(state, code).code) for code in read.parties]
    found.only(*(key.key_id for key in keys))
    for key in keys:
        found.verify(key, place.framework_id)
    not_ahead(state, read.issued, place)
    before = state.agreements.get(read.id)
    if before is not None and (before.agreement.parties != read.parties or before.agreement.issued >= read.issued):
        raise RemoteError(f"agreement {read.id} is another one, or a newer one, already", code="issued")
    if len(state.agreements) >= AGREEMENTS_MAX and before is None:
        raise RemoteError(f"{AGREEMENTS_MAX} agreements are in force already", code="limit")
    held = Agreed(read, agreement_rows(state, read), place)
    return replace(state, agreements={**state.agreements, read.id: held}), ()


def restriction(state: State, found: UnverifiedObject, place: Place) -> tuple[State, Claims]:
    read = read_restriction(found.content)
    by = signed_by_own(state, found, read.member, place.framework_id)
    not_ahead(state, read.issued, place)
    party = state.party(read.member)
    _may_replace(party, read, by)
    rows = restriction_rows(state, read)
    fact = Restricted(read, rows, place, by, confirmed=by == "authority")
    return state.with_party(read.member, replace(party, restrictions={**party.restrictions, read.id: fact})), ()


def _may_replace(party: Party, read: Restriction, by: By) -> None:
    before = party.restrictions.get(read.id)
    if before is None:
        if len(party.restrictions) >= RESTRICTIONS_MAX:
            raise RemoteError(f"{read.member} has {RESTRICTIONS_MAX} restrictions already", code="limit")
        return
    if by == "duty":
        # Replacing may widen; a duty key can only narrow.
        raise RemoteError("a duty key adds restrictions; only the authority changes or lifts one", code="duty")
    if before.restriction == read and not before.confirmed:
        return  # the authority signs what its duty key has done
    if before.restriction.issued >= read.issued:
        raise RemoteError(f"restriction {read.id} is newer already", code="issued")
