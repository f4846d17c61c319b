"""Names: what a regular expression lets through when nobody looks."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share import names
from rsc_share.errors import RemoteError

Reader = Callable[[str, str], str]
GOOD: dict[str, tuple[Reader, list[str]]] = {
    "framework": (names.framework, ["a", "regional", "9-x", "-", "a" * 63]),
    "member": (names.member, ["EST", "EE", "INT-POL", "A1", "A" * 32, "A-"]),
    "group": (names.group, ["@nordic", "@a", "@members", "@9", "@" + "a" * 63]),
    "channel": (names.channel, ["ct", "a", "counter-terrorism", "0", "a" * 63]),
    "host": (names.host, ["relay.example", "a", "relay.example:8443", "10.0.0.1", "a.b-c.d:1", "a:65535"]),
    "node": (names.node, ["EST/mod-1", "EE/0", "A1/" + "a" * 63]),
    "officer": (names.officer, ["EST/duty-3"]),
    "origin": (names.origin, ["relay.example/regional/ct", "relay.example:8443/r/directory"]),
    "type": (names.message_type, ["threat/assessment/1", "ee.mod.drone/sighting/65535", "a/b/c/1"]),
}
BAD: dict[str, list[str]] = {
    "framework": ["", "A", "a_b", "a" * 64, "a/b", "ä", "a b"],
    "member": ["E", "est", "EsT", "1ST", "-ST", "A" * 33, "EST/1", "ÉST", "EST_A"],
    "group": ["nordic", "@", "@-a", "@A", "@@a", "@" + "a" * 64, "@a b"],
    "channel": ["", "-a", "A", "a_b", "a" * 64, "a/b", "."],
    "host": ["", "-a", "a-", ".a", "a.", "A", "a:0", "a:01", "a:", "a:123456", "[::1]", "a/b", "a_b", "a" * 129],
    "node": ["EST", "EST/", "/mod-1", "EST//mod-1", "EST/mod/1", "EST/Mod-1", "est/mod-1", "EST/-1", "EST/" + "a" * 64],
    "officer": ["EST", "EST/", "EST/Duty", "EST/duty_3"],
    "origin": [
        "relay.example/regional",
        "relay.example/regional/ct/x",
        "/regional/ct",
        "relay.example//ct",
        "https://relay.example/regional/ct",
        "relay.example/Regional/ct",
        "relay.example/regional/ct+",
        f"{'a' * 128}/{'b' * 63}/{'c' * 64}",
    ],
    "type": ["threat", "threat/1", "threat/assessment", "threat/assessment/0", "threat/assessment/01", "Threat/a/1",
             "threat//1", "threat/a/1/", "threat/a/123456", "/a/b/1", "a" * 118 + "/b/1"],
}  # fmt: skip
CASES = [(kind, text) for kind, (_, found) in GOOD.items() for text in found]


def refused(read: Reader, text: object) -> None:
    with pytest.raises(RemoteError) as caught:
        read(text, "here")  # type: ignore[arg-type]
    assert caught.value.code == "malformed"
    assert caught.value.fields["where"] == "here"


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_good_names_are_taken_as_they_are(kind: str, text: str) -> None:
    assert GOOD[kind][0](text, "here") == text


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, found in BAD.items() for text in found])
def test_bad_names_are_refused(kind: str, text: str) -> None:
    refused(GOOD[kind][0], text)


@pytest.mark.parametrize(("kind", "text"), CASES)
@pytest.mark.parametrize("extra", ["\n", " ", "\r\n", "\0", "\u2028", "\u00a0", "\u200b", "\x85"])
def test_a_final_newline_or_space_is_not_a_name(kind: str, text: str, extra: str) -> None:
    """`$` in a pattern accepts a final newline: two spellings of one name, in everything that is signed."""
    refused(GOOD[kind][0], text + extra)
    refused(GOOD[kind][0], extra + text)


@pytest.mark.parametrize("digit", ["\u0661", "\uff11", "\u0967", "\u00b9", "\u2460"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("framework", "r{}"),
        ("member", "ES{}"),
        ("group", "@a{}"),
        ("channel", "a{}"),
        ("host", "a{}.b"),
        ("host", "a.b:8{}"),
        ("node", "EST/mod-{}"),
        ("node", "ES{}/mod-1"),
        ("origin", "a:8{}/b/c"),
        ("type", "a/b/{}"),
    ],
)
def test_digits_of_other_scripts_are_not_digits(kind: str, text: str, digit: str) -> None:
    r"""`\d` accepts them, and `int` reads them."""
    assert GOOD[kind][0](text.format("1"), "here")
    refused(GOOD[kind][0], text.format(digit))


@pytest.mark.parametrize("letter", ["\u0415ST", "E\u0405T", "ES\u03a4", "\uff25ST", "E\u017fT"])
def test_letters_that_look_alike_are_not_latin(letter: str) -> None:
    refused(names.member, letter)
    refused(names.node, f"{letter}/mod-1")


@pytest.mark.parametrize("value", [None, 1, b"EST", ["EST"], True, type("S", (str,), {})("EST/mod-1")])
def test_only_texts_are_names(value: object) -> None:
    for read, _ in GOOD.values():
        refused(read, value)


@given(st.text(max_size=80))
def test_what_passes_is_plain_ascii(text: str) -> None:
    for read, _ in GOOD.values():
        try:
            read(text, "here")
        except RemoteError:
            continue
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text


def test_parts_of_names() -> None:
    assert names.member_of("EST/mod-1") == "EST"
    assert names.channel_of("relay.example:8443/regional/ct") == "ct"
    assert names.family_of("ee.mod.drone/sighting/1") == "ee.mod.drone"
    assert names.family_of("a/b/c/1") == "a/b"
    assert names.reference("EST/mod-1", "ct", 417) == "EST/mod-1/ct/417"


# --- UUIDv7


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_with_its_time(now: int, random: bytes) -> None:
    made = names.uuid7(now, random)
    assert names.message_id(made) == made
    assert names.id_time(made) == now
    known = uuid.UUID(bytes=made)
    assert (known.version, known.variant) == (7, uuid.RFC_4122)


def test_the_example_of_rfc_9562() -> None:
    """Appendix A.6: 2022-02-22T19:22:22Z, rand_a CC3, rand_b 18C4DC0C0C07398F."""
    random = bytes.fromhex("0cc3") + bytes.fromhex("18c4dc0c0c07398f")
    assert names.uuid7(0x017F22E279B0, random) == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F").bytes


@given(st.integers(0, (1 << 48) - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_later_ids_sort_later(now: int, one: bytes, two: bytes) -> None:
    assert names.uuid7(now, one) < names.uuid7(now + 1, two)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_all_74_random_bits_are_kept(one: bytes, two: bytes) -> None:
    mask = (1 << 74) - 1
    kept = [
        (int.from_bytes(r[:2], "big") & 0xFFF) << 62 | int.from_bytes(r[2:], "big") & mask >> 12 for r in (one, two)
    ]
    assert (names.uuid7(5, one) == names.uuid7(5, two)) == (kept[0] == kept[1])


@pytest.mark.parametrize("other", [1, 3, 4, 5, 6, 8])
def test_another_version_is_refused(other: int) -> None:
    made = bytearray(names.uuid7(1000, bytes(10)))
    made[6] = other << 4 | made[6] & 0x0F
    with pytest.raises(RemoteError):
        names.message_id(bytes(made))


@pytest.mark.parametrize("variant", [0x00, 0x40, 0xC0])
def test_another_variant_is_refused(variant: int) -> None:
    made = bytearray(names.uuid7(1000, bytes(10)))
    made[8] = made[8] & 0x3F | variant
    with pytest.raises(RemoteError):
        names.message_id(bytes(made))


@pytest.mark.parametrize("value", [b"", bytes(15), bytes(17), "0" * 16, None, 7, uuid.UUID(int=7 << 76 | 2 << 62)])
def test_an_id_is_sixteen_bytes(value: object) -> None:
    with pytest.raises(RemoteError):
        names.message_id(value)
