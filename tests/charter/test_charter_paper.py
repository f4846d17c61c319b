"""What people read: the page for ink, and the difference between two versions in sentences."""

from __future__ import annotations

import pytest
from charter_world import END, RELAY, STATES, charter_values, first_node, member, parsed, relay

from rsc_share.charter.changes import changes, span
from rsc_share.charter.compose import channel, compose, new_charter, next_charter
from rsc_share.charter.model import Closed, Fraction, MemberEntitlement
from rsc_share.charter.page import WIDTH, groups_of_eight, page
from rsc_share.charter.parameters import Parameters
from rsc_share.charter.quorum import concerns
from rsc_share.errors import LocalError
from rsc_share.value import replace


def test_page_shows_digest_parties_keys_and_lines_for_ink() -> None:
    charter = parsed(charter_values(parameters=Parameters(lag=300_000)))
    shown = page(charter)
    groups = groups_of_eight(charter.digest)
    assert "".join(groups) == charter.digest.hex()
    assert [len(group) for group in groups] == [8] * 8
    assert " ".join(groups[:4]) in shown
    for code in STATES:
        assert charter.members[code].authority in shown
        assert any(line.startswith(code) and "____" in line for line in shown.splitlines())
    before, _, text = shown.partition("The text that is signed\n")
    assert all(len(line) <= WIDTH for line in before.splitlines())
    assert text.partition("\n")[2].encode() == charter.text, "comments are printed too"
    assert "5 min" in shown


def test_page_of_a_later_version_names_the_one_before() -> None:
    first = parsed(charter_values())
    members = {**first.members, "LVA": replace(first.members["LVA"], suspended=True)}
    second = parsed(next_charter(first, members=members))
    shown = page(second)
    assert " ".join(groups_of_eight(first.digest)[4:]) in shown
    assert "SUSPENDED" in shown


def test_changes_in_sentences() -> None:
    first = parsed(charter_values())
    members = {code: m for code, m in first.members.items() if code != "LVA"}
    members["NOR"] = member("NOR")
    members["EST"] = replace(
        members["EST"],
        suspended=True,
        role="observer",
        duty=None,
        title="Estonia",
        groups=frozenset({"@baltic"}),
        entitlements={"REGIONAL": MemberEntitlement(frozenset({"RESTRICTED"}), {"caveat": frozenset({"CT"})})},
        nodes={"EST/mod-2": first_node("EST", "mod-2")},
    )
    values = next_charter(
        first,
        members=members,
        quorum_remove=Fraction(1, 1),
        witness_quorum=2,
        relays={RELAY: relay(operator="FIN"), "second.example": relay("second.example")},
        channels={"cy": channel("cy", "second.example", ["FIN", "NOR"], realm="exercise")},
        closed=(Closed(f"{RELAY}/regional/ct", 4, bytes(32)),),
        parameters=Parameters(node_delay=0, nodes_max=9, lag=600_000),
        valid=(first.valid[0], END + 86_400_000),
    )
    second = parsed(values)
    said = "\n".join(changes(first, second))
    for part in (
        "LVA leaves",
        "NOR joins as member",
        "EST becomes observer",
        "EST is suspended",
        "EST has another duty key: none",
        "EST may read REGIONAL RESTRICTED; gone is SECRET",
        "EST/mod-1 is no longer named",
        "EST/mod-2 is a new node, active at once",
        "@baltic",
        "caveat CT",
        "2029-01-01",
        "The quorum for removing a member is 1/1; it was 3/4",
        "witnesses is 2",
        "is run by FIN",
        "Relay second.example comes",
        "Channel ct ends",
        "Channel cy (exercise) begins",
        "NODE_DELAY is 0 ms; it was 24 h",
        "NODES_MAX is 9; it was 8",
        "is closed at 4 entries",
        "EST, NOR must sign this version in person",
        "This takes something away: 4 of 5 members must sign.",
    ):
        assert part in said, part


def test_no_change_says_only_who_must_sign() -> None:
    first = parsed(charter_values())
    assert changes(first, parsed(next_charter(first))) == ("4 of 5 members must sign.",)


def test_channel_changes_in_sentences() -> None:
    first = parsed(charter_values())
    other = channel("ct", RELAY, ["EST", "FIN"], ceiling={}, families=["cyber"], retention_days=9)
    said = "\n".join(changes(first, parsed(next_charter(first, channels={"ct": other}))))
    for part in ("loses LTU, LVA, SWE", "ceiling none", "carries cyber; it carried terrorism", "retention days is 9"):
        assert part in said, part


def test_a_node_with_another_key_is_named() -> None:
    first = parsed(charter_values())
    node = replace(first_node("EST"), signing=first_node("EST", "mod-2").signing)
    members = {**first.members, "EST": replace(first.members["EST"], nodes={"EST/mod-1": node})}
    said = changes(first, parsed(next_charter(first, members=members)))
    assert "another signing key" in said[0]


def test_spans() -> None:
    assert [span(n) for n in (500, 90_000, 600_000, 3_600_000, 86_400_000, 7 * 86_400_000)] == [
        "500 ms",
        "90 s",
        "10 min",
        "1 h",
        "24 h",
        "7 d",
    ]


def test_validity_ends_at_midnight() -> None:
    with pytest.raises(LocalError):
        compose(replace(charter_values(), valid=(0, END - 1)))
    with pytest.raises(LocalError):
        compose(charter_values(parameters=Parameters(lag=600_001)))


def test_concerns_are_said_not_enforced() -> None:
    small = new_charter(
        "small",
        valid=(0, END),
        members=[member("EST"), member("FIN"), member("LVA")],
        relays=[relay(operator="LVA")],
        channels=[],
        directory_relay=RELAY,
        policy=bytes(32),
        witness_quorum=2,
        quorum=Fraction(3, 5),
        quorum_remove=Fraction(1, 1),
    )
    said = " ".join(concerns(parsed(small)))
    for part in ("below the recommended", "No member can ever be removed", "degraded", "One silent member"):
        assert part in said
