"""STIX 2.1 bundles in: indicators, malware, threat actors and reports become messages, all else is named as lost.

Accepted are a bundle, a single object, and a TAXII 2.1 envelope. A broken object refuses the whole file: half an import
that looks whole is worse than none. Source: OASIS STIX 2.1, 10 June 2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rsc_share.bridges.loss import LossReport, Source, read_source
from rsc_share.bridges.stix_fields import Fields
from rsc_share.bridges.stix_objects import READERS, CyberBody, read_object
from rsc_share.bridges.strict_json import load_json
from rsc_share.bridges.tlp import KNOWN, strictest, tlp_of
from rsc_share.messages.cyber import Indicator, Report

MAX_OBJECTS = 100_000
_ID = re.compile(r"([a-z0-9][a-z0-9-]{1,248})--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class StixImport:
    """The messages in file order, what was lost, and the TLP marking each object carried (by its STIX id).

    Markings are suggestions for a label, never a label: the sender decides.
    """

    bodies: tuple[CyberBody, ...]
    loss: LossReport
    markings: Mapping[str, str]
    bundle_id: str | None = None

    def __iter__(self) -> Iterator[CyberBody]:
        return iter(self.bodies)

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        return tuple(body for body in self.bodies if isinstance(body, Indicator))

    @property
    def reports(self) -> tuple[Report, ...]:
        return tuple(body for body in self.bodies if isinstance(body, Report))

    @property
    def marking(self) -> str | None:
        """The strictest marking such as `TLP:AMBER`; None unless every message has one that is understood."""
        if not self.bodies or any(body.stix_id not in self.markings for body in self.bodies):
            return None
        return strictest(self.markings.values())


def read_bundle(source: Source) -> StixImport:
    """Read a file or bytes. Raises `LocalError` (file not readable) or `RemoteError` (`bad-json`, `bad-stix`)."""
    name, data = read_source(source, "STIX bundle")
    reading = _Reading(name)
    bundle_id, objects = reading.open(load_json(data, name))
    for index, value in objects:
        reading.add(index, value)
    return StixImport(tuple(reading.bodies.values()), LossReport(tuple(reading.lost)), reading.markings, bundle_id)


@dataclass(slots=True)
class _Reading:
    """One import under way."""

    file: str
    lost: list[str] = field(default_factory=list)
    bodies: dict[str, CyberBody] = field(default_factory=dict)
    markings: dict[str, str] = field(default_factory=dict)
    tlp: dict[str, str] = field(default_factory=lambda: dict(KNOWN))

    def open(self, value: Any) -> tuple[str | None, list[tuple[str, dict[str, Any]]]]:
        """The bundle's id and its objects with their places. What stands beside the objects is lost."""
        top = Fields(value, self.file, "bundle $", self.lost)
        kind = top.text("type")
        bundle_id = None
        if kind == "bundle":
            bundle_id = top.text("id", required=True)
            self._check_id(top, bundle_id, "bundle")
        elif kind is not None:
            return None, self._checked([value], top, "")
        elif "objects" not in value:
            raise top.wrong("neither a STIX bundle nor a STIX object: it has no type")
        objects = top.take("objects")
        if objects is not None and type(objects) is not list:
            raise top.wrong("needs a list", "objects")
        top.close()
        return bundle_id, self._checked(objects or [], top, "objects")

    def _checked(self, objects: list[Any], top: Fields, key: str) -> list[tuple[str, dict[str, Any]]]:
        if len(objects) > MAX_OBJECTS:
            raise top.wrong(f"more than {MAX_OBJECTS} objects")
        found = []
        for index, value in enumerate(objects):
            if type(value) is not dict or type(value.get("type")) is not str:
                raise top.wrong("needs an object with a type", key, index)
            if value["type"] == "marking-definition" and (level := tlp_of(value)) is not None:
                self.tlp[str(value.get("id"))] = level
            found.append((f"bundle $.{key}[{index}]" if key else "object $", value))
        return found

    def _check_id(self, fields: Fields, value: Any, kind: str) -> None:
        match = _ID.fullmatch(value) if type(value) is str else None
        if match is None or match[1] != kind:
            raise fields.wrong(f"needs an id {kind}--<UUID>", "id")

    def add(self, place: str, value: dict[str, Any]) -> None:
        kind, stix_id = value["type"], value.get("id")
        if kind not in READERS:
            known = type(stix_id) is str and _ID.fullmatch(stix_id)
            name = stix_id if known else place
            level = self.tlp.get(str(stix_id)) if kind == "marking-definition" else None
            why = f"read as {level}" if level else f"{kind[:60]!r} objects are not carried"
            self.lost.append(f"{name} $ ({why})" if known else f"{name} ({why})")
            return
        self._check_id(Fields(value, self.file, place, self.lost), stix_id, kind)
        fields = Fields(value, self.file, f"{stix_id} $", self.lost)
        if value.get("spec_version") != "2.1":
            self.lost.append(f"{stix_id} $ (not STIX 2.1)")
        else:
            self._carry(fields, str(stix_id), kind)

    def _carry(self, fields: Fields, stix_id: str, kind: str) -> None:
        levels = [self.tlp.get(one) for one in fields.texts("object_marking_refs")]
        understood = [level for level in levels if level is not None]
        if len(understood) < len(levels):
            self.lost.append(f"{stix_id} $.object_marking_refs (not all of them are TLP: no marking is suggested)")
        body = read_object(fields, kind)
        if not self._newest(body, fields):
            return
        self.bodies[stix_id] = body
        self.markings.pop(stix_id, None)
        if understood and len(understood) == len(levels):
            self.markings[stix_id] = strictest(understood)

    def _newest(self, body: CyberBody, fields: Fields) -> bool:
        """STIX 2.1 section 3.6: of several versions of one object the newest counts. Two of one time contradict."""
        earlier = self.bodies.get(body.stix_id)
        if earlier is None:
            return True
        if earlier.modified is None or body.modified is None or earlier.modified == body.modified:
            raise fields.wrong("stands twice in this file with one time of modification")
        older = min(earlier.modified, body.modified)
        self.lost.append(f"{body.stix_id} $ (version of {older.isoformat()}, superseded in this file)")
        return body.modified > earlier.modified
