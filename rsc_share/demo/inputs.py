"""What the demonstration publishes: files of the user, or the two that lie beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rsc_share.bridges.cap import read_alert
from rsc_share.bridges.stix import read_bundle
from rsc_share.errors import RemoteError
from rsc_share.messages.body import Body

MOST = 200
"""Messages of one file that are published: enough to see, and a run stays within a minute."""
UNMARKED = "TLP:AMBER"
"""What an object is published under that carries no TLP marking we understand."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message to be, and the TLP marking its file suggests for it."""

    body: Body
    marking: str


@dataclass(frozen=True, slots=True)
class Input:
    """One file as it was read. `lost`: what of it is in no message; `found` counts what could be published."""

    kind: str
    source: str
    items: tuple[Item, ...]
    found: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    stix: Input
    cap: Input


def read_inputs(stix: Path | None, cap: Path | None) -> Inputs:
    """Raises `LocalError` (not readable) and `RemoteError` (not what it should be, or nothing in it to publish)."""
    return Inputs(_stix(stix), _cap(cap))


def _own(name: str) -> bytes:
    return resources.files("rsc_share.demo").joinpath("data", name).read_bytes()


def _stix(path: Path | None) -> Input:
    found = read_bundle(_own("cyber.stix.json") if path is None else path)
    if not found.bodies:
        raise RemoteError(f"{path}: holds nothing that could be published", code="bad-stix", file=str(path))
    items = tuple(Item(body, _marking(found.markings, body.stix_id)) for body in found.bodies[:MOST])
    return Input("STIX 2.1 bundle", _name(path), items, len(found), tuple(found.loss))


def _marking(markings: Mapping[str, str], stix_id: str) -> str:
    return markings.get(stix_id, UNMARKED)


def _cap(path: Path | None) -> Input:
    found = read_alert(_own("disaster.cap.xml") if path is None else path)
    marking = "TLP:CLEAR" if found.alert.scope == "Public" else "TLP:GREEN"
    return Input("CAP 1.2 alert", _name(path), (Item(found.alert, marking),), 1, tuple(found.loss))


def _name(path: Path | None) -> str:
    return "our own example" if path is None else str(path)
