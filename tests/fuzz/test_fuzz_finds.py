"""What fuzzing found, kept so that it stays fixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsc_share import codec
from rsc_share.errors import LocalError, RemoteError
from rsc_share.messages.likelihood import Scale
from rsc_share.node.home import CONFIG, Settings
from rsc_share.session.frames import Tail

DEEP = b"a = " + b"[" * 3000


def test_a_deeply_nested_scale_is_refused() -> None:
    with pytest.raises(RemoteError):
        Scale.from_toml(DEEP, "scale")


def test_deeply_nested_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes(DEEP)
    with pytest.raises(LocalError):
        Settings.read(tmp_path / CONFIG)


@pytest.mark.parametrize("bodies", [None, 0, "", False, b"", {}])
def test_no_bodies_have_one_spelling(bodies: object) -> None:
    """Whatever Python holds to be false was read as an empty list: six frames for one value."""
    frame = ["relay.example/regional/ct", 0, [[b"entry", None, [], bodies]], b"note"]
    with pytest.raises(RemoteError):
        Tail.from_wire(codec.unpack(codec.pack(frame), max_size=1000))
