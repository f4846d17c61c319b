"""Decisions of the sharing policy, and rows that are refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rsc_share.labels.label import Label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide, required_releases
from rsc_share.policy.rows import parse_rows
from rsc_share.policy.subject import ChannelFacts, Entitlement, Facets, Subject
from rsc_share.testing.vectors import rules
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.material import BEGIN, DAY, T0, Material, plain, refusal
from rsc_share.testing.vectors.sharing import est_label


def policy(_: Material) -> Vectors:
    added = parse_rows(_ADDED.encode(), "agreement", ("EST", "FIN"))
    bundle = rules.bundle().with_rows(added, groups={"@members": _MEMBERS, "@nordic": ["FIN"]})
    cases = [_decision(bundle, *case) for case in _cases()]
    return {
        "what": "The bundle of the vectors, and decisions under it. `groups` are the charter's.",
        "bundle": rules.PACKED.hex(),
        "digest": bundle.digest.hex(),
        "files": {path: text.decode() for path, text in rules.FILES.items()},
        "groups": {"@members": list(_MEMBERS), "@nordic": ["FIN"]},
        "agreement": {"parties": ["EST", "FIN"], "rows": _ADDED},
        "decisions": cases,
        "bad_rows": [{"why": why, "rows": text} for why, text in _BAD_ROWS.items() if _bad_rows(text)],
    }


_ADDED = """\
[[agreement]]
id = "drill"
effect = "deny"
from = ["EST"]
to = ["LVA"]
families = ["drill"]
tags = { project = ["NORTHWIND"], caveat = ["CRYPTO"] }
"""
_MEMBERS = ("EST", "FIN", "LTU", "LVA")
_ROW = '[[agreement]]\nid = "x"\neffect = "{}"\nfrom = ["EST"]\nto = ["FIN"]\n{}'
_BAD_ROWS = {
    "an unknown key": _ROW.format("deny", "colour = 1\n"),
    "a permit with tags": _ROW.format(
        "permit", 'actions = ["open"]\nvalid = [2026-01-01, 2026-12-31]\ntags = { a = ["B"] }\n'
    ),
    "a permit without validity": _ROW.format("permit", 'actions = ["open"]\n'),
    "a ceiling without a level": _ROW.format("ceiling", ""),
    "an unknown action": _ROW.format("deny", 'actions = ["print"]\n'),
    "an unknown effect": _ROW.format("allow", ""),
    "a level without its scheme": _ROW.format("deny", 'min_level = "SECRET"\n'),
    "TOML 1.1: a last comma": _ROW.format("deny", 'tags = { caveat = ["CRYPTO"], }\n'),
    "TOML 1.1: a line end in an inline table": _ROW.format("deny", 'tags = {\n  caveat = ["CRYPTO"] }\n'),
    "TOML 1.1: the escape x": _ROW.format("deny", 'basis = "\\x41"\n'),
    "TOML 1.1: the escape e": _ROW.format("deny", 'basis = "\\e"\n'),
    "a character that turns the direction of reading": _ROW.format("deny", 'basis = "\u202e"\n'),
    "one in a comment": _ROW.format("deny", "# \u202e\n"),
    "an invisible character by its escape": _ROW.format("deny", 'basis = "a\\u200b"\n'),
    "a line end by its escape": _ROW.format("deny", 'basis = "a\\n"\n'),
    "an unknown obligation": _ROW.format(
        "permit", 'actions = ["open"]\nvalid = [2026-01-01, 2026-12-31]\nobligations = { burn = "yes" }\n'
    ),
}


def _bad_rows(text: str) -> bool:
    return refusal(parse_rows, text.encode(), "bundle") is not None


def _subject(member: str, **changes: Any) -> Subject:
    held = Entitlement(
        frozenset({"OPEN", "RESTRICTED", "SECRET", "TOP SECRET"}),
        {"caveat": frozenset({"SOURCE-SENSITIVE", "CRYPTO"}), "project": frozenset({"NORTHWIND"})},
    )
    given: dict[str, Any] = {
        "node": f"{member}/mod-1",
        "member": member,
        "groups": frozenset({"@members", "@nordic"} if member == "FIN" else {"@members"}),
        "entitlements": {"REGIONAL": held},
        "accreditation": {"REGIONAL": "TOP SECRET"},
    }
    return Subject(**{**given, **changes})


def _facets(originator: str = "EST", **changes: Any) -> Facets:
    channel = ChannelFacts("ct", "operational", frozenset(_MEMBERS), {"REGIONAL": "TOP SECRET"}, frozenset({"threat"}))
    given: dict[str, Any] = {"time": T0, "channel": channel, "originator": originator, "family": "threat"}
    return Facets(**{"type": "threat/assessment/1", **given, **changes})


Case = tuple[str, Label, Subject, str, Facets]


def _cases() -> Iterable[Case]:
    fin, lva, ltu = _subject("FIN"), _subject("LVA"), _subject("LTU")
    pact = Entitlement(frozenset({"GREY", "BLACK"}), {"handling-caveat": frozenset({"HUMINT"})})
    outsider = _subject("LVA", entitlements={"PACT": pact}, accreditation={"PACT": "BLACK"})
    secret, both = est_label("REGIONAL SECRET REL TO FIN, LVA"), est_label("REGIONAL SECRET REL TO @members")
    sensitive = est_label("REGIONAL SECRET SOURCE-SENSITIVE REL TO @members")
    facets = _facets()
    small = ChannelFacts("ct", "operational", frozenset({"EST"}), {"REGIONAL": "SECRET"})
    low = ChannelFacts("ct", "operational", frozenset(_MEMBERS), {"REGIONAL": "RESTRICTED"})
    translated = ChannelFacts("ct", "operational", frozenset(_MEMBERS), {"PACT": "BLACK"})
    yield "released", secret, fin, "receive", facets
    yield "epoch: after the bundle's last day", secret, fin, "receive", _facets(time=BEGIN + 546 * DAY)
    yield "epoch: the last day itself", secret, fin, "receive", _facets(time=BEGIN + 546 * DAY - 1)
    yield "valid: no such level", Label.of("REGIONAL", "COSMIC", originators=["EST"]), fin, "receive", facets
    yield "scheme: entitled in none", secret, _subject("FIN", entitlements={}), "receive", facets
    yield "an equivalence: read as PACT", secret, outsider, "receive", facets
    nobody = est_label("REGIONAL SECRET PROJECT NONE REL TO LVA")
    yield "scheme: a tag that nobody holds has no equal", nobody, outsider, "receive", facets
    yield "an equivalence that has ended", secret, outsider, "receive", _facets(time=BEGIN + 400 * DAY)
    yield "an equivalence, with a caveat that has an equal", sensitive, outsider, "receive", facets
    yield (
        "scheme: a caveat without an equal",
        est_label("REGIONAL SECRET CRYPTO REL TO LVA"),
        outsider,
        "receive",
        facets,
    )
    yield (
        "level: above the node's accreditation",
        secret,
        _subject("FIN", accreditation={"REGIONAL": "RESTRICTED"}),
        "receive",
        facets,
    )
    yield (
        "level: the node is accredited in another scheme",
        secret,
        _subject("FIN", accreditation={"PACT": "BLACK"}),
        "receive",
        facets,
    )
    yield "level: accredited in no scheme", secret, _subject("FIN", accreditation={}), "receive", facets
    yield "level: above the channel's ceiling", secret, fin, "receive", _facets(channel=low)
    yield "level: the ceiling through an equivalence", secret, fin, "receive", _facets(channel=translated)
    yield (
        "level: a set, not a maximum",
        est_label("REGIONAL RESTRICTED REL TO FIN"),
        _subject("FIN", entitlements={"REGIONAL": Entitlement(frozenset({"SECRET"}))}),
        "receive",
        facets,
    )
    yield (
        "restrict: a caveat is missing",
        sensitive,
        _subject("FIN", entitlements={"REGIONAL": Entitlement(frozenset({"SECRET"}))}),
        "receive",
        facets,
    )
    yield "audience: not listed", est_label("REGIONAL SECRET REL TO LVA"), fin, "receive", facets
    yield "audience: by group", est_label("REGIONAL SECRET REL TO @nordic"), fin, "receive", facets
    yield (
        "audience: the sole originator",
        est_label("REGIONAL SECRET ORIGINATOR ONLY"),
        _subject("EST"),
        "receive",
        facets,
    )
    yield (
        "audience: one of two originators",
        est_label("REGIONAL SECRET ORIGINATOR ONLY", "EST", "FIN"),
        fin,
        "receive",
        facets,
    )
    yield "audience: no party of the charter", both, _subject("FIN", groups=frozenset()), "receive", facets
    yield "audience: a dated group of a scheme", est_label("REGIONAL SECRET REL TO @pact"), lva, "receive", facets
    yield "audience: not yet in the dated group", est_label("REGIONAL SECRET REL TO @pact"), fin, "receive", facets
    yield (
        "audience: in the dated group by now",
        est_label("REGIONAL SECRET REL TO @pact"),
        fin,
        "receive",
        _facets(time=BEGIN + 200 * DAY),
    )
    yield (
        "permit: one value is enough",
        est_label("REGIONAL SECRET PROJECT NORTHWIND, EASTWIND REL TO FIN"),
        fin,
        "receive",
        facets,
    )
    yield "permit: none of them", est_label("REGIONAL SECRET PROJECT EASTWIND REL TO FIN"), fin, "receive", facets
    yield "permit: NONE is nobody", est_label("REGIONAL SECRET PROJECT NONE REL TO FIN"), fin, "receive", facets
    yield "need: not in the channel", secret, fin, "receive", _facets(channel=small)
    yield "realm: exercise material", secret, fin, "receive", _facets(realm="exercise")
    yield "origin: forwarding another's material", secret, fin, "forward", _facets("FIN")
    yield "origin: released", secret, fin, "forward", _facets("FIN", releases=frozenset({"EST"}))
    yield (
        "origin: public and nobody controls it",
        est_label("REGIONAL OPEN REL TO @members"),
        fin,
        "forward",
        _facets("FIN"),
    )
    yield (
        "agreement: LTU requires one, the row fits",
        est_label("REGIONAL SECRET REL TO FIN", "LTU"),
        fin,
        "receive",
        _facets("LTU", purpose="warning"),
    )
    yield (
        "agreement: another purpose",
        est_label("REGIONAL SECRET REL TO FIN", "LTU"),
        fin,
        "receive",
        _facets("LTU", purpose="news"),
    )
    yield (
        "agreement: excepted caveat",
        est_label("REGIONAL SECRET SOURCE-SENSITIVE REL TO FIN", "LTU"),
        fin,
        "receive",
        _facets("LTU", purpose="warning"),
    )
    yield (
        "agreement: LTU's own node needs none",
        est_label("REGIONAL SECRET REL TO FIN", "LTU"),
        ltu,
        "receive",
        _facets("LTU"),
    )
    yield "agreement: a deny row", est_label("REGIONAL SECRET CRYPTO REL TO LTU"), ltu, "receive", facets
    yield "agreement: below the deny row's level", est_label("REGIONAL RESTRICTED REL TO LTU"), ltu, "receive", facets
    yield "agreement: a ceiling row", est_label("REGIONAL SECRET REL TO LVA", "FIN"), lva, "receive", _facets("FIN")
    yield (
        "agreement: under the ceiling",
        est_label("REGIONAL RESTRICTED REL TO LVA", "FIN"),
        lva,
        "receive",
        _facets("FIN"),
    )
    yield (
        "agreement: the ceiling row has ended",
        est_label("REGIONAL SECRET REL TO LVA", "FIN"),
        lva,
        "receive",
        _facets("FIN", time=BEGIN + 200 * DAY),
    )
    drill = _facets(family="drill")
    yield "agreement: a row that looks at a permissive tag takes it as carried", secret, lva, "receive", drill
    yield "handling: not for publication", secret, fin, "publish", _facets("FIN", releases=frozenset({"EST"}))
    yield "handling: publication", est_label("REGIONAL OPEN REL TO @members"), fin, "publish", _facets("FIN")
    yield "handling: readers are named", est_label("REGIONAL TOP SECRET REL TO FIN"), fin, "receive", facets
    yield "action: unknown", secret, fin, "print", facets


def _decision(bundle: Bundle, why: str, label: Label, subject: Subject, action: str, facets: Facets) -> dict[str, Any]:
    found = decide(bundle, label, subject, action, facets)
    return {
        "why": why,
        "label": plain(label.wire()),
        "subject": {
            "node": subject.node,
            "member": subject.member,
            "groups": sorted(subject.groups),
            "entitlements": {scheme: held.wire() for scheme, held in subject.entitlements.items()},
            "accreditation": dict(subject.accreditation),
        },
        "action": action,
        "facets": {
            "time": facets.time,
            "channel": {
                "name": facets.channel.name,
                "realm": facets.channel.realm,
                "members": sorted(facets.channel.members),
                "ceiling": dict(facets.channel.ceiling),
            },
            "originator": facets.originator,
            "family": facets.family,
            "purpose": facets.purpose,
            "releases": sorted(facets.releases),
            "realm": facets.realm,
        },
        "permitted": found.permitted,
        "code": found.code,
        "row": found.row,
        "obligations": [list(item) for item in found.obligations],
        "required_releases": list(required_releases(bundle, label, facets)) if action == "receive" else [],
    }
