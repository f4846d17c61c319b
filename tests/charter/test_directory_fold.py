"""The directory as a fold: what each object changes, when, and what it cannot."""

from __future__ import annotations

import pytest
from charter_world import DAY, END, HOUR, LOG, MINUTE, STATES, T0, World, authority, duty, key, member, signing

from rsc_share.errors import LocalError, Refused, RemoteError


@pytest.fixture
def world() -> World:
    return World()


def refused(code: str):
    return pytest.raises((RemoteError, Refused), match=None, check=lambda error: error.code == code)


def test_first_nodes_are_active_at_once(world: World) -> None:
    assert world.view.active_nodes("ct", world.now) == tuple(f"{code}/mod-1" for code in STATES)
    assert world.view.active_nodes(LOG, world.now) == world.view.active_nodes("ct", world.now)
    assert world.view.sender("EST/mod-1", world.now, LOG, "message").signing == signing("EST/mod-1").public
    assert world.view.log(LOG).operator == "SWE"


def test_new_certificate_waits_node_delay(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2")))
    logged = world.now
    assert not world.view.is_active("EST/mod-2", logged + DAY - 1)
    assert world.view.is_active("EST/mod-2", logged + DAY)
    with refused("unknown-sender"):
        world.view.sender("EST/mod-2", logged)


def test_countersigned_certificate_is_active_at_once(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2"), signing("EST/mod-1")))
    assert world.view.is_active("EST/mod-2", world.now)


def test_countersignature_may_come_later(world: World) -> None:
    certificate = world.node("EST/mod-2")
    world.log(world.certify(certificate))
    before = world.directory.size
    world.log(world.certify(certificate, signing("EST/mod-1")))
    assert world.view.is_active("EST/mod-2", world.now)
    assert not world.directory.at(before).is_active("EST/mod-2", world.now)
    with refused("duplicate"):
        world.log(world.certify(certificate, signing("EST/mod-1")))


def test_thief_cannot_countersign_with_the_node_he_just_certified(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2")))
    with refused("unsigned"):
        world.log(world.certify(world.node("EST/mod-3"), signing("EST/mod-2")))


def test_neighbour_cannot_countersign(world: World) -> None:
    with refused("unsigned"):
        world.log(world.certify(world.node("EST/mod-2"), signing("FIN/mod-1")))


def test_state_cannot_add_a_node_for_its_neighbour(world: World) -> None:
    with refused("unsigned"):
        world.log(world.certify(world.node("FIN/mod-2"), by=authority("EST")))


def test_duty_key_cannot_certify(world: World) -> None:
    with refused("unsigned"):
        world.log(world.certify(world.node("EST/mod-2"), by=duty("EST")))


def test_relay_cannot_log_a_kept_back_certificate_after_the_revocation(world: World) -> None:
    kept_back = world.certify(world.node("EST/mod-2"))
    world.log(world.certify(world.node("EST/mod-2", issued=world.now + 5)))
    world.log(world.revoke("EST/mod-2"))
    with refused("issued"):
        world.log(kept_back)


def test_revocation_bites_at_its_index(world: World) -> None:
    before = world.directory.size
    world.log(world.revoke("EST/mod-1"))
    assert world.directory.at(before).is_active("EST/mod-1", world.now)
    assert not world.view.is_active("EST/mod-1", world.now)
    with refused("revoked"):
        world.view.sender("EST/mod-1", world.now)
    assert "EST/mod-1" not in world.view.active_nodes("ct", world.now)


def test_duty_key_revokes_its_own_node(world: World) -> None:
    world.log(world.revoke("EST/mod-1", by=duty("EST")))
    assert not world.view.is_active("EST/mod-1", world.now)
    assert world.view.unconfirmed(world.now + 72 * HOUR) == ()
    late = world.view.unconfirmed(world.now + 72 * HOUR + 1)
    assert [act.revocation.name for act in late] == ["EST/mod-1"]
    assert not world.view.is_active("EST/mod-1", world.now + 73 * HOUR), "it stays in force, flagged"
    world.log(world.revoke("EST/mod-1"))
    assert world.view.unconfirmed(world.now + 100 * HOUR) == ()


def test_duty_key_cannot_revoke_a_neighbour(world: World) -> None:
    with refused("unsigned"):
        world.log(world.revoke("FIN/mod-1", by=duty("EST")))


def test_authority_cannot_revoke_a_neighbour(world: World) -> None:
    with refused("unsigned"):
        world.log(world.revoke("FIN/mod-1", by=authority("EST")))


def test_revoked_node_comes_back_under_a_newer_certificate_only(world: World) -> None:
    world.log(world.revoke("EST/mod-1"))
    world.log(world.certify(world.node("EST/mod-1", signing=key("fresh").public, issued=world.now + 1)))
    assert not world.view.is_active("EST/mod-1", world.now)
    assert world.view.is_active("EST/mod-1", world.now + DAY)


def test_old_revocation_cannot_be_replayed_against_the_new_certificate(world: World) -> None:
    old = world.revoke("EST/mod-1")
    world.log(old)
    world.now += HOUR
    world.log(world.certify(world.node("EST/mod-1", signing=key("fresh").public)))
    with refused("duplicate"):
        world.log(old)
    assert world.view.is_active("EST/mod-1", world.now + DAY)


def test_member_has_at_most_eight_nodes(world: World) -> None:
    for n in range(2, 9):
        world.log(world.certify(world.node(f"EST/mod-{n}")))
    with refused("limit"):
        world.log(world.certify(world.node("EST/mod-9")))
    world.log(world.revoke("EST/mod-2"))
    world.log(world.certify(world.node("EST/mod-9")))


def test_renewal_takes_over_when_its_delay_is_over(world: World) -> None:
    fresh = key("renewed").public
    world.log(world.certify(world.node("EST/mod-1", signing=fresh)))
    assert world.view.sender("EST/mod-1", world.now).signing == signing("EST/mod-1").public
    assert world.view.sender("EST/mod-1", world.now + DAY).signing == fresh


def test_certificate_ends(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2", valid=(world.now, world.now + 2 * DAY))))
    assert world.view.is_active("EST/mod-2", world.now + DAY)
    assert not world.view.is_active("EST/mod-2", world.now + 2 * DAY)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"valid": (T0 - DAY, T0)}, "expired"), ({"issued": T0 + HOUR}, "issued")],
)
def test_certificate_out_of_its_time(world: World, changes: dict, code: str) -> None:
    with refused(code):
        world.log(world.certify(world.node("EST/mod-2", **changes)))


def test_key_of_a_neighbour_cannot_be_certified_as_mine(world: World) -> None:
    with refused("key-reuse"):
        world.log(world.certify(world.node("EST/mod-2", signing=signing("FIN/mod-1").public)))


def test_half_of_an_authority_key_is_taken(world: World) -> None:
    half = type(authority("FIN").public)(1, authority("FIN").public.raw[:32])
    with refused("key-reuse"):
        world.log(world.certify(world.officer("EST/duty-1", key=half)))


def test_node_key_is_no_officer_key(world: World) -> None:
    with refused("key-reuse"):
        world.log(world.certify(world.officer("EST/duty-1", key=signing("EST/mod-1").public)))


def test_name_is_a_node_or_an_officer(world: World) -> None:
    with refused("name"):
        world.log(world.certify(world.officer("EST/mod-1")))
    world.log(world.certify(world.officer("EST/duty-1")))
    with refused("name"):
        world.log(world.certify(world.node("EST/duty-1")))


def test_stranger_certifies_nothing(world: World) -> None:
    with refused("unknown-member"):
        world.log(world.certify(world.node("NOR/mod-1")))
    with refused("unknown-sender"):
        world.view.sender("NOR/mod-1", world.now)


def test_revocation_of_a_name_nobody_knows_keeps_older_certificates_out(world: World) -> None:
    """A relay that kept the certificate back cannot log it after the revocation."""
    kept_back = world.certify(world.node("EST/mod-2"))
    world.log(world.revoke("EST/mod-2"))
    with refused("issued"):
        world.log(kept_back)


def test_revocation_of_the_other_subject_takes_no_name_away(world: World) -> None:
    """A duty key could else keep an officer from ever being certified again."""
    world.log(world.revoke("EST/mod-2", subject="officer"))
    world.now += HOUR
    world.log(world.certify(world.node("EST/mod-2"), signing("EST/mod-1")))
    assert world.view.is_active("EST/mod-2", world.now)


def test_officer_of_a_suspended_member_signs_nothing(world: World) -> None:
    world.log(world.certify(world.officer("EST/duty-1"), signing("EST/mod-1")))
    world.amend("FIN", "LTU", "LVA", "SWE", members=world.with_member("EST", suspended=True))
    with refused("suspended"):
        world.view.officer(key("EST/duty-1").public.key_id, world.now)


def test_officer_waits_node_delay_too(world: World) -> None:
    world.log(world.certify(world.officer("EST/duty-1")))
    with refused("unknown-officer"):
        world.view.officer(key("EST/duty-1").public.key_id, world.now)
    assert world.view.officer(key("EST/duty-1").public.key_id, world.now + DAY)


def test_officer_signs_with_the_powers_given(world: World) -> None:
    world.log(world.certify(world.officer("EST/duty-1"), signing("EST/mod-1")))
    key_id = key("EST/duty-1").public.key_id
    assert world.view.officer(key_id, world.now, "approve").name == "EST/duty-1"
    with refused("role"):
        world.view.officer(key_id, world.now, "judge")
    with refused("unknown-officer"):
        world.view.officer(bytes(32), world.now)
    world.log(world.revoke("EST/duty-1", subject="officer"))
    with refused("revoked"):
        world.view.officer(key_id, world.now)


def test_prekeys_before_activation_and_newest_wins(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2")))
    world.log(world.prekey("EST/mod-2"))
    first = world.view.prekey("EST/mod-2", world.now)
    assert first is not None
    world.log(world.prekey("EST/mod-2", "2"), after=10 * MINUTE)
    assert world.view.prekey("EST/mod-2", world.now).id != first.id
    assert world.directory.at(world.directory.size - 1).prekey("EST/mod-2", world.now) == first
    assert world.view.prekey("EST/mod-2", world.now + 8 * DAY) is None


def test_prekey_for_another_node_is_refused(world: World) -> None:
    with refused("unsigned"):
        world.log(world.prekey("FIN/mod-1", by=signing("EST/mod-1")))
    with refused("unsigned"):
        world.log(world.prekey("FIN/mod-9", by=signing("EST/mod-1")))


def test_prekeys_come_at_most_every_ten_minutes(world: World) -> None:
    world.log(world.prekey("EST/mod-1"))
    with refused("limit"):
        world.log(world.prekey("EST/mod-1", "2"), after=10 * MINUTE - 2000)


def test_only_the_newest_public_halves_are_kept(world: World) -> None:
    for n in range(10):
        world.log(world.prekey("EST/mod-1", str(n)), after=HOUR)
    first, newest = world.directory.at(2).prekey("EST/mod-1", world.now), world.view.prekey("EST/mod-1", world.now)
    assert (len(first.public), len(newest.public)) == (0, 1216)
    assert len(first.id) == 32


def test_prekey_is_never_published_twice(world: World) -> None:
    world.log(world.prekey("EST/mod-1"))
    with refused("duplicate"):
        world.log(world.prekey("EST/mod-1", created=world.now + 1), after=HOUR)


def test_revoked_node_publishes_nothing_and_its_prekeys_are_dead(world: World) -> None:
    world.log(world.prekey("EST/mod-1"))
    world.log(world.revoke("EST/mod-1"))
    assert world.view.prekey("EST/mod-1", world.now) is None
    with refused("unsigned"):
        world.log(world.prekey("EST/mod-1", "2"), after=HOUR)


def test_member_cannot_make_the_directory_grow_without_end(world: World) -> None:
    for n in range(63):
        world.log(world.certify(world.node("EST/mod-2", signing=key(str(n)).public)))
    world.log(world.certify(world.node("EST/mod-2")))
    with refused("limit"):
        world.log(world.certify(world.node("EST/mod-2")))
    world.log(world.revoke("EST/mod-2"))
    with refused("duplicate"):
        world.log(world.revoke("EST/mod-2", issued=world.now + 1))


def test_suspect_entries_are_marked_from_an_index(world: World) -> None:
    world.log(world.revoke("EST/mod-1", suspect_from=((LOG, 41),)))
    assert world.view.suspect_from("EST/mod-1", LOG) == 41
    assert world.view.suspect_from("EST/mod-1", "other.example/regional/ct") is None
    assert world.view.suspect_from("FIN/mod-1", LOG) is None


def test_node_watches_for_certificates_of_its_own_member(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2")))
    world.log(world.certify(world.officer("EST/duty-1")))
    names = [(fact.certificate.name, fact.first) for fact in world.view.certificates("EST")]
    assert names == [("EST/mod-1", True), ("EST/mod-2", False), ("EST/duty-1", False)]
    assert world.view.certificate("EST/mod-2", world.now) is None
    assert len(world.view.node_facts("EST/mod-2")) == 1


def test_observer_and_auditor_nodes(world: World) -> None:
    world = World()
    members = {
        **world.charter.members,
        "UNO": member("UNO", role="observer"),
        "AUD": member("AUD", role="auditor"),
    }
    world.amend(*STATES, "UNO", "AUD", members=members)
    nodes = world.view.active_nodes("ct", world.now)
    assert "UNO/mod-1" in nodes
    assert "AUD/mod-1" not in nodes
    world.view.sender("UNO/mod-1", world.now, LOG, "heartbeat")
    with refused("role"):
        world.view.sender("UNO/mod-1", world.now, LOG, "message")
    with refused("role"):
        world.view.sender("AUD/mod-1", world.now)
    assert "UNO" not in world.view.witnesses(world.now)
    assert world.view.subject("UNO/mod-1", world.now).groups == {"@members"}
    assert world.view.subject("AUD/mod-1", world.now).groups == frozenset()


def test_node_outside_its_realm_or_role(world: World) -> None:
    world.log(world.certify(world.node("EST/mod-2", realms=frozenset({"exercise"})), signing("EST/mod-1")))
    world.log(world.certify(world.node("EST/mod-3", role="witness"), signing("EST/mod-1")))
    nodes = world.view.active_nodes("ct", world.now)
    assert "EST/mod-2" not in nodes
    assert "EST/mod-3" not in nodes
    with refused("role"):
        world.view.sender("EST/mod-2", world.now, LOG)
    with refused("role"):
        world.view.sender("EST/mod-3", world.now)
    with refused("unknown-log"):
        world.view.sender("EST/mod-1", world.now, "other.example/regional/ct")
    with refused("unknown-log"):
        world.view.channel_facts("other.example/regional/ct", world.now)
    assert world.view.witnesses(world.now)["EST"][-1].node == "EST/mod-3"


def test_subject_and_channel_facts(world: World) -> None:
    found = world.view.subject("FIN/mod-1", world.now)
    assert found is world.view.subject("FIN/mod-1", world.now)
    assert found.groups == {"@nordic", "@members"}
    assert found.entitlements["REGIONAL"].levels == {"RESTRICTED", "SECRET"}
    facts = world.view.channel_facts(LOG, world.now)
    assert (facts.name, facts.realm, facts.members) == ("ct", "operational", frozenset(STATES))
    with refused("unknown-sender"):
        world.view.subject("FIN/mod-9", world.now)


def test_object_of_another_framework_does_not_apply(world: World) -> None:
    other = World(on_expiry="continue-restricted")
    with refused("bad-signature"):
        world.log(other.revoke("EST/mod-1"))


def test_void_entries_keep_indices(world: World) -> None:
    world.directory.void(world.now + 5, "unsigned")
    assert world.directory.size == 2
    world.now += 5
    world.log(world.revoke("EST/mod-1"))
    assert world.directory.at(2).is_active("EST/mod-1", world.now)
    assert not world.directory.at(3).is_active("EST/mod-1", world.now)
    assert world.directory.voids() == {1: "unsigned"}


def test_refused_object_changes_nothing(world: World) -> None:
    size, state = world.directory.size, world.view.state
    for bad in (b"", b"\xc0", world.revoke("FIN/mod-1", by=duty("EST")), world.prekey("FIN/mod-1", by=duty("EST"))):
        with pytest.raises(RemoteError):
            world.directory.apply(bad, world.now)
    assert (world.directory.size, world.view.state) == (size, state)


def test_logged_at_never_decreases(world: World) -> None:
    with refused("stamp"):
        world.directory.apply(world.revoke("EST/mod-1"), world.now - 1)


def test_size_logged_before(world: World) -> None:
    world.log(world.prekey("EST/mod-1"))
    first, second = world.directory.logged_at(0), world.directory.logged_at(1)
    assert [world.directory.size_logged_before(t) for t in (first, first + 1, second, second + 1)] == [0, 1, 1, 2]
    for size in range(4):
        for time in (first, first + 1, second, second + 1):
            assert world.directory.grew_before(size, time) is (size < world.directory.size_logged_before(time))


def test_no_view_beyond_what_is_folded(world: World) -> None:
    for size in (0, 2):
        with pytest.raises(LocalError):
            world.directory.at(size)


def test_after_the_last_day_a_frozen_framework_stands_still(world: World) -> None:
    assert world.view.is_active("EST/mod-1", END - 1)
    assert not world.view.is_active("EST/mod-1", END)
    with refused("role"):
        world.view.sender("EST/mod-1", END)
    assert len(world.view.witnesses(END)) == 4, "the amendment that ends this needs witnesses"
    world.now = END
    with refused("charter-expired"):
        world.log(world.prekey("EST/mod-1"))
    world.log(world.revoke("EST/mod-1"))


def test_after_the_last_day_nothing_is_added_but_secrecy_goes_on() -> None:
    world = World(on_expiry="continue-restricted")
    world.now = END
    assert world.view.is_active("EST/mod-1", END)
    assert world.view.expired(END)
    world.log(world.prekey("EST/mod-1"))
    with refused("charter-expired"):
        world.log(world.certify(world.node("EST/mod-2"), signing("EST/mod-1")))
    world.log(world.revoke("EST/mod-1"))
