"""What relay, node and auditor must agree about (I5), what is never a verdict (I6), and what a node can know (I13)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from rulebook_desk import EST, FIN, LVA, MINUTE, Bench, bench

from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening, Ref, Refs
from rsc_share.labels.label import Label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide_each
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Subject
from rsc_share.rulebook.admit import Admitted, Void, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, HeadFact, Key, count_key, effects_of, head_key, needs
from rsc_share.rulebook.unseen import NOT_SHOWN, Unchecked, Unseen
from rsc_share.rulebook.view import Party, Source
from rsc_share.testing.adversaries import Forged
from rsc_share.value import replace

PARTIES = (Party.RELAY, Party.NODE, Party.AUDITOR)


def run(b: Bench, entries: list[Forged], party: Party, facts: dict[Key, Fact] | None = None) -> list[Admitted | Void]:
    """These entries one after the other, each on top of the effects of those before it."""
    held, verdicts = dict(facts or {}), []
    for offset, entry in enumerate(entries):
        stamp = Stamp(b.now + MINUTE + offset, b.ground.witnessed)
        verdict = judge(b.case(entry, party, facts=held, stamp=stamp, size=b.ground.head.size + offset))
        held.update(verdict.effects)
        verdicts.append(verdict)
    return verdicts


def moved(verdict: Admitted | Void) -> dict[Key, Fact]:
    """Head, id, grants, and the counter of LVA, which are everybody's; the other counters a node cannot know."""
    others = {count_key(EST, FIN)}
    return {key: fact for key, fact in verdict.effects.items() if key not in others}


def voids(b: Bench) -> dict[str, Forged]:
    made = b.message()
    return {
        "late in the rows": b.message(expires_at=b.now),
        "policy": b.again("EST", b.message(label="TLP:GREEN REL TO LVA")),
        "signature": made.altered(precedence="FLASH"),
        "past": b.message(prev=bytes(32)),
        "number": b.message(seq=b.pen("EST").head.seq),
    }


@pytest.mark.parametrize("name", ["late in the rows", "policy", "signature", "past", "number"])
def test_void_entry_advances_the_same_everywhere(name: str) -> None:
    b = bench()
    entry = voids(b)[name]
    verdicts = [judge(b.case(entry, party)) for party in PARTIES]
    assert all(isinstance(verdict, Void) for verdict in verdicts)
    assert len({repr(sorted(moved(verdict).items(), key=repr)) for verdict in verdicts}) == 1
    assert bool(verdicts[0].effects) == (name in ("late in the rows", "policy"))


@pytest.mark.parametrize("party", PARTIES)
def test_honest_entry_follows_a_void_one_that_advanced(party: Party) -> None:
    b, pen = bench(), bench().pen("EST")
    first = pen.message(b.grants["EST"], expires_at=b.now)
    second = pen.message(b.grants["EST"])
    verdicts = run(b, [first, second], party)
    assert [type(verdict) for verdict in verdicts] == [Void, Admitted]


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", ["signature", "past", "number"])
def test_relay_cannot_make_an_honest_entry_void_by_logging_another(party: Party, name: str) -> None:
    b = bench()
    verdicts = run(b, [voids(b)[name], b.message()], party)
    assert [type(verdict) for verdict in verdicts] == [Void, Admitted]


@pytest.mark.parametrize("seed", range(20))
def test_all_parties_agree_on_any_mixture(seed: int) -> None:
    """Honest entries and lies in any order: the same verdicts at relay, reader and auditor, and the same numbers."""
    b = bench()
    entries = [*voids(b).values(), b.message(), b.message(precedence="FLASH"), b.pen("EST").heartbeat()]
    entries.sort(key=lambda entry: sha256(b"%d" % seed + entry.header.pack()).digest())
    found = {party: run(b, entries, party) for party in PARTIES}
    kinds = {party: [type(verdict).__name__ for verdict in verdicts] for party, verdicts in found.items()}
    assert kinds[Party.RELAY] == kinds[Party.AUDITOR] == kinds[Party.NODE]
    heads = {party: [v.effects.get(head_key(EST)) for v in verdicts] for party, verdicts in found.items()}
    assert heads[Party.RELAY] == heads[Party.AUDITOR] == heads[Party.NODE]


# --- I6: openings


@pytest.mark.parametrize("party", [Party.NODE, Party.AUDITOR])
@pytest.mark.parametrize("opening", [None, Opening(bytes(16), 1), Opening(bytes(16), 1 << 40)])
def test_false_opening_is_never_a_verdict(party: Party, opening: Opening | None) -> None:
    b = bench()
    openings = {} if opening is None else {LVA: opening, FIN: opening}
    verdict = judge(b.case(b.message(), party, openings=openings))
    assert isinstance(verdict, Admitted)
    assert verdict.kept_back == 0


@pytest.mark.parametrize("party", [Party.NODE, Party.AUDITOR])
def test_true_opening_of_another_entry_opens_nothing(party: Party) -> None:
    b = bench()
    other = b.pen("EST").heartbeat()
    assert isinstance(judge(b.case(b.message(), party, openings=other.openings)), Admitted)


def test_counters_come_from_entries_and_never_from_openings() -> None:
    b = bench()
    verdict = judge(b.case(b.message(), Party.AUDITOR, openings={}))
    before = b.facts[count_key(EST, LVA)]
    assert verdict.effects[count_key(EST, LVA)] == before + 1


# --- I13: what a node can know


def node_case(b: Bench, entry: Forged, facts: dict[Key, Fact]) -> Case:
    """LVA, which holds nothing but `facts`."""
    case = b.case(entry, Party.NODE)
    return replace(case, view=replace(case.view, facts=facts))


def test_node_admits_a_sender_whose_past_it_was_not_shown() -> None:
    b = bench()
    verdict = judge(node_case(b, b.message(), {}))
    assert isinstance(verdict, Admitted)
    assert verdict.effects[head_key(EST)].seq == b.pen("EST").head.seq + 1


def test_node_sees_numbers_rise_and_checks_the_past_where_it_holds_it() -> None:
    b, pen = bench(), bench().pen("EST")
    seq = pen.head.seq
    entry = b.message()
    skipped = HeadFact(seq - 2, bytes(32), 0)
    held_other = HeadFact(seq, bytes(32), 0)
    ahead = HeadFact(seq + 5, bytes(32), 0)
    counts = {count_key(EST, LVA): b.facts[count_key(EST, LVA)]}
    verdicts = [judge(node_case(b, entry, {**counts, head_key(EST): head})) for head in (skipped, held_other, ahead)]
    assert [type(verdict) for verdict in verdicts] == [Admitted, Void, Void]
    assert not verdicts[1].effects
    assert not verdicts[2].effects


def test_node_says_how_many_entries_were_kept_back_and_says_it_once() -> None:
    b, pen = bench(), bench().pen("EST")
    known = b.facts[count_key(EST, LVA)]
    facts: dict[Key, Fact] = {count_key(EST, LVA): known - 2}
    first = judge(node_case(b, pen.message(b.grants["EST"]), facts))
    assert isinstance(first, Admitted)
    assert first.kept_back == 2
    facts.update(first.effects)
    second = judge(node_case(b, pen.message(b.grants["EST"]), facts))
    assert isinstance(second, Admitted)
    assert second.kept_back == 0


def test_node_does_not_judge_a_grant_it_is_not_in() -> None:
    b = bench()
    facts = {key: fact for key, fact in b.facts.items() if key[0] != "grant"}
    assert isinstance(judge(node_case(b, b.message(), facts)), Admitted)
    case = b.case(b.message(), Party.AUDITOR)
    verdict = judge(replace(case, view=replace(case.view, facts=facts)))
    assert isinstance(verdict, Void)
    assert verdict.refused.code == "dead-grant"


@pytest.mark.parametrize(("confirmed", "unconfirmed"), [(None, True), (0, True), (1 << 60, False)])
def test_node_marks_what_row_15_could_not_be_judged_for(confirmed: int | None, unconfirmed: bool) -> None:
    b = bench()
    verdict = judge(b.case(b.message(), Party.NODE, confirmed_at=confirmed))
    assert isinstance(verdict, Admitted)
    assert verdict.unconfirmed is unconfirmed


def test_everything_admission_asks_for_is_named_before() -> None:
    """A store looks up `needs` and nothing else: a fact asked for and not named would be taken for absent."""
    b = bench()
    asked: set[Key] = set()

    class Watched(dict):
        def get(self, key, default=None):
            asked.add(key)
            return super().get(key, default)

    for entry in (b.message(), b.pen("EST").grant(), b.pen("EST").heartbeat()):
        asked.clear()
        case = b.case(entry, Party.RELAY)
        judge(replace(case, view=replace(case.view, facts=Watched(b.facts))))
        assert asked
        assert asked <= needs([entry.signed])
        changed = effects_of(b.facts, entry.signed, 0, 0)
        assert {key for key in changed if key[0] != "grant"} <= needs([entry.signed])


def test_stamp_beyond_what_is_held_is_no_crash() -> None:
    b = bench()
    for size in (0, b.ground.directory.size + 1, 1 << 60):
        verdict = judge(b.case(b.message(), Party.AUDITOR, stamp=Stamp(b.now + MINUTE, size)))
        assert isinstance(verdict, Void)
        assert (verdict.refused.code, verdict.effects) == ("directory-ahead", {})


@pytest.mark.parametrize("unseen", [None, Unseen("the log is not here")])
def test_what_a_node_cannot_look_up_is_left_open_and_read_all_the_same(unseen: Unseen | None) -> None:
    """The relay that took the entry holds what is missing; the node says which row it did not judge."""
    b = bench()
    entry = b.message(refs=Refs(derived_from=(replace(b.ref("secret"), index=0),)))
    case = b.case(entry, Party.NODE)
    case = replace(case, view=replace(case.view, known=lambda ref: unseen))
    verdict = judge(case)
    assert isinstance(verdict, Admitted)
    assert verdict.unchecked == (Unchecked(12, (unseen or NOT_SHOWN).reason),)
    assert verdict.effects, "it counts like any other"


def test_attack_sixteen_sources_of_sixty_originators_and_as_many_releases_are_looked_up_once() -> None:
    """An auditor parses what he looks up: 16,000 times for one entry, if each originator were asked about each."""
    b = bench()
    said = Label.of("REGIONAL", "SECRET", originators=["EST", *(f"S{n:02}" for n in range(60))], audience=["LVA"])
    source = replace(Source.of(b.logged["secret"][0], b.logged["secret"][1].signed), label=said)
    sources = {Ref(b.ground.log, n, bytes(32)): source for n in range(16)}
    releases = tuple(Ref(b.ground.log, n, bytes([1]) * 32) for n in range(16))
    asked: list[Ref] = []

    def known(ref: Ref) -> Source | Unseen:
        asked.append(ref)
        return sources.get(ref) or (Unseen("elsewhere") if ref == releases[-1] else source)

    entry = b.message("FIN", refs=Refs(derived_from=tuple(sources), releases=releases))
    verdict = judge(b.case(entry, Party.AUDITOR, known=known))
    assert isinstance(verdict, Admitted)
    assert [item.row for item in verdict.unchecked] == [12]
    assert len(asked) == 32


def test_attack_sixteen_sources_with_labels_too_long_to_keep_are_decided_once_for_all_readers() -> None:
    """Each was decided for each reader, and resolved anew each time: half a second for an entry to 160 of them."""
    b = bench()
    states = [f"A{i:03}".ljust(31, "A") for i in range(400)]
    said = Label.of("REGIONAL", "SECRET", originators=["EST"], audience=["FIN", "LVA", *states])
    source = replace(Source.of(b.logged["secret"][0], b.logged["secret"][1].signed), label=said)
    refs = tuple(Ref(b.ground.log, n, bytes(32)) for n in range(16))
    asked: list[Label] = []

    def counted(bundle: Bundle, label: Label, subjects: tuple[Subject, ...], *rest: Any) -> list[Decision]:
        asked.append(label)
        return decide_each(bundle, label, subjects, *rest)

    entry = b.message(label="REGIONAL SECRET REL TO FIN, LVA", refs=Refs(derived_from=refs))
    assert len(entry.header.nodes) > 1
    for party in (Party.RELAY, Party.NODE, Party.AUDITOR):
        asked.clear()
        judge(b.case(entry, party, known=lambda _: source, decide=counted))
        assert asked.count(said) == 16
