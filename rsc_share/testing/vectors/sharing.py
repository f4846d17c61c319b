"""Labels in wire and text form, and their order."""

from __future__ import annotations

from typing import Any

from rsc_share import codec
from rsc_share.labels.equivalence import map_label
from rsc_share.labels.label import Label
from rsc_share.labels.order import dominates, join
from rsc_share.labels.scheme import SchemeSet, day_of
from rsc_share.labels.text import parse_label, render_label
from rsc_share.labels.validity import validate
from rsc_share.testing.vectors import rules
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.material import BEGIN, DAY, T0, Material, plain, refusal

_TEXTS = (
    "REGIONAL SECRET REL TO LVA, FIN",
    "regional secret source-sensitive rel to fin",
    "REGIONAL SECRET REL TO EST",
    "REGIONAL SECRET REL TO EST, FIN",
    "REGIONAL SECRET ORIGINATOR ONLY",
    "REGIONAL RESTRICTED PROJECT NORTHWIND, EASTWIND ORCON PAP GREEN REL TO @members",
    "REGIONAL RESTRICTED PROJECT NONE REL TO @nordic",
    "REGIONAL RESTRICTED REL TO @members, FIN",
    "REGIONAL TOP SECRET CRYPTO REL TO FIN",
    "PACT:BLACK",
    "PACT:BLACK REL TO EST",
    "PACT:GREY REL TO EST, LVA ONLY",
    "REGIONAL SECRET",
    "REGIONAL TOP SECRET REL TO @members",
    "REGIONAL OPEN SOURCE-SENSITIVE REL TO @members",
    "REGIONAL RESTRICTED CRYPTO REL TO FIN",
    "REGIONAL SECRETS REL TO FIN",
    "REGIONAL SECRET REL TO FIN LVA",
    "REGIONAL SECRET PAP GREEN, RED REL TO FIN",
    "NOWHERE SECRET REL TO FIN",
    "",
)
_GOOD = {
    "audience": ["FIN", "LVA"],
    "created": None,
    "level": "SECRET",
    "originators": ["EST"],
    "review": None,
    "scheme": "REGIONAL",
    "successor": None,
    "tags": {"caveat": ["SOURCE-SENSITIVE"]},
}
_WRONG: dict[str, dict[str, Any]] = {
    "an unknown key": {"colour": 1},
    "audience not sorted": {"audience": ["LVA", "FIN"]},
    "somebody twice": {"audience": ["FIN", "FIN"]},
    "the sole originator in its audience": {"audience": ["EST", "FIN"]},
    "somebody beside @members": {"audience": ["@members", "FIN"]},
    "level in lower case": {"level": "secret"},
    "a tag without capitals": {"tags": {"caveat": ["source"]}},
    "tag values not sorted": {"tags": {"caveat": ["B", "A"]}},
    "time below zero": {"created": -1},
    "successor of a successor": {"successor": {**_GOOD, "successor": _GOOD}},
}


def labels(_: Material) -> Vectors:
    schemes = rules.bundle().schemes
    wrong = [{"why": why, "wire": plain({**_GOOD, **change})} for why, change in _WRONG.items()]
    wrong.append({"why": "a key missing", "wire": plain({k: v for k, v in _GOOD.items() if k != "review"})})
    return {
        "what": "Labels made by EST (`originators` [EST]) under the schemes of policy.json.",
        "text": [_text(text, schemes) for text in _TEXTS],
        "wire": [_wire(label) for label in _samples()],
        "bad_wire": [item for item in wrong if refusal(Label.from_wire, item["wire"])],
        "valid": [_validity(label, schemes) for label in (*_samples(), *_invalid())],
        "mapped": [_mapped(label, day, schemes) for label in _samples() for day in (BEGIN, BEGIN + 400 * DAY)],
        "join": [_join(a, b, schemes) for a in _samples()[:7] for b in _samples()[:7]],
    }


def est_label(text: str, *originators: str) -> Label:
    return parse_label(text, rules.bundle().schemes, originators=originators or ("EST",))


def _samples() -> list[Label]:
    return [
        est_label("REGIONAL SECRET REL TO FIN, LVA"),
        est_label("REGIONAL SECRET SOURCE-SENSITIVE REL TO FIN", "EST", "LVA"),
        est_label("REGIONAL RESTRICTED PROJECT NORTHWIND PAP GREEN REL TO @members"),
        est_label("REGIONAL RESTRICTED PROJECT EASTWIND PAP RED ORCON REL TO @nordic", "FIN"),
        est_label("REGIONAL OPEN REL TO @members"),
        est_label("PACT:GREY HUMINT", "LVA"),
        est_label("REGIONAL TOP SECRET CRYPTO ORIGINATOR ONLY"),
        Label.of(
            "REGIONAL",
            "SECRET",
            originators=["EST"],
            audience=["FIN"],
            created=T0,
            review=T0 + DAY,
            successor=est_label("REGIONAL RESTRICTED REL TO FIN"),
        ),
    ]


def _invalid() -> list[Label]:
    return [
        Label.of("REGIONAL", "SECRET", tags={"caveat": ["LIMITED"]}, originators=["EST"]),
        Label.of("REGIONAL", "COSMIC", originators=["EST"]),
        Label.of("REGIONAL", "SECRET", tags={"caveat": []}, originators=["EST"]),
        Label.of("REGIONAL", "SECRET", tags={"pap": ["GREEN", "RED"]}, originators=["EST"]),
        Label.of("REGIONAL", "SECRET", tags={"weather": ["RAIN"]}, originators=["EST"]),
        Label.of("REGIONAL", "TOP SECRET", originators=["EST"], audience=["@nordic"]),
        Label.of("REGIONAL", "SECRET", originators=["EST"], review=T0 - DAY),
        Label.of("REGIONAL", "SECRET", originators=["EST"], successor=est_label("REGIONAL OPEN REL TO FIN")),
    ]


def _text(text: str, schemes: SchemeSet) -> dict[str, Any]:
    if refusal(parse_label, text, schemes, originators=("EST",)):
        return {"text": text, "ok": False}
    label = parse_label(text, schemes, originators=("EST",))
    return {"text": text, "ok": True, "wire": plain(label.wire()), "rendered": render_label(label, schemes)}


def _wire(label: Label) -> dict[str, Any]:
    return {"wire": plain(label.wire()), "packed": codec.pack(label.wire()).hex(), "digest": label.digest.hex()}


def _validity(label: Label, schemes: SchemeSet) -> dict[str, Any]:
    reading = refusal(validate, label, schemes) is None
    writing = refusal(validate, label, schemes, T0, writing=True) is None
    return {"wire": plain(label.wire()), "now": T0, "reading": reading, "writing": writing}


def _mapped(label: Label, time: int, schemes: SchemeSet) -> dict[str, Any]:
    to = "PACT" if label.scheme == "REGIONAL" else "REGIONAL"
    found = map_label(label, to, schemes, day_of(time))
    return {"wire": plain(label.wire()), "to": to, "time": time, "mapped": found and plain(found.wire())}


def _join(a: Label, b: Label, schemes: SchemeSet) -> dict[str, Any]:
    code = refusal(join, a, b, schemes, T0)
    joined = join(a, b, schemes, T0) if code is None else None
    return {
        "a": plain(a.wire()),
        "b": plain(b.wire()),
        "now": T0,
        "join": joined and plain(joined.wire()),
        "a_dominates_b": dominates(a, b, schemes, T0),
    }
