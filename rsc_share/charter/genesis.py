"""The fold's step for charters: version 1 begins a directory, every later one re-bases what the members have put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rsc_share.charter.amendment import Bodies, body, check_succession, read_reference, read_version
from rsc_share.charter.certificate import NodeCertificate
from rsc_share.charter.consistency import keys_of
from rsc_share.charter.facts import C, Certified, NodeFact, Party, Place, State
from rsc_share.charter.fold import Claims
from rsc_share.charter.model import NodeSpec
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.quorum import Version, check_quorum
from rsc_share.codec import INT_MAX
from rsc_share.errors import Misbehaviour, RemoteError
from rsc_share.policy.bundle import Bundle


def begin(found: UnverifiedObject, place: Place, bodies: Bodies) -> tuple[State, Claims]:
    """Index 0: charter version 1, signed by all founders; the caller has pinned its digest."""
    reference = read_reference(found)
    if reference.text != place.framework_id or reference.version != 1:
        raise RemoteError("the directory does not begin with the pinned charter", code="wrong-charter")
    version, signatures = read_version(reference, bodies)
    check_quorum(None, version, None, signatures)
    bundle = _enters(None, version, place, bodies)
    parties = {code: _rebase(Party(), None, version, code, place) for code in version.charter.members}
    return State(version, bundle, place.index, place.index, parties), _claims(version)


def amend(state: State, found: UnverifiedObject, place: Place, bodies: Bodies) -> tuple[State, Claims]:
    """Version N+1. Members that are gone take their certificates with them; agreements of theirs lapse."""
    version, signatures = read_version(read_reference(found), bodies)
    check_succession(state.version, version, place.framework_id, signatures)
    bundle = _enters(state, version, place, bodies)
    old = state.version
    parties = {code: _rebase(state.party(code), old, version, code, place) for code in version.charter.members}
    for code in state.parties.keys() - parties.keys():
        # What a member forbade about its own material stays forbidden when it has left.
        parties[code] = Party(restrictions=state.parties[code].restrictions)
    agreements = {
        key: held
        for key, held in state.agreements.items()
        if set(held.agreement.parties) <= version.charter.members.keys()
    }
    return State(version, bundle, place.index, place.index, parties, agreements), _claims(version)


def check_fork(states: Sequence[State], found: UnverifiedObject, place: Place, bodies: Bodies) -> None:
    """Raise `Misbehaviour` if this is another version N with a quorum: somebody signed both, and both are proof."""
    version = read_reference(found).version
    position = next((i for i, state in enumerate(states) if state.charter.version == version), 0)
    if position == 0 or states[position].charter.digest == read_reference(found).text:
        return
    before = states[position - 1]
    other, signatures = read_version(read_reference(found), bodies)
    check_succession(before.version, other, place.framework_id, signatures)
    raise Misbehaviour(
        f"there are two versions {version} of the charter, and both have a quorum",
        code="charter-fork",
        digests=(states[position].charter.digest, other.charter.digest),
    )


def _enters(state: State | None, version: Version, place: Place, bodies: Bodies) -> Bundle:
    """A charter is in force from its entry on, so it is logged on a day that is its own. Returns its policy."""
    charter = version.charter
    if not charter.in_force(place.logged_at):
        raise RemoteError("a charter is logged on one of its valid days", code="not-in-force")
    if state is not None and state.charter.policy == charter.policy:
        return state.bundle
    return Bundle.unpack(body(bodies, charter.policy, "policy bundle"))


def _claims(version: Version) -> Claims:
    return tuple((version.ring[fingerprint], owner) for fingerprint, owner in keys_of(version.charter))


def _rebase(party: Party, old: Version | None, new: Version, code: str, place: Place) -> Party:
    """What a member has in the directory, under the charter's new version."""
    listed = new.charter.members[code].nodes
    same_authority = old is not None and code in old.charter.members and old.authority(code) == new.authority(code)
    nodes = {name: _kept(facts, listed.get(name), same_authority, place) for name, facts in party.nodes.items()}
    for name, spec in listed.items():
        facts = nodes.get(name, ())
        if not any(fact.first and _matches(fact.certificate, spec) for fact in facts):
            nodes[name] = (*facts, _first(party.nodes.get(name, ()), spec, new, place))
    officers = {name: _standing(facts, same_authority, place) for name, facts in party.officers.items()}
    return replace(
        party,
        nodes={name: facts for name, facts in nodes.items() if facts},
        officers={name: facts for name, facts in officers.items() if facts},
    )


def _kept(
    facts: tuple[NodeFact, ...], spec: NodeSpec | None, same_authority: bool, place: Place
) -> tuple[NodeFact, ...]:
    named = [fact for fact in facts if fact.first and spec is not None and _matches(fact.certificate, spec)]
    standing = _standing(tuple(fact for fact in facts if not fact.first), same_authority, place)
    dead = [fact for fact in facts if fact.first and fact.revoked and fact not in named]
    kept = {id(fact) for fact in (*named, *standing, *dead)}
    return tuple(fact for fact in facts if id(fact) in kept)


def _standing(facts: tuple[Certified[C], ...], same_authority: bool, place: Place) -> tuple[Certified[C], ...]:
    """With a new authority key, what the old one certified and waits still lapses: the old key may be a thief's."""
    return tuple(f for f in facts if same_authority or f.revoked or f.active_from <= place.logged_at)


def _matches(certificate: NodeCertificate, spec: NodeSpec) -> bool:
    witness = (certificate.witness[0].fingerprint, certificate.witness[1].fingerprint)
    return (
        certificate.signing.fingerprint == spec.signing
        and witness == spec.witness
        and certificate.realms == spec.realms
        and certificate.role == spec.role
        and certificate.accreditation == spec.accreditation
    )


def _first(facts: tuple[NodeFact, ...], spec: NodeSpec, new: Version, place: Place) -> NodeFact:
    """A node the charter names: active at once, for as long as the charter names it, unless its key was revoked."""
    ring = new.ring
    certificate = NodeCertificate(
        name=spec.name,
        signing=ring[spec.signing],
        witness=(ring[spec.witness[0]], ring[spec.witness[1]]),
        realms=spec.realms,
        accreditation=spec.accreditation,
        role=spec.role,
        valid=(place.logged_at, INT_MAX),
        issued=place.logged_at,
    )
    revoked = any(fact.revoked and fact.certificate.signing == certificate.signing for fact in facts)
    by = new.authority(certificate.member).key_id
    return Certified(certificate, place, place.logged_at, by, first=True, revoked=revoked)
