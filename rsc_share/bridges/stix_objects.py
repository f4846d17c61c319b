"""STIX 2.1 objects that become messages: indicator, malware, threat-actor, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from rsc_share.bridges.stix_fields import Fields
from rsc_share.messages.common import Period, Reference
from rsc_share.messages.cyber import Indicator, KillChainPhase, Report

CyberBody: TypeAlias = Indicator | Report


M = TypeVar("M", bound=BaseModel)
_SPELLED = {
    "stix_id": "id",
    "created_by": "created_by_ref",
    "tags": "labels",
    "score": "confidence",
    "language": "lang",
    "kill_chain": "kill_chain_phases",
    "title": "name",
    "summary": "description",
    "period": "first_seen",
    "operating_systems": "operating_system_refs",
    "architectures": "architecture_execution_envs",
    "samples": "sample_refs",
    "objects": "object_refs",
    "source": "source_name",
    "phase": "phase_name",
}
"""STIX's name of our field, for complaints, where it is another."""


def read_object(fields: Fields, kind: str) -> CyberBody:
    """The message for an object of a type in `READERS`. Raises `RemoteError` where it breaks STIX or our bounds."""
    fields.take("type")
    fields.take("spec_version")
    values = _common(fields) | READERS[kind](fields)
    fields.lose("granular_markings", "mark the portions yourself")
    fields.close()
    if kind == "indicator":
        return _build(fields, Indicator, values)
    return _build(fields, Report, values | {"subject": kind}, kinds=f"{kind.replace('-', '_')}_types")


def _build(fields: Fields, model: type[M], values: dict[str, Any], **spelled: str) -> M:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name, index = [*first["loc"], "", ""][:2]
        key = ({"kinds": "indicator_types"} | _SPELLED | spelled).get(str(name), str(name))
        raise fields.wrong(first["msg"], key, index if isinstance(index, int) else None) from None


def _common(fields: Fields) -> dict[str, Any]:
    """STIX 2.1 section 3.2, the properties every object has."""
    return {
        "stix_id": fields.text("id", required=True),
        "created": fields.time("created", required=True),
        "modified": fields.time("modified", required=True),
        "created_by": fields.text("created_by_ref"),
        "revoked": fields.flag("revoked") or False,
        "tags": fields.texts("labels"),
        "score": fields.integer("confidence"),
        "language": fields.text("lang"),
        "references": fields.each("external_references", _reference),
    }


def _reference(fields: Fields) -> Reference:
    values = {
        "source": fields.text("source_name", required=True),
        "description": fields.text("description"),
        "url": fields.text("url"),
        "external_id": fields.text("external_id"),
        "hashes": fields.take("hashes"),
    }
    return _build(fields, Reference, {key: value for key, value in values.items() if value is not None})


def _phase(fields: Fields) -> KillChainPhase:
    values = {
        "kill_chain": fields.text("kill_chain_name", required=True),
        "phase": fields.text("phase_name", required=True),
    }
    return _build(fields, KillChainPhase, values, kill_chain="kill_chain_name")


def _indicator(fields: Fields) -> dict[str, Any]:
    return {
        "pattern": fields.text("pattern", required=True),
        "pattern_type": fields.text("pattern_type", required=True),
        "pattern_version": fields.text("pattern_version"),
        "name": fields.text("name"),
        "description": fields.text("description"),
        "kinds": fields.texts("indicator_types"),
        "valid_from": fields.time("valid_from", required=True),
        "valid_until": fields.time("valid_until"),
        "kill_chain": fields.each("kill_chain_phases", _phase),
    }


def _seen(fields: Fields) -> Period | None:
    first, last = fields.time("first_seen"), fields.time("last_seen")
    return None if first is None and last is None else _build(fields, Period, {"start": first, "end": last})


def _malware(fields: Fields) -> dict[str, Any]:
    return {
        "title": fields.text("name"),
        "summary": fields.text("description"),
        "kinds": fields.texts("malware_types"),
        "is_family": fields.flag("is_family", required=True),
        "aliases": fields.texts("aliases"),
        "kill_chain": fields.each("kill_chain_phases", _phase),
        "period": _seen(fields),
        "operating_systems": fields.texts("operating_system_refs"),
        "architectures": fields.texts("architecture_execution_envs"),
        "implementation_languages": fields.texts("implementation_languages"),
        "capabilities": fields.texts("capabilities"),
        "samples": fields.texts("sample_refs"),
    }


def _threat_actor(fields: Fields) -> dict[str, Any]:
    return {
        "title": fields.text("name", required=True),
        "summary": fields.text("description"),
        "kinds": fields.texts("threat_actor_types"),
        "aliases": fields.texts("aliases"),
        "period": _seen(fields),
        "roles": fields.texts("roles"),
        "goals": fields.texts("goals"),
        "sophistication": fields.text("sophistication"),
        "resource_level": fields.text("resource_level"),
        "primary_motivation": fields.text("primary_motivation"),
        "secondary_motivations": fields.texts("secondary_motivations"),
        "personal_motivations": fields.texts("personal_motivations"),
    }


def _report(fields: Fields) -> dict[str, Any]:
    return {
        "title": fields.text("name", required=True),
        "summary": fields.text("description"),
        "kinds": fields.texts("report_types"),
        "published": fields.time("published", required=True),
        "objects": fields.texts("object_refs", required=True),
    }


READERS: Mapping[str, Callable[[Fields], dict[str, Any]]] = {
    "indicator": _indicator,
    "malware": _malware,
    "threat-actor": _threat_actor,
    "report": _report,
}
