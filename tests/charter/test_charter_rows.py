"""Agreements and restrictions: rows that a few sign, and how little they may say."""

from __future__ import annotations

import pytest
from charter_world import HOUR, STATES, World, authority, duty

from rsc_share.charter.objects import add_signature
from rsc_share.charter.rowtext import Agreement, Restriction, agree, restrict
from rsc_share.errors import RemoteError

PERMIT = b"""
[[agreement]]
id = "ct"
effect = "permit"
from = ["EST"]
to = ["FIN"]
actions = ["receive", "open"]
valid = [2026-01-01, 2028-12-31]
"""
DENY = b"""
[[agreement]]
id = "tonight"
effect = "deny"
from = ["EST"]
to = ["LVA"]
"""


@pytest.fixture
def world() -> World:
    return World()


def refused(code: str):
    return pytest.raises(RemoteError, check=lambda error: error.code == code)


def agreement(world: World, *signers: str, rows: bytes = PERMIT, **changes) -> bytes:
    values = {"id": "EST-FIN", "parties": ("EST", "FIN"), "rows": rows, "issued": world.now}
    return agree(Agreement(**{**values, **changes}), world.id, *(authority(code) for code in signers))


def restriction(world: World, rows: bytes = DENY, *, by=None, member: str = "EST", **changes) -> bytes:
    values = {"id": "r1", "member": member, "rows": rows, "issued": world.now}
    return restrict(Restriction(**{**values, **changes}), world.id, by or authority(member))


def row_ids(view, now: int) -> list[str]:
    return [row.id for row in view.bundle(now).rows]


def test_agreement_counts_from_its_index(world: World) -> None:
    before = world.view
    world.log(agreement(world, "EST", "FIN"))
    assert row_ids(world.view, world.now) == ["EST+FIN/ct"]
    assert row_ids(before, world.now) == []


def test_parties_sign_one_after_the_other(world: World) -> None:
    half = agreement(world, "EST")
    with refused("unsigned"):
        world.log(half)
    world.log(add_signature(half, world.id, authority("FIN")))


def test_agreement_cannot_permit_a_non_signers_material(world: World) -> None:
    rows = PERMIT.replace(b'from = ["EST"]', b'from = ["EST", "LVA"]')
    with refused("malformed"):
        world.log(agreement(world, "EST", "FIN", rows=rows))


def test_agreement_signed_by_a_third_state_is_refused(world: World) -> None:
    with refused("unsigned"):
        world.log(agreement(world, "EST", "FIN", "LVA"))


def test_duty_key_does_not_agree(world: World) -> None:
    with refused("unsigned"):
        world.log(add_signature(agreement(world, "EST"), world.id, duty("FIN")))


def test_agreement_is_replaced_by_a_newer_one_of_the_same_parties_only(world: World) -> None:
    first = agreement(world, "EST", "FIN")
    world.log(first)
    world.log(agreement(world, "EST", "FIN", rows=PERMIT.replace(b'"ct"', b'"cyber"')))
    assert row_ids(world.view, world.now) == ["EST+FIN/cyber"]
    with refused("issued"):
        world.log(first)
    with refused("issued"):
        world.log(agreement(world, "EST", "LVA", parties=("EST", "LVA")))


def test_row_id_cannot_hide_another(world: World) -> None:
    world.log(agreement(world, "EST", "FIN"))
    with refused("rows"):
        world.log(agreement(world, "EST", "FIN", id="second"))


def test_agreement_lapses_when_a_party_leaves(world: World) -> None:
    world.log(agreement(world, "EST", "LVA", parties=("EST", "LVA")))
    rest = {code: m for code, m in world.charter.members.items() if code != "LVA"}
    world.amend("EST", "FIN", "LTU", "SWE", members=rest)
    assert row_ids(world.view, world.now) == []


def test_restriction_bites_tonight_by_the_duty_key_alone(world: World) -> None:
    world.log(restriction(world, by=duty("EST")))
    assert row_ids(world.view, world.now) == ["EST/tonight"]
    assert [held.restriction.id for held in world.view.unconfirmed(world.now + 73 * HOUR)] == ["r1"]


def test_authority_confirms_what_its_duty_key_has_done(world: World) -> None:
    issued = world.now
    world.log(restriction(world, by=duty("EST"), issued=issued))
    world.log(restriction(world, issued=issued))
    assert world.view.unconfirmed(world.now + 100 * HOUR) == ()
    with refused("issued"):
        world.log(restriction(world, issued=issued))


@pytest.mark.parametrize("effect", [b"permit", b"require-release"])
def test_restriction_cannot_permit(world: World, effect: bytes) -> None:
    rows = PERMIT if effect == b"permit" else DENY.replace(b'"deny"', b'"require-release"')
    with refused("malformed"):
        world.log(restriction(world, rows))


def test_restriction_is_about_ones_own_material(world: World) -> None:
    with refused("malformed"):
        world.log(restriction(world, DENY.replace(b'from = ["EST"]', b'from = ["FIN"]')))
    with refused("unsigned"):
        world.log(restriction(world, member="FIN", by=authority("EST")))
    with refused("unsigned"):
        world.log(restriction(world, member="FIN", by=duty("EST")))


def test_duty_key_cannot_lift_a_restriction(world: World) -> None:
    world.log(restriction(world))
    with refused("duty"):
        world.log(restriction(world, b"", by=duty("EST")))
    world.log(restriction(world, b""))
    assert row_ids(world.view, world.now) == []


def test_lifted_restriction_cannot_be_replayed(world: World) -> None:
    first = restriction(world)
    world.log(first)
    world.log(restriction(world, b""))
    with refused("issued"):
        world.log(first)


def test_restriction_outlives_its_member(world: World) -> None:
    world.log(restriction(world))
    rest = {code: m for code, m in world.charter.members.items() if code != "EST"}
    world.amend("FIN", "LTU", "LVA", "SWE", members=rest)
    assert row_ids(world.view, world.now) == ["EST/tonight"]


def test_suspended_member_may_still_restrict(world: World) -> None:
    world.amend("FIN", "LTU", "LVA", "SWE", members=world.with_member("EST", suspended=True))
    world.log(restriction(world, by=duty("EST")))
    assert row_ids(world.view, world.now) == ["EST/tonight"]


def test_rows_that_are_no_rows(world: World) -> None:
    for bad in (b"\xff", b"x = 1\n", b"[" * 2000, DENY.replace(b"deny", b"allow")):
        with pytest.raises(RemoteError):
            world.log(restriction(world, bad))
    assert world.directory.size == 1


def test_one_bundle_for_all_sizes_between_two_rows(world: World) -> None:
    first = world.view.bundle(world.now)
    world.log(world.certify(world.node("EST/mod-2")))
    assert world.view.bundle(world.now) is first
    world.log(restriction(world))
    assert world.view.bundle(world.now) is not first


def test_off_log_revocation_is_obeyed_before_the_log_shows_it(world: World) -> None:
    act = world.directory.restrictive(world.revoke("EST/mod-1", by=duty("EST")), world.now)
    assert act.nodes == {"EST/mod-1"}
    assert (act.members, act.rows) == (frozenset(), ())
    assert world.view.is_active("EST/mod-1", world.now), "the view itself has not moved"


def test_off_log_restriction_and_removal(world: World) -> None:
    act = world.directory.restrictive(restriction(world), world.now)
    assert [row.id for row in act.rows] == ["EST/tonight"]
    data, bodies = world.amendment("EST", "FIN", "LTU", "LVA", members=world.with_member("SWE", suspended=True))
    act = world.directory.restrictive(data, world.now, bodies)
    assert (act.members, act.nodes) == ({"SWE"}, {"SWE/mod-1"})


def test_off_log_certificate_prekey_and_agreement_count_for_nothing(world: World) -> None:
    for data in (
        world.certify(world.node("EST/mod-2")),
        world.prekey("EST/mod-1"),
        agreement(world, "EST", "FIN"),
    ):
        with refused("permissive"):
            world.directory.restrictive(data, world.now)


def test_off_log_forgery_is_refused(world: World) -> None:
    with refused("unsigned"):
        world.directory.restrictive(world.revoke("FIN/mod-1", by=duty("EST")), world.now)
    assert len(STATES) == 5
