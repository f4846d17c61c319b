"""Frames: what may come when, and the errors that cross the wire."""

from __future__ import annotations

from typing import Any

import pytest

from rsc_share import codec
from rsc_share.errors import LocalError, Refused, RemoteError, RscError, StorageError, Unavailable
from rsc_share.session.calls import NAMES
from rsc_share.session.fault import Fault
from rsc_share.session.table import (
    MAX_FRAME,
    NODE_TAKES,
    RELAY_TAKES,
    Answer,
    Call,
    Cancel,
    Credit,
    Error,
    Failed,
    Frame,
    Goaway,
    Greeting,
    Hello,
    More,
    State,
    encode,
    read_frame,
)

FAULT = Fault.of(Refused("revoked", "EST/mod-1 is revoked", row=3, node="EST/mod-1"))
FRAMES: tuple[Frame, ...] = (
    Hello(bytes(32), "relay.example", 1, 32, MAX_FRAME),
    Greeting("eyJ", 1 << 20, {"relay.example/r/directory": 4}),
    Call(1, "logs", "FLASH", 1, b"\x90"),
    Answer(1, 1, b"\x80"),
    More(1, b"more"),
    Failed(1, FAULT),
    Cancel(1),
    Credit(1),
    Goaway("soon"),
    Error(FAULT),
)
KINDS = tuple(frame.wire()[0] for frame in FRAMES)


@pytest.mark.parametrize("frame", FRAMES, ids=KINDS)
def test_every_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert read_frame(encode(frame), KINDS, NAMES) == frame


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("takes", [RELAY_TAKES, NODE_TAKES], ids=["relay", "node"])
def test_what_the_table_does_not_name_ends_the_session(state: State, takes: dict[State, tuple[str, ...]]) -> None:
    for frame, kind in zip(FRAMES, KINDS, strict=True):
        if kind in takes[state]:
            assert read_frame(encode(frame), takes[state], NAMES) == frame
        else:
            with pytest.raises(RemoteError) as found:
                read_frame(encode(frame), takes[state], NAMES)
            assert found.value.code == "unexpected"


def test_nothing_may_come_after_the_end() -> None:
    assert RELAY_TAKES[State.CLOSED] == NODE_TAKES[State.CLOSED] == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[]],
        [1, 2],
        ["hullo", 1],
        ["cancel"],
        ["cancel", 0],
        ["cancel", 1, 2],
        ["cancel", 1 << 60],
        ["credit", 0],
        ["credit", 1 << 40],
        ["more", 1, b""],
        ["call", 1, "shutdown", "FLASH", 1, b"\x90"],
        ["call", 1, "logs", "SOON", 1, b"\x90"],
        ["call", 1, "logs", "FLASH", 1, b"\x90\x90"],
        ["call", 1, "logs", "FLASH", 1 << 30, b"\x90"],
        ["token", "eyJ", 1, {}],
        ["token", "eyJ", 1 << 20, {"no origin": 1}],
        ["hello", 1, bytes(31), "relay.example", 1, {"bytes": 1 << 20, "calls": 1}],
        ["goaway", "x" * 300],
        ["error", ["refused", "", "", "", {}]],
    ],
    ids=str,
)
def test_a_broken_frame_is_malformed(value: Any) -> None:
    with pytest.raises(RemoteError) as found:
        read_frame(codec.pack(value), KINDS, NAMES)
    assert found.value.code == "malformed"


def test_a_frame_above_the_limit_is_not_looked_at() -> None:
    data = encode(Call(1, "logs", "FLASH", MAX_FRAME, bytes(MAX_FRAME - 10)))
    with pytest.raises(RemoteError):
        read_frame(data, KINDS, NAMES)


def test_another_version_is_told_apart_from_nonsense() -> None:
    with pytest.raises(RemoteError) as found:
        read_frame(encode(Hello(bytes(32), "relay.example", 1, 1, 1 << 20, version=2)), KINDS, NAMES)
    assert found.value.code == "version"


@pytest.mark.parametrize(
    "error",
    [
        Refused("revoked", "it is revoked", row=3, node="EST/mod-1", advice="ask"),
        Unavailable("later", retry_after=1.5, code="not-ready"),
        Unavailable("sometime"),
        RemoteError("wrong", code="out-of-range", limit=7, digest=bytes(32)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_node_raises_what_the_relay_raised(error: RscError) -> None:
    sent = codec.pack(Fault.of(error).wire())
    again = Fault.from_wire(codec.unpack(sent, max_size=10_000)).error()
    assert type(again) is type(error)
    assert (again.what, again.code, again.advice, again.fields) == (error.what, error.code, error.advice, error.fields)
    assert vars(again).get("row") == vars(error).get("row")
    assert vars(again).get("retry_after") == vars(error).get("retry_after")


@pytest.mark.parametrize("error", [StorageError("/var/lib/rsc: no space"), LocalError("a bug"), KeyError("secret")])
def test_what_failed_inside_a_relay_stays_inside(error: Exception) -> None:
    fault = Fault.of(error)
    assert (fault.kind, fault.code) == ("unavailable", "internal")
    assert "secret" not in fault.what
    assert "/var" not in fault.what


@pytest.mark.parametrize("name", ["what", "code", "row_", "self", "evidence", "no name", "x" * 41])
def test_a_field_cannot_pose_as_an_argument(name: str) -> None:
    value = ["remote", "malformed", "x", "", {name: "y"}]
    if name == "row_":
        assert Fault.from_wire(value).error().fields == {name: "y"}
        return
    with pytest.raises(RemoteError):
        Fault.from_wire(value)


def test_what_cannot_be_sent_is_left_out_and_the_fault_goes() -> None:
    error = RemoteError("x" * 5_000, big=1 << 70, half="\ud800", long="y" * 5_000, list=[1], good=7)
    fault = Fault.of(error)
    assert fault.fields == {"good": 7}
    assert Fault.from_wire(codec.unpack(codec.pack(fault.wire()), max_size=10_000)) == fault


def test_a_fault_has_room_for_its_row_whatever_fields_it_has() -> None:
    fault = Fault.of(Refused("role", "x", row=3, **{f"f{n:02d}": n for n in range(40)}))
    assert len(fault.fields) == 16
    assert fault.fields["row"] == 3
    assert Fault.from_wire(fault.wire()) == fault
