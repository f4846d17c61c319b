"""A charter's text: one way to write what was signed, and a reason with a line for everything else."""

from __future__ import annotations

import pytest
from charter_world import (
    BEGIN,
    END,
    RELAY,
    STATES,
    authority,
    charter_values,
    first_node,
    member,
    parsed,
    relay,
    ring_for,
)
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.charter.compose import channel, compose
from rsc_share.charter.keyring import KeyRing, check_ring
from rsc_share.charter.model import Closed, Fraction, Predecessor
from rsc_share.charter.parameters import Parameters
from rsc_share.charter.text import parse_charter
from rsc_share.errors import LocalError, RemoteError
from rsc_share.value import replace

TEXT = compose(charter_values())


def refusal(data: bytes) -> LocalError:
    with pytest.raises(LocalError) as caught:
        parse_charter(data, "charter.toml")
    assert caught.value.code == "charter"
    assert str(caught.value).startswith("charter.toml"), "every complaint names the file"
    return caught.value


def changed(old: bytes, new: bytes) -> bytes:
    assert old in TEXT, old
    return TEXT.replace(old, new, 1)


def test_text_round_trip() -> None:
    charter = parse_charter(TEXT)
    assert compose(charter) == TEXT
    assert parse_charter(compose(charter)) == charter
    assert charter.valid == (BEGIN, END)
    assert charter.channels["ct"].members == frozenset(STATES)
    assert charter.origin("ct") == f"{RELAY}/regional/ct"


def test_everything_a_charter_can_say_survives_the_round_trip() -> None:
    values = charter_values(
        parameters=Parameters(lag=300_000, nodes_max=3),
        on_expiry="continue-restricted",
        predecessor=Predecessor(bytes(32), 7, bytes(32)),
        channels=[
            channel("a", RELAY, ["@nordic", "EST"], realm="exercise", retention_days=30, limits={"sessions": 4}),
            channel("b", RELAY, ["LVA"], realm="exercise", alternate="a"),
        ],
    )
    odd = member("EST", title='A "quoted" \\ name', suspended=True, duty=None, nodes={})
    values = replace(
        values,
        members={**values.members, "EST": odd},
        closed=(Closed("old.example/regional/ct", 9, bytes(32)),),
    )
    charter = parsed(values)
    assert replace(charter, text=b"", digest=b"") == replace(
        values,
        channels={
            "a": replace(values.channels["a"], members=frozenset({"EST", "FIN", "SWE"})),
            "b": replace(values.channels["b"], members=frozenset({"LVA"})),
        },
    )


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (TEXT.replace(b"\n", b"\r\n"), 1, "carriage return"),
        (TEXT.replace(b"\n", b"\r\n", 1), 1, "carriage return"),
        (b"\xef\xbb\xbf" + TEXT, 1, "byte order mark"),
        (TEXT.rstrip(b"\n"), None, "newline"),
        (TEXT + b"\n", None, "empty lines"),
        (TEXT + b"# \xff\n", None, "UTF-8"),
        (changed(b"framework =", b"# right-to-left \xe2\x80\xae\nframework ="), 1, "U+202E"),
        (changed(b"framework =", b"# joiner \xe2\x80\x8b\nframework ="), 1, "U+200B"),
        (changed(b"framework =", b"# bell \x07\nframework ="), 1, "U+0007"),
        (changed(b"rules = 1", b"rules = 1\nrulez = 1"), 5, "not a known key"),
        (changed(b"rules = 1", b"rules = 2"), 4, "upgrade"),
        (changed(b"rules = 1", b"rules = true"), 4, "whole number"),
        (changed(b"version = 1", b"version = 1.0"), 2, "whole number"),
        (changed(b'on_expiry = "freeze"', b'on_expiry = "never"'), 5, "freeze"),
        (changed(b"quorum = [2, 3]", b"quorum = [1, 2]"), 6, "one half"),
        (changed(b"quorum = [2, 3]", b"quorum = [4, 3]"), 6, "at most one"),
        (changed(b"quorum_remove = [3, 4]", b"quorum_remove = [3, 5]"), 7, "lower than quorum"),
        (changed(b"valid = [2026-01-01", b"valid = [2026-01-01T00:00:00Z"), 3, "two dates"),
        (changed(b"valid = [2026-01-01", b"valid = [2029-01-01"), 3, "ends before"),
        (changed(b"witness_quorum = 3", b"witness_quorum = 2"), None, "more than half"),
        (changed(b"witness_quorum = 3", b"witness_quorum = 5"), None, "cannot be reached"),
        (changed(b'role = "member"', b'role = "member"\nsuspendid = true'), None, "not a known key"),
        (changed(b'role = "member"', b'role = "king"'), None, "needs one of"),
        (TEXT.replace(b"member.EST", b"member.est"), None, "member code"),
        (changed(b'operator = "SWE"', b'operator = "NOR"'), None, "not a party"),
        (changed(b'members = ["@members"]', b'members = ["NOR"]'), None, "not a party"),
        (changed(b'members = ["@members"]', b'members = ["@baltic"]'), None, "nobody is in"),
        (changed(b'members = ["@members"]', b'members = ["EST", "EST"]'), None, "twice"),
        (changed(b"[channel.ct]", b"[channel.directory]"), None, "directory"),
        (changed(b'realms = ["exercise", "operational"]', b"realms = []"), None, "realms"),
        (changed(b"framework =", b"previous = '" + b"0" * 64 + b"'\nframework ="), 1, "no previous"),
        (changed(b"framework =", b"framework ="[:-1]), None, "line"),
        (changed(b"framework = ", b"framework = " + b"[" * 3000), None, "charter.toml"),
        (b"x = " + b"{a = " * 400 + b"1" + b"}" * 400 + b"\n", None, "nested"),
        (changed(b"version = 1", b"version = 1" + b"0" * 5000), None, "charter.toml"),
        (b"#" * 300_000 + b"\n", None, "at most"),
    ],
)
def test_text_that_is_not_signed(data: bytes, line: int | None, words: str) -> None:
    error = refusal(data)
    assert words in str(error)
    if line is not None:
        assert error.fields["line"] == line


def test_key_in_upper_case_is_refused() -> None:
    fingerprint = authority("EST").public.fingerprint.encode()
    assert "lower case" in str(refusal(changed(fingerprint, fingerprint.upper())))


def test_two_members_with_one_key() -> None:
    values = charter_values()
    members = {**values.members, "FIN": replace(values.members["FIN"], authority=authority("EST").public.fingerprint)}
    assert "one key, one owner" in str(refusal(compose(replace(values, members=members))))


def test_authority_is_not_its_own_duty_key() -> None:
    members = {**charter_values().members, "FIN": member("FIN", duty=authority("FIN").public.fingerprint)}
    assert "one key, one owner" in str(refusal(compose(replace(charter_values(), members=members))))


def test_own_quorum_must_be_reachable() -> None:
    values = charter_values()
    members = {c: replace(m, suspended=c in ("EST", "FIN")) for c, m in values.members.items()}
    assert "cannot be reached" in str(refusal(compose(replace(values, members=members))))


def test_more_first_nodes_than_nodes_max() -> None:
    values = charter_values(parameters=Parameters(nodes_max=1))
    two = {name: first_node("EST", name.partition("/")[2]) for name in ("EST/mod-1", "EST/mod-2")}
    members = {**values.members, "EST": replace(values.members["EST"], nodes=two)}
    assert "nodes_max" in str(refusal(compose(replace(values, members=members))))


def test_auditor_takes_no_part_in_a_channel() -> None:
    values = charter_values()
    members = {**values.members, "AUD": member("AUD", role="auditor", nodes={})}
    assert parsed(replace(values, members=members)).channels["ct"].members == frozenset(STATES)
    listed = {"ct": channel("ct", RELAY, ["EST", "AUD"])}
    assert "auditor" in str(refusal(compose(replace(values, members=members, channels=listed))))


def test_closed_log_cannot_be_in_use() -> None:
    values = replace(charter_values(), closed=(Closed(f"{RELAY}/regional/ct", 1, bytes(32)),))
    assert "closed and in use" in str(refusal(compose(values)))


def test_parameters_that_cannot_work_together() -> None:
    for bad in (Parameters(lag=60_000), Parameters(prekey_life=8 * 86_400_000), Parameters(prekey_life=60_000)):
        refusal(compose(charter_values(parameters=bad)))


def test_keys_beside_the_text() -> None:
    charter = parse_charter(TEXT)
    ring = ring_for(charter)
    check_ring(charter, KeyRing.parse(ring.pack()))
    first, *others = ring.keys.values()
    with pytest.raises(RemoteError, match="lack"):
        check_ring(charter, KeyRing.of(others))
    with pytest.raises(RemoteError, match="not named"):
        check_ring(charter, KeyRing.of([*ring.keys.values(), authority("NOR").public]))
    with pytest.raises(RemoteError):
        KeyRing.parse(ring.pack() + b"\0")
    assert first.fingerprint in ring.keys


def test_authority_must_be_a_hybrid_key() -> None:
    """Else a charter could name the Ed25519 half of an authority as the authority."""
    half = type(authority("EST").public)(1, authority("EST").public.raw[:32])
    values = charter_values()
    members = {**values.members, "EST": member("EST", authority=half.fingerprint)}
    charter = parsed(replace(values, members=members))
    ring = KeyRing.of([*(k for k in ring_for(parsed(values)).keys.values() if k != authority("EST").public), half])
    with pytest.raises(RemoteError, match="HYBRID"):
        check_ring(charter, ring)


@given(st.binary(max_size=200), st.integers(0, len(TEXT)), st.integers(0, 40))
def test_damaged_text_parses_or_raises_local_error(noise: bytes, at: int, drop: int) -> None:
    damaged = TEXT[:at] + noise + TEXT[at + drop :]
    try:
        found = parse_charter(damaged)
    except LocalError:
        return
    assert found.text == damaged


def test_two_thirds_in_integers() -> None:
    assert [Fraction(2, 3).needed(n) for n in range(1, 10)] == [1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert relay().operator == "SWE"


def test_places_that_do_not_exist() -> None:
    values = charter_values()
    ct = values.channels["ct"]
    game = channel("game", RELAY, ["EST"], realm="exercise")
    closed = Closed("old.example/regional/ct", 1, bytes(32))
    observers = {code: replace(m, role="observer") for code, m in values.members.items()}
    for bad, words in (
        (replace(values, members=observers), "no party has the role member"),
        (replace(values, directory_relay="other.example"), "is not in the charter"),
        (replace(values, channels={"ct": replace(ct, relay="other.example")}), "is not in the charter"),
        (replace(values, channels={"ct": replace(ct, alternate="ct")}), "not another channel"),
        (replace(values, channels={"ct": replace(ct, alternate="game"), "game": game}), "other realm"),
        (replace(values, closed=(closed, closed)), "closed twice"),
    ):
        assert words in str(refusal(compose(bad)))


def test_officers_for_erasures_are_named_once_and_of_a_party() -> None:
    text = compose(charter_values(erasure=["EST/records-1"]))
    assert parse_charter(text).erasure == ("EST/records-1",)
    for wrong in (b'["EST/records-1", "EST/records-1"]', b'["XXX/records-1"]', b"[]", b'"EST/records-1"'):
        with pytest.raises(LocalError):
            parse_charter(text.replace(b'["EST/records-1"]', wrong))
