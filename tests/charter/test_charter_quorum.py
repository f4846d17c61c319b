"""Amendments: who must sign, what a few cannot do, and what the next version may not touch."""

from __future__ import annotations

import hashlib

import pytest
from charter_world import (
    BEGIN,
    DAY,
    RELAY,
    STATES,
    World,
    authority,
    charter_values,
    first_node,
    key,
    member,
    parsed,
    relay,
    ring_for,
    signed,
    signing,
)

from rsc_share.charter.amendment import body_digests, charter_object
from rsc_share.charter.compose import channel, next_charter
from rsc_share.charter.directory import Directory
from rsc_share.charter.keyring import KeyRing
from rsc_share.charter.model import Closed, Fraction
from rsc_share.charter.quorum import Version, pack_signatures, sign_charter, tally
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.errors import LocalError, Misbehaviour, Refused, RemoteError
from rsc_share.value import replace


@pytest.fixture
def world() -> World:
    return World()


def refused(code: str):
    return pytest.raises((RemoteError, Refused), check=lambda error: error.code == code)


def begin(charter, *signers, pinned=None, logged_at=BEGIN, ring=None) -> Directory:
    directory = Directory.begin(pinned or charter.digest)
    data, bodies = signed(charter, None, *signers, ring=ring)
    directory.apply(data, logged_at, bodies)
    return directory


def test_version_1_needs_every_founder() -> None:
    charter = parsed(charter_values())
    everyone = [authority(code) for code in STATES]
    assert begin(charter, *everyone).size == 1
    with refused("quorum"):
        begin(charter, *everyone[:-1])


def test_only_the_pinned_charter_begins_a_directory() -> None:
    charter = parsed(charter_values())
    with refused("wrong-charter"):
        begin(charter, *(authority(code) for code in STATES), pinned=bytes(32))


def test_version_1_is_logged_on_one_of_its_days() -> None:
    charter = parsed(charter_values())
    everyone = [authority(code) for code in STATES]
    for time in (charter.valid[0] - 1, charter.valid[1]):
        with refused("not-in-force"):
            begin(charter, *everyone, logged_at=time)


def test_directory_begins_with_a_charter(world: World) -> None:
    with refused("wrong-charter"):
        Directory.begin(world.id).apply(world.revoke("EST/mod-1"), world.now)
    with refused("wrong-charter"):
        Directory.begin(world.id).apply(world.prekey("EST/mod-1"), world.now)
    with pytest.raises(LocalError):
        Directory.begin(world.id).void(world.now, "malformed")


def test_two_thirds_amend(world: World) -> None:
    world.amend("EST", "FIN", "LTU", "LVA", members=world.with_member("SWE", suspended=True))
    assert world.view.charter.version == 2
    with refused("suspended"):
        world.view.sender("SWE/mod-1", world.now)
    assert "SWE/mod-1" not in world.view.active_nodes("ct", world.now)


def test_too_few_cannot_amend(world: World) -> None:
    with refused("quorum"):
        world.amend("EST", "FIN", "LTU", members=world.with_member("SWE", suspended=True))


def test_suspended_minority_cannot_be_used_to_shrink_n(world: World) -> None:
    world.amend("EST", "FIN", "LTU", "LVA", members=world.with_member("SWE", suspended=True))
    with refused("quorum"):
        world.amend("EST", "FIN", "LTU", quorum_remove=Fraction(1, 1))


def test_suspended_member_does_not_count_as_a_signer(world: World) -> None:
    world.amend("EST", "FIN", "LTU", "LVA", members=world.with_member("SWE", suspended=True))
    with refused("quorum"):
        world.amend("EST", "FIN", "LTU", "SWE", quorum_remove=Fraction(1, 1))


def test_removing_a_member_needs_quorum_remove() -> None:
    world = World(quorum=Fraction(3, 5))
    rest = {code: m for code, m in world.charter.members.items() if code != "LVA"}
    with refused("quorum"):
        world.amend("EST", "FIN", "SWE", members=rest)
    world.amend("EST", "FIN", "LTU", "SWE", members=rest)
    with refused("unknown-sender"):
        world.view.sender("LVA/mod-1", world.now)
    assert "LVA" not in world.view.witnesses(world.now)


def test_demoting_a_member_is_removing_it() -> None:
    world = World(quorum=Fraction(3, 5))
    with refused("quorum"):
        world.amend("EST", "FIN", "SWE", members=world.with_member("LVA", role="observer"))


def test_quorum_remove_cannot_be_lowered_by_a_mere_quorum() -> None:
    world = World(quorum=Fraction(3, 5))
    with refused("quorum"):
        world.amend("EST", "FIN", "SWE", quorum_remove=Fraction(3, 5))


def test_new_quorum_must_be_met_by_the_new_version_too(world: World) -> None:
    with refused("quorum"):
        world.amend("EST", "FIN", "LTU", "LVA", quorum=Fraction(1, 1), quorum_remove=Fraction(1, 1))


def test_joiner_signs_its_own_admission(world: World) -> None:
    members = {**world.charter.members, "NOR": member("NOR")}
    with refused("quorum"):
        world.amend(*STATES, members=members)
    world.amend(*STATES, "NOR", members=members)
    assert world.view.is_active("NOR/mod-1", world.now)


def test_quorum_cannot_name_a_node_for_a_state_that_did_not_sign(world: World) -> None:
    nodes = {**world.charter.members["LVA"].nodes, "LVA/mod-2": first_node("LVA", "mod-2")}
    with refused("quorum"):
        world.amend("EST", "FIN", "LTU", "SWE", members=world.with_member("LVA", nodes=nodes))
    world.amend("EST", "FIN", "LVA", "SWE", members=world.with_member("LVA", nodes=nodes))
    assert world.view.is_active("LVA/mod-2", world.now)


def test_exchanged_authority_needs_the_new_key_and_the_old_one_or_quorum_remove() -> None:
    world = World(quorum=Fraction(3, 5))
    new = key("LVA second authority", Suite.HYBRID)
    members = world.with_member("LVA", authority=new.public.fingerprint)
    ring = ring_for(parsed(next_charter(world.charter, members=members)), new)
    with refused("quorum"):
        world.log(*world.amendment("EST", "FIN", "SWE", members=members, ring=ring))
    with refused("quorum"):
        world.log(*world.amendment("EST", "FIN", "SWE", extra=(new,), members=members, ring=ring))
    world.log(*world.amendment("EST", "FIN", "LVA", extra=(new,), members=members, ring=ring))
    assert world.view.is_active("LVA/mod-1", world.now)


def test_what_a_stolen_authority_certified_lapses_with_it(world: World) -> None:
    world.log(world.certify(world.node("LVA/mod-2")))
    new = key("LVA second authority", Suite.HYBRID)
    members = world.with_member("LVA", authority=new.public.fingerprint)
    ring = ring_for(parsed(next_charter(world.charter, members=members)), new)
    world.log(*world.amendment(*STATES, extra=(new,), members=members, ring=ring))
    assert not world.view.is_active("LVA/mod-2", world.now + 2 * DAY)


def test_charter_cannot_bring_a_revoked_key_back(world: World) -> None:
    world.log(world.revoke("LVA/mod-1"))
    world.amend(*STATES, quorum_remove=Fraction(1, 1))
    assert not world.view.is_active("LVA/mod-1", world.now)
    nodes = {"LVA/mod-1": replace(first_node("LVA"), accreditation={})}
    world.amend(*STATES, members=world.with_member("LVA", nodes=nodes))
    with refused("revoked"):
        world.view.sender("LVA/mod-1", world.now)


def test_removed_member_takes_its_certificates_with_it(world: World) -> None:
    world.log(world.certify(world.node("LVA/mod-2"), signing("LVA/mod-1")))
    rest = {code: m for code, m in world.charter.members.items() if code != "LVA"}
    lva = world.charter.members["LVA"]
    world.amend("EST", "FIN", "LTU", "SWE", members=rest)
    world.amend(*STATES, members={**rest, "LVA": lva})
    assert world.view.is_active("LVA/mod-1", world.now)
    assert not world.view.is_active("LVA/mod-2", world.now + DAY)


def test_version_3_does_not_follow_version_1(world: World) -> None:
    third = parsed(next_charter(replace(world.charter, version=2)))
    with refused("version"):
        world.log(*signed(third, world.id, *(authority(code) for code in STATES)))


def test_forged_previous_digest(world: World) -> None:
    second = parsed(replace(next_charter(world.charter), previous=bytes(32)))
    with refused("previous"):
        world.log(*signed(second, world.id, *(authority(code) for code in STATES)))


def test_old_version_cannot_be_logged_again(world: World) -> None:
    world.amend(*STATES, quorum_remove=Fraction(1, 1))
    data, _, bodies = world.objects[0]
    with refused("version"):
        world.log(data, bodies)


def test_two_second_versions_with_a_quorum_are_proof(world: World) -> None:
    other = world.amendment("EST", "FIN", "LTU", "LVA", witness_quorum=4)
    world.amend("EST", "FIN", "LTU", "SWE", quorum_remove=Fraction(1, 1))
    with pytest.raises(Misbehaviour) as caught:
        world.log(*other)
    assert caught.value.code == "charter-fork"


def test_signatures_of_another_version_do_not_carry_over(world: World) -> None:
    world.amendment(*STATES, witness_quorum=4)
    mine = {authority(c).public.key_id: sign_charter(world.proposed.text, world.id, authority(c)) for c in STATES}
    charter = parsed(next_charter(world.charter, quorum_remove=Fraction(1, 1)))
    keys, signatures = ring_for(charter).pack(), pack_signatures(mine)
    bodies = {hashlib.sha256(b).digest(): b for b in (charter.text, keys, signatures)}
    with refused("bad-signature"):
        world.log(charter_object(charter, keys, signatures), bodies)


def test_version_1_signatures_do_not_amend(world: World) -> None:
    """Signed bytes of version 1 carry a zero framework id; those of later ones carry the framework's."""
    charter = parsed(next_charter(world.charter))
    with refused("bad-signature"):
        world.log(*signed(charter, None, *(authority(code) for code in STATES)))


def test_stripped_hybrid_signature_is_none(world: World) -> None:
    charter = parsed(next_charter(world.charter))
    keys = ring_for(charter).pack()
    full = {authority(c).public.key_id: sign_charter(charter.text, world.id, authority(c)) for c in STATES}
    victim = authority("EST").public.key_id
    for half in (full[victim][:64], full[victim][:64] + bytes(3309), bytes(64) + full[victim][64:]):
        signatures = pack_signatures({**full, victim: half})
        bodies = {hashlib.sha256(b).digest(): b for b in (charter.text, keys, signatures)}
        with refused("bad-signature"):
            world.log(charter_object(charter, keys, signatures), bodies)


def test_half_of_an_authority_does_not_sign_for_it(world: World) -> None:
    charter = parsed(next_charter(world.charter))
    half = type(authority("EST"))(Suite.ED25519, authority("EST").secret()[:32])
    assert half.public == PublicKey(Suite.ED25519, authority("EST").public.raw[:32])
    with refused("quorum"):
        world.log(*signed(charter, world.id, half, *(authority(c) for c in STATES[1:])))


def test_signature_of_a_stranger_is_refused(world: World) -> None:
    charter = parsed(next_charter(world.charter))
    with refused("quorum"):
        world.log(*signed(charter, world.id, authority("NOR"), *(authority(c) for c in STATES)))


@pytest.mark.parametrize("missing", ["text", "keys", "signatures"])
def test_body_missing_is_no_verdict(world: World, missing: str) -> None:
    data, bodies = world.amendment(*STATES, witness_quorum=4)
    at = ("text", "keys", "signatures").index(missing)
    gone = body_digests(data)[at]
    with refused("body-missing"):
        world.log(data, {digest: item for digest, item in bodies.items() if digest != gone})
    with refused("body-mismatch"):
        world.log(data, {**bodies, gone: b"other"})
    world.log(data, bodies)


def test_policy_body_is_asked_for(world: World) -> None:
    data, bodies = world.amendment(*STATES, policy=bytes(32))
    assert len(body_digests(data)) == 3
    assert body_digests(data, bodies)[3] == bytes(32)
    with refused("body-missing"):
        world.log(data, bodies)
    assert body_digests(world.prekey("EST/mod-1")) == ()


def test_bundle_that_does_not_parse_is_no_policy(world: World) -> None:
    bad = b"\x80"
    digest = hashlib.sha256(bad).digest()
    data, bodies = world.amendment(*STATES, policy=digest)
    with pytest.raises(RemoteError):
        world.log(data, {**bodies, digest: bad})
    assert world.view.charter.version == 1


def test_keys_with_a_stranger_among_them(world: World) -> None:
    charter = parsed(next_charter(world.charter))
    ring = KeyRing.of([*ring_for(charter).keys.values(), authority("NOR").public])
    with refused("keys"):
        world.log(*signed(charter, world.id, *(authority(c) for c in STATES), ring=ring))


def test_key_of_a_certified_node_cannot_become_an_authority_or_a_log_key(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2")))
    members = world.with_member("FIN", duty=signing("EST/mod-2").public.fingerprint)
    with refused("key-reuse"):
        world.amend(*STATES, members=members)


def test_log_key_of_a_relay_cannot_change_under_its_name(world: World) -> None:
    other = replace(relay("second.example"), host=RELAY)
    with refused("log-keys"):
        world.amend(*STATES, relays={RELAY: other})


def test_exercise_cannot_become_real(world: World) -> None:
    real = {"ct": replace(world.charter.channels["ct"], realm="exercise")}
    with refused("realm"):
        world.amend(*STATES, channels=real)


def test_log_does_not_disappear_without_its_final_size_and_root(world: World) -> None:
    with refused("closed"):
        world.amend(*STATES, channels={})
    closed = Closed(f"{RELAY}/regional/ct", 41, bytes(32))
    world.amend(*STATES, channels={}, closed=(closed,))
    assert world.view.log(closed.log) is None
    assert world.view.closed(closed.log) == closed
    with refused("closed"):
        world.amend(*STATES, closed=())
    with refused("closed"):
        world.amend(*STATES, closed=(replace(closed, size=42),))


def test_channel_moves_to_another_relay(world: World) -> None:
    second = relay("second.example", "FIN")
    closed = Closed(f"{RELAY}/regional/ct", 41, bytes(32))
    world.amend(
        *STATES,
        relays={RELAY: relay(), "second.example": second},
        channels={"ct": channel("ct", "second.example", ["@members"])},
        closed=(closed,),
    )
    assert world.view.log("second.example/regional/ct").operator == "FIN"
    assert "FIN" not in world.view.witnesses(world.now, "second.example/regional/ct")
    assert "SWE" in world.view.witnesses(world.now, "second.example/regional/ct")


def test_tally_says_who_is_missing(world: World) -> None:
    members = {**world.charter.members, "NOR": member("NOR")}
    charter = parsed(next_charter(world.charter, members=members))
    old = Version(world.charter, ring_for(world.charter))
    found = tally(old, Version(charter, ring_for(charter)), world.id, {})
    assert found.missing == ("NOR",)
    assert (found.old, found.new, found.complete) == ((0, 4), (0, 4), False)


def test_relay_operator_and_suspended_members_do_not_witness(world: World) -> None:
    assert sorted(world.view.witnesses(world.now)) == ["EST", "FIN", "LTU", "LVA"]
    world.amend("EST", "FIN", "LTU", "SWE", members=world.with_member("LVA", suspended=True))
    assert sorted(world.view.witnesses(world.now)) == ["EST", "FIN", "LTU"]
    [held] = world.view.witnesses(world.now)["EST"]
    assert held.name == "regional/EST/mod-1"
