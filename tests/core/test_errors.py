"""One tree of errors: everybody who catches `RscError` catches all of them, and every one prints as one line."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rsc_share
from rsc_share import codec, errors, names, shape
from rsc_share.errors import (
    LocalError,
    Misbehaviour,
    PolicyDenied,
    Refused,
    RemoteError,
    RscError,
    StorageError,
    Unavailable,
)
from rsc_share.legible import is_legible

TREE = {
    LocalError: RscError,
    PolicyDenied: RscError,
    Refused: RscError,
    Unavailable: RscError,
    StorageError: RscError,
    RemoteError: RscError,
    Misbehaviour: RemoteError,
}
MADE: list[RscError] = [
    LocalError("no such file", advice="name another"),
    PolicyDenied("the policy withholds it", plan=object()),
    Refused("stale-head", "number 3 does not continue 1", row=7, seq=1),
    Unavailable("the relay is draining", retry_after=2.5),
    StorageError("disk full"),
    RemoteError("not msgpack", where="header"),
    Misbehaviour("two trees of one size", evidence=Path("evidence/1")),
]


@pytest.mark.parametrize(("kind", "parent"), TREE.items())
def test_the_tree_is_as_written(kind: type[RscError], parent: type[RscError]) -> None:
    assert kind.__bases__ == (parent,)
    assert issubclass(RscError, Exception)


def test_no_other_error_class_stands_outside_the_tree() -> None:
    """Every exception this package defines is an `RscError`, or private to the module that catches it."""
    strangers = []
    for module in pkgutil.walk_packages(rsc_share.__path__, "rsc_share."):
        if module.name.endswith("__main__"):
            continue
        found = importlib.import_module(module.name)
        for name, value in vars(found).items():
            ours = isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == module.name
            if ours and not issubclass(value, RscError) and not name.startswith("_"):
                strangers.append(f"{module.name}.{name}")
    assert strangers == []


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_prints_as_one_line_for_people(error: RscError) -> None:
    assert str(error).count("\n") == 0
    assert str(error).startswith(error.what)
    assert error.advice in str(error)
    assert type(error).__name__ in repr(error)
    assert error.code in repr(error)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_every_error_has_a_code_for_programs(error: RscError) -> None:
    assert error.code == error.code.lower()
    assert " " not in error.code
    assert isinstance(error.fields, dict)


def test_codes_can_be_more_exact_than_the_class() -> None:
    assert RemoteError("x").code == "malformed"
    assert RemoteError("x", code="bad-proof").code == "bad-proof"
    assert Refused("revoked", "x", row=3).code == "revoked"


def test_fields_are_kept_apart_from_the_sentence() -> None:
    error = Refused("stale-directory", "acted on an old directory", row=5, had=3, needs=9)
    assert (error.row, error.fields) == (5, {"had": 3, "needs": 9})
    assert Unavailable("x", retry_after=1.5).retry_after == 1.5
    assert Misbehaviour("x", evidence=Path("a")).evidence == Path("a")
    plan = object()
    assert PolicyDenied("x", plan=plan).plan is plan


def test_only_weather_may_be_retried() -> None:
    """Who writes `except Unavailable: retry` never retries a verdict."""
    assert [type(e).__name__ for e in MADE if isinstance(e, Unavailable)] == ["Unavailable"]


def test_the_module_exports_exactly_the_tree() -> None:
    defined = {v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, BaseException)}
    assert defined == {RscError, *TREE}


PARSERS: dict[str, Callable[[Any], Any]] = {
    "codec": lambda data: codec.unpack(data, max_size=4096),
    "node": lambda data: names.node(data.decode("latin-1"), "x"),
    "origin": lambda data: names.origin(data.decode("latin-1"), "x"),
    "id": lambda data: names.message_id(data, "x"),
    "text": lambda data: shape.text(data.decode("latin-1"), "x"),
    "closed": lambda data: shape.closed(codec.unpack(data, max_size=4096), "x", ("a",)),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=100))
def test_any_error_of_a_parser_is_a_remote_error_of_one_line(name: str, data: bytes) -> None:
    found: list[RemoteError] = []
    try:
        PARSERS[name](data)
    except RemoteError as error:
        found.append(error)
    assert all(str(error).isprintable() and error.code == "malformed" for error in found)


def test_what_a_stranger_wrote_cannot_break_a_log_line() -> None:
    """Keys of a stranger's map stand in the sentence: never a line break that forges the next line of a log."""
    data = codec.pack({"a\nERROR forged": 1})
    with pytest.raises(RemoteError) as caught:
        shape.closed(codec.unpack(data, max_size=100), "header", ("a",))
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_error_prints_more_than_one_line(what: str, advice: str) -> None:
    error = RemoteError(what, advice=advice)
    assert (str(error) + error.what + error.advice).isprintable()
    if is_legible(what + advice):
        assert (error.what, error.advice) == (what, advice)
