"""What people expect of a decision, case by case, under the example policy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rsc_share.audit import reference
from rsc_share.labels import Label
from rsc_share.labels.shipped import read_label
from rsc_share.policy import (
    Bundle,
    ChannelFacts,
    Decision,
    Entitlement,
    Facets,
    Row,
    Subject,
    decide,
    parse_rows,
    required_releases,
)
from rsc_share.policy.explain import explain
from rsc_share.policy.folder import shipped_bundle, shipped_files
from rsc_share.policy.lint import Codes, Finding, lint
from rsc_share.value import replace

NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
UP_TO_SECRET = frozenset(("UNMARKED", "RESTRICTED", "CONFIDENTIAL", "SECRET"))
HELD = {
    "REGIONAL": Entitlement(UP_TO_SECRET, {"caveat": frozenset(("SOURCE-SENSITIVE",))}),
    "TLP": Entitlement(frozenset(("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"))),
}
CHANNEL = ChannelFacts(
    "counter-terrorism", "operational", frozenset(("EST", "FIN", "LVA")), {"REGIONAL": "SECRET", "TLP": "RED"}
)
BUNDLE = shipped_bundle()
FACETS = Facets(NOW, CHANNEL, "EST", "economy", "economy/shock/1")


def node(member: str, accreditation: str = "SECRET", post: str = "mod-1") -> Subject:
    groups = frozenset(("@members",))
    return Subject(f"{member}/{post}", member, groups, HELD, {"REGIONAL": accreditation, "TLP": "RED"})


def judged(
    text: str, subject: Subject, *, action: str = "receive", facets: Facets = FACETS, bundle: Bundle = BUNDLE
) -> Decision:
    label = read_label(text, originators=["EST"])
    decision = decide(bundle, label, subject, action, facets)
    second = reference.decide(bundle, label, subject, action, facets)
    assert (decision.permitted, decision.code, decision.row) == (second.permitted, second.code, second.row)
    return decision


def rows(text: str, *signers: str) -> tuple[Row, ...]:
    return parse_rows(text.encode(), "agreement" if len(signers) > 1 else "restriction", signers)


@pytest.mark.parametrize(
    ("text", "member", "code"),
    [
        ("REGIONAL RESTRICTED REL TO @members", "LVA", "released"),
        ("REGIONAL SECRET REL TO FIN", "FIN", "released"),
        ("REGIONAL SECRET REL TO FIN", "LVA", "audience"),
        ("REGIONAL SECRET REL TO FIN", "EST", "released"),
        ("REGIONAL SECRET ORIGINATOR ONLY", "FIN", "audience"),
        ("REGIONAL SECRET ORIGINATOR ONLY", "EST", "released"),
        ("REGIONAL TOP SECRET REL TO FIN", "FIN", "level"),
        ("REGIONAL SECRET CRYPTO REL TO FIN", "FIN", "restrict"),
        ("REGIONAL SECRET PROJECT NORTHWIND REL TO FIN", "FIN", "permit"),
        ("REGIONAL SECRET REL TO LTU", "LTU", "need"),
        ("EST SECRET REL TO FIN", "FIN", "released"),
        ("NATO SECRET", "FIN", "scheme"),
        ("TLP:AMBER", "LVA", "released"),
        ("TLP:RED REL TO FIN", "FIN", "released"),
    ],
)
def test_who_may_receive(text: str, member: str, code: str) -> None:
    assert judged(text, node(member)).code == code


def test_node_below_its_members_entitlement_gets_nothing() -> None:
    assert judged("REGIONAL SECRET REL TO FIN", node("FIN", "RESTRICTED", "cert-1")).code == "level"
    assert judged("REGIONAL RESTRICTED REL TO FIN", node("FIN", "RESTRICTED", "cert-1")).permitted


def test_channel_ceiling_holds_for_everybody() -> None:
    low = replace(FACETS, channel=replace(CHANNEL, ceiling={"REGIONAL": "RESTRICTED"}))
    assert judged("REGIONAL SECRET REL TO FIN", node("FIN"), facets=low).code == "level"
    assert judged("TLP:GREEN", node("FIN"), facets=low).code == "level"


def test_equivalence_ends_with_its_last_day() -> None:
    last = int(datetime(2035, 12, 31, 23, 59, tzinfo=UTC).timestamp() * 1000)
    assert judged("EST SECRET REL TO FIN", node("FIN"), facets=replace(FACETS, time=last)).permitted
    assert judged("EST SECRET REL TO FIN", node("FIN"), facets=replace(FACETS, time=last + 60_000)).code == "epoch"


def test_exercise_material_stays_in_exercise_channels() -> None:
    assert judged("TLP:GREEN", node("FIN"), facets=replace(FACETS, realm="exercise")).code == "realm"


def test_third_party_material_needs_each_release() -> None:
    passed_on = replace(FACETS, originator="FIN")
    text = "REGIONAL RESTRICTED REL TO @members"
    assert judged(text, node("LVA"), action="forward", facets=passed_on).code == "origin"
    released = replace(passed_on, releases=frozenset(("EST",)))
    assert judged(text, node("LVA"), action="forward", facets=released).permitted
    assert judged("TLP:CLEAR", node("LVA"), action="forward", facets=passed_on).permitted
    assert judged(text, node("LVA"), action="forward").permitted  # its own


def test_only_a_public_level_is_published() -> None:
    assert judged("TLP:CLEAR", node("FIN"), action="publish").permitted
    assert judged("REGIONAL UNMARKED REL TO @members", node("FIN"), action="publish").code == "handling"


def test_obligations_come_from_level_tags_and_row() -> None:
    assert dict(judged("TLP:AMBER+STRICT PAP RED", node("FIN")).obligations) == {"onward": "organisation", "pap": "RED"}
    threat = replace(FACETS, family="threat")
    decision = judged("REGIONAL SECRET ORCON REL TO FIN", node("FIN"), facets=threat)
    assert decision.row == "EST-FIN-2026-ct"
    assert {"retain_days", "attribution", "originator-control"} == set(dict(decision.obligations))


def test_member_restricts_its_own_material_tonight_and_nobody_elses() -> None:
    deny = '[[agreement]]\nid = "tonight"\neffect = "deny"\nfrom = ["EST"]\nto = ["LVA"]\n'
    narrowed = BUNDLE.with_rows(rows(deny, "EST"))
    decision = judged("REGIONAL RESTRICTED REL TO @members", node("LVA"), bundle=narrowed)
    assert (decision.code, decision.row) == ("agreement", "EST/tonight")
    assert judged("REGIONAL RESTRICTED REL TO @members", node("FIN"), bundle=narrowed).permitted
    other = read_label("REGIONAL RESTRICTED REL TO @members", originators=["FIN"])
    assert decide(narrowed, other, node("LVA"), "receive", replace(FACETS, originator="FIN")).permitted


def test_ceiling_row_stops_what_it_cannot_compare() -> None:
    ceiling = (
        '[[agreement]]\nid = "low"\neffect = "ceiling"\nfrom = ["EST"]\nto = ["LVA"]\n'
        'max_level = "REGIONAL RESTRICTED"\n'
    )
    narrowed = BUNDLE.with_rows(rows(ceiling, "EST"))
    assert judged("REGIONAL RESTRICTED REL TO LVA", node("LVA"), bundle=narrowed).permitted
    assert judged("REGIONAL SECRET REL TO LVA", node("LVA"), bundle=narrowed).row == "EST/low"
    assert judged("EST SECRET REL TO LVA", node("LVA"), bundle=narrowed).row == "EST/low"
    assert judged("TLP:GREEN", node("LVA"), bundle=narrowed).row == "EST/low"


def needing_agreement() -> Bundle:
    files = shipped_files()
    files["policy.toml"] = files["policy.toml"].replace(b"originators = []", b'originators = ["EST"]')
    return Bundle.from_files(files)


def test_where_an_originator_requires_one_a_permit_row_must_match() -> None:
    strict, threat = needing_agreement(), replace(FACETS, family="threat")
    assert judged("REGIONAL SECRET REL TO FIN", node("FIN"), facets=threat, bundle=strict).row == "EST-FIN-2026-ct"
    assert judged("REGIONAL SECRET REL TO FIN", node("FIN"), bundle=strict).code == "agreement"
    assert judged("REGIONAL SECRET REL TO @members", node("LVA"), facets=threat, bundle=strict).code == "agreement"
    assert judged("REGIONAL SECRET REL TO FIN", node("EST"), bundle=strict).permitted
    between = (
        '[[agreement]]\nid = "ee-lv"\neffect = "permit"\nfrom = ["EST"]\nto = ["LVA"]\n'
        'actions = ["receive"]\nvalid = [2026-01-01, 2026-12-31]\n'
    )
    agreed = strict.with_rows(rows(between, "EST", "LVA"))
    assert judged("REGIONAL SECRET REL TO @members", node("LVA"), bundle=agreed).row == "EST+LVA/ee-lv"


def test_purpose_left_out_does_not_dodge_a_deny_row() -> None:
    deny = '[[agreement]]\nid = "no-trade"\neffect = "deny"\nfrom = ["EST"]\nto = ["LVA"]\npurpose = ["trade"]\n'
    narrowed = BUNDLE.with_rows(rows(deny, "EST"))
    assert judged("TLP:GREEN", node("LVA"), bundle=narrowed).row == "EST/no-trade"
    said = replace(FACETS, purpose="warning")
    assert judged("TLP:GREEN", node("LVA"), bundle=narrowed, facets=said).permitted


def test_four_eyes_rows_are_asked_for_by_label_and_reader() -> None:
    crypto = read_label("REGIONAL SECRET CRYPTO REL TO FIN", originators=["EST"])
    plain = read_label("REGIONAL SECRET REL TO FIN", originators=["EST"])
    assert required_releases(BUNDLE, crypto, FACETS) == ("crypto-two-persons",)
    assert required_releases(BUNDLE, crypto, FACETS, subjects=[node("FIN")]) == ("crypto-two-persons",)
    assert required_releases(BUNDLE, crypto, FACETS, subjects=[]) == ()
    assert required_releases(BUNDLE, plain, FACETS) == ()


def test_co_originator_does_not_read_the_others_confidence() -> None:
    label = Label.of("REGIONAL", "SECRET", originators=["EST", "LVA"], audience=["EST"])
    assert decide(BUNDLE, label, node("EST"), "receive", FACETS).permitted
    assert decide(BUNDLE, label, node("LVA"), "receive", FACETS).code == "audience"


# explain


def explained(text: str, subject: Subject, asked_by: Subject | None, facets: Facets = FACETS, bundle: Bundle = BUNDLE):  # type: ignore[no-untyped-def]
    return explain(bundle, read_label(text, originators=["EST"]), subject, "receive", facets, asked_by=asked_by)


def test_explanation_names_both_sides_and_the_nearest_change() -> None:
    found = explained("REGIONAL SECRET CRYPTO REL TO FIN", node("FIN"), None)
    assert (found.permitted, found.code) == (False, "restrict")
    step = next(step for step in found.steps if step.name == "restrict")
    assert (step.asked, step.held) == ("caveat CRYPTO", "caveat SOURCE-SENSITIVE")
    assert found.change == "an entitlement to caveat CRYPTO"
    assert found.further == ()
    assert found.label == "REGIONAL SECRET CRYPTO REL TO EST, FIN"


def test_explanation_shows_what_keeps_a_row_from_matching() -> None:
    found = explained("REGIONAL SECRET REL TO FIN", node("FIN"), None, bundle=needing_agreement())
    assert found.near == (("EST-FIN-2026-ct", "not for family economy"),)
    threat = replace(FACETS, family="threat")
    permitted = explained("REGIONAL SECRET REL TO FIN", node("FIN"), node("EST"), threat)
    assert (permitted.row, permitted.basis) == ("EST-FIN-2026-ct", "Fictional MoU 12/2026 art. 4")


@pytest.mark.parametrize("text", ["REGIONAL TOP SECRET REL TO FIN", "REGIONAL SECRET REL TO LTU", "NATO SECRET"])
def test_explain_never_shows_a_label_to_somebody_not_cleared_for_it(text: str) -> None:
    for subject in (node("LVA"), node("FIN")):
        found = explained(text, subject, node("LVA"))
        shown = repr(found)
        assert found.label is None
        assert found.code == "withheld"
        assert not any(word in shown for word in ("SECRET", "REL TO", "LTU", "level", "audience", "scheme"))
    assert explained(text, node("LVA"), node("LVA")).permitted is False
    assert explained(text, node("FIN"), node("LVA")).permitted is None


def test_explanation_of_a_label_that_is_none_is_still_one() -> None:
    label = Label.of("REGIONAL", "STRANGE", originators=["EST"])
    found = explain(BUNDLE, label, node("FIN"), "receive", FACETS, asked_by=None)
    assert found.code == "valid"
    assert "no level STRANGE" in found.change


# lint

CODES = Codes(members=("EST", "FIN", "LVA"), groups=("@members",), families=("threat", "terrorism", "cyber"))


def linted(extra: str, codes: Codes = CODES) -> set[tuple[str, str]]:
    files = shipped_files()
    files["agreements/extra.toml"] = extra.encode()
    return {(finding.code, finding.where) for finding in lint(Bundle.from_files(files), codes)}


def test_shipped_policy_has_nothing_to_say_about() -> None:
    assert lint(BUNDLE, CODES) == ()


DENY = '[[agreement]]\nid = "x"\neffect = "deny"\nfrom = ["EST"]\nto = ["FIN"]\n'
ODD = {
    "unknown-code": DENY.replace("FIN", "FNI"),
    "shadowed": DENY,
    "unknown-level": DENY + 'min_level = "REGIONAL SECRE"\n',
    "unknown-value": DENY + 'tags = { caveat = ["SAUCE-SENSITIVE"] }\n',
    "unreachable": DENY + "valid = [2020-01-01, 2020-12-31]\n",
    "redundant": DENY + DENY.replace('"x"', '"y"') + 'families = ["cyber"]\n',
}


@pytest.mark.parametrize("code", ODD)
def test_lint_finds(code: str) -> None:
    assert code in {found for found, _ in linted(ODD[code])}


def test_lint_finds_levels_without_marking_and_lowering_gaps() -> None:
    files = shipped_files()
    files["schemes/est.toml"] = (
        files["schemes/est.toml"].replace(b'portion = "EST-S"\n', b"").replace(b'RESTRICTED = "RESTRICTED", ', b"", 1)
    )
    found = lint(Bundle.from_files(files))
    assert {(f.code, f.where) for f in found} == {("no-marking", "EST"), ("equivalence-gap", "EST")}
    assert all(isinstance(f, Finding) and f.severity == "warning" for f in found)
