"""The laws of the decision, and the two decisions against each other over the same inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import GROUPS, NOW, SCHEMES, Case, World, is_valid, levels_of

from rsc_share.audit import reference
from rsc_share.labels import Label, LabelError, dominates, join
from rsc_share.labels.scheme import DAY
from rsc_share.policy import STEPS, Bundle, Entitlement, Facets, Subject, decide
from rsc_share.policy.cache import DecisionCache
from rsc_share.policy.decide import decide_each
from rsc_share.policy.decision import BROKEN, UNKNOWN_ACTION
from rsc_share.policy.readers import AFTER, MET, Circles, side_by_side
from rsc_share.policy.tables import Tables
from rsc_share.value import replace

PER_EXAMPLE = 8
Law = Callable[[World], None]


def law(check: Law) -> Callable[[], None]:
    """A test that holds `check` against many worlds; a failure names the seed."""

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 2**64))
    def run(seed: int) -> None:
        world = World(seed)
        for _ in range(PER_EXAMPLE):
            check(world)

    run.__doc__ = check.__doc__
    return run


def permitted(case: Case) -> bool:
    return decide(*case).permitted


@law
def test_decide_and_the_reference_agree(world: World) -> None:
    case = world.case()
    ours, theirs = decide(*case), reference.decide(*case)
    assert (ours.permitted, ours.code, ours.row) == (theirs.permitted, theirs.code, theirs.row)
    assert ours.code not in (BROKEN, UNKNOWN_ACTION)


def often(bundle: Bundle, readers: tuple[Subject, ...], around: Facets) -> None:
    """From now on they stand side by side."""
    tables, day = Tables.of(bundle), around.time // DAY
    while tables.find_readers(readers, day) is None:
        pass


@law
def test_readers_together_are_decided_as_each_alone(world: World) -> None:
    """Whole circles, of readers who hold the label's scheme and of some who read it through an equivalence, or not."""
    bundle, label, subject, action, around = world.case()
    readers = (subject, *(world.one((world.cleared, world.subject))() for _ in range(world.random.randint(0, 9))))
    for asked in (label, world.label(), label):  # each by itself at first, then side by side
        often(bundle, readers, around)
        alone = [decide(bundle, asked, reader, action, around) for reader in readers]
        assert decide_each(bundle, asked, readers, action, around) == alone
        assert [found.code for found in alone] == [
            reference.decide(bundle, asked, reader, action, around).code for reader in readers
        ]
    assert decide_each(bundle, label, (), action, around) == []


def test_broken_reader_is_denied_alone() -> None:
    world = World(5)
    bundle, label, subject, action, around = world.until(world.likely, permitted)
    broken: Any = None
    readers = (subject, broken, subject)
    for _ in range(AFTER + 2):
        found = decide_each(bundle, label, readers, action, around)
        assert [decision.code for decision in found] == ["released", BROKEN, "released"]


def test_readers_stand_side_by_side_once_they_are_asked_about_often() -> None:
    """Each day by itself: stamps of two days in turn make nothing anew, and a third day is not begun by them."""
    world = World(9)
    tables, asked = Tables.of(world.bundle()), tuple(world.subject() for _ in range(3))
    met = [[tables.find_readers(asked, day) for day in (1, 2)] for _ in range(AFTER + 3)]
    assert met[:AFTER] == [[None, None]] * AFTER
    assert all(one is not None and two is not None for one, two in met[AFTER:])
    assert len({id(one) for one, _ in met[AFTER:]}) == len({id(two) for _, two in met[AFTER:]}) == 1
    assert tables.find_readers(asked, 3) is None


def test_circles_that_are_asked_about_seldom_are_never_placed() -> None:
    world, circles = World(9), Circles(most=6)
    asked = [(world.subject(), world.subject()) for _ in range(MET + 1)]
    assert not any(circles.meet(subjects, 1) for _ in range(AFTER + 2) for subjects in asked)
    large = tuple(world.subject() for _ in range(7))
    assert not any(circles.meet(large, 1) for _ in range(3 * AFTER))


def test_circles_that_are_kept_have_a_bound() -> None:
    """By the number of their readers; and what is kept is never taken for another tuple in the same place."""
    world, circles = World(9), Circles(most=6)
    asked = [tuple(world.subject() for _ in range(3)) for _ in range(4)]
    for subjects in asked:
        readers = circles.keep(subjects, 1, side_by_side([]))
        assert circles.find(subjects, 1) is readers
        assert circles.find(subjects, 2) is circles.find((*subjects, world.subject()), 1) is None
    assert [circles.find(subjects, 1) is not None for subjects in asked] == [False, False, True, True]


@law
def test_explaining_changes_nothing_and_takes_every_step(world: World) -> None:
    case = world.case()
    hot, explained = decide(*case), decide(*case, explain=True)
    assert replace(explained, steps=()) == hot
    failed = [step.name for step in explained.steps if not step.passed]
    assert hot.code == (failed[0] if failed else "released")
    names = [step.name for step in explained.steps]
    assert names == list(STEPS[: len(names)])
    assert len(names) == 12 or hot.code in ("epoch", "valid")


@law
def test_cache_says_what_decide_says(world: World) -> None:
    case, cache = world.case(), DecisionCache(limit=2)
    assert cache.decide(*case) == decide(*case) == cache.decide(*case)
    assert len(cache) == 1


@law
def test_more_clearance_never_turns_permit_into_deny(world: World) -> None:
    """Levels, values and accreditation grow in the schemes the subject is entitled in."""
    bundle, label, subject, action, around = world.until(world.case, permitted)
    more = {scheme: _grown(held, world.entitlement(scheme)) for scheme, held in subject.entitlements.items()}
    top = {scheme: levels_of(scheme)[-1] for scheme in subject.accreditation}
    grown = replace(subject, entitlements=more, accreditation=top)
    assert decide(bundle, label, grown, action, around).permitted


def _grown(held: Entitlement, extra: Entitlement) -> Entitlement:
    nothing: frozenset[str] = frozenset()
    tags = {tag: held.tags.get(tag, nothing) | extra.tags.get(tag, nothing) for tag in {*held.tags, *extra.tags}}
    return Entitlement(held.levels | extra.levels, tags)


@law
def test_more_protection_never_turns_deny_into_permit(world: World) -> None:
    """For subjects whose levels have no gaps: who is entitled to SECRET alone is denied RESTRICTED."""

    def gapless() -> Case:
        bundle, label, _, action, around = world.case()
        return bundle, label, world.one((world.cleared(), world.subject(closed=True))), action, around

    bundle, label, subject, action, around = world.until(gapless, lambda c: is_valid(c[1]) and not permitted(c))
    stricter = world.until(lambda: _stricter(world, label), is_valid)
    assert not decide(bundle, stricter, subject, action, around).permitted


def _stricter(world: World, label: Label) -> Label:
    levels = levels_of(label.scheme)
    tags = dict(label.tags)
    for name, tag in SCHEMES[label.scheme].tags.items():
        values = {*label.values(name), *(world.some(tag.values) if tag.type == "restrictive" else ())}
        if values:
            tags[name] = tuple(sorted(values))
    return replace(label, level=world.one(levels[levels.index(label.level) :]), tags=tuple(sorted(tags.items())))


@law
def test_reader_of_a_join_may_read_both(world: World) -> None:
    def joined() -> tuple[Label | None, Label, Label, Case]:
        bundle, first, subject, action, around = world.likely()
        first, second = _authored(first), _authored(world.until(lambda: _near(world, first), is_valid))
        try:
            both = join(first, second, SCHEMES, NOW)
        except LabelError:
            return None, first, second, (bundle, first, subject, action, around)
        return both, first, second, (bundle, both, world.one((subject, world.subject(closed=True))), action, around)

    both, first, second, case = world.until(joined, lambda found: found[0] is not None and permitted(found[3]))
    assert both is not None
    for part in (first, second):
        assert decide(case[0], part, *case[2:]).permitted


@law
def test_reader_of_a_dominating_label_may_read_the_other(world: World) -> None:
    groups = {**GROUPS, "@dated": frozenset({"FIN"})}

    def pair() -> tuple[Label, Case]:
        bundle, high, subject, action, around = world.likely()
        low = world.until(lambda: _near(world, high), is_valid)
        return _authored(low), (bundle, _authored(high), subject, action, around)

    def comparable(found: tuple[Label, Case]) -> bool:
        return dominates(found[1][1], found[0], SCHEMES, NOW, groups) and permitted(found[1])

    low, case = world.until(pair, comparable)
    assert decide(case[0], low, *case[2:]).permitted


def _near(world: World, label: Label) -> Label:
    """Another label with most of the same in it: two that have nothing in common are read by nobody."""
    other = world.label("ALPHA")
    return Label.of(
        "ALPHA",
        world.one((label.level, other.level)),
        tags=world.one((label.tags, label.tags, other.tags)),
        originators=world.one((label.originators, label.originators, other.originators)),
        audience=world.one((label.audience, label.audience, other.audience)),
    )


def _authored(label: Label) -> Label:
    return label if label.originators else label.made_by(["EST"])


@law
def test_deny_row_never_widens(world: World) -> None:
    bundle, *rest = world.until(world.case, lambda case: not permitted(case))
    narrowed = bundle.with_rows([world.row("deny", "ceiling") for _ in range(3)])
    assert not decide(narrowed, *rest).permitted


@law
def test_exercise_never_meets_real(world: World) -> None:
    bundle, label, subject, action, around = world.until(world.case, permitted)
    other = {"operational": "exercise", "exercise": "operational"}[around.channel.realm]
    assert decide(bundle, label, subject, action, replace(around, realm=other)).code == "realm"
    channel = replace(around.channel, realm=other)
    moved = replace(around, channel=channel, realm=around.channel.realm)
    assert decide(bundle, label, subject, action, moved).code == "realm"


OPEN = Entitlement(frozenset(("OPEN",)))
STRANGE: dict[str, Callable[[Case], Case]] = {
    "scheme": lambda c: (c[0], replace(c[1], scheme="STRANGE"), *c[2:]),
    "level": lambda c: (c[0], replace(c[1], level="STRANGE"), *c[2:]),
    "tag": lambda c: (c[0], replace(c[1], tags=(("strange", ("A",)),)), *c[2:]),
    "value": lambda c: (c[0], replace(c[1], tags=(("caveat", ("STRANGE",)),)), *c[2:]),
    "audience": lambda c: (c[0], replace(c[1], originators=("XAA",), audience=("@nowhere",)), *c[2:]),
    "member": lambda c: (*c[:2], replace(c[2], member="XAA", groups=frozenset()), *c[3:]),
    "entitlement": lambda c: (
        *c[:2],
        replace(c[2], entitlements={"STRANGE": Entitlement(frozenset(("OPEN",)))}),
        *c[3:],
    ),
    "accreditation": lambda c: (*c[:2], replace(c[2], accreditation={"ALPHA": "STRANGE"}), *c[3:]),
    "action": lambda c: (*c[:3], "look", c[4]),
    "realm": lambda c: (*c[:4], replace(c[4], channel=replace(c[4].channel, realm="strange"))),
    "ceiling": lambda c: (*c[:4], replace(c[4], channel=replace(c[4].channel, ceiling={"ALPHA": "STRANGE"}))),
    "day": lambda c: (*c[:4], replace(c[4], time=-1)),
    "channel": lambda c: (*c[:4], replace(c[4], channel=replace(c[4].channel, members=frozenset()))),
}


@pytest.mark.parametrize("what", STRANGE)
def test_unknown_anything_is_deny(what: str) -> None:
    world = World(7)
    for _ in range(PER_EXAMPLE):
        case = STRANGE[what](world.until(world.likely, permitted))
        assert not decide(*case).permitted
        assert not reference.decide(*case).permitted


GARBAGE = (None, 0, "", [], object(), b"", {"audience": 1})


@law
def test_decide_is_total(world: World) -> None:
    case: list[Any] = list(world.likely())
    case[world.random.randint(1, 4)] = world.one(GARBAGE)
    for decision in (decide, reference.decide):
        found = decision(*case)
        assert not found.permitted
        assert found.code in (BROKEN, UNKNOWN_ACTION)


@law
def test_broken_facts_inside_good_arguments_are_denied(world: World) -> None:
    bundle, label, subject, action, around = world.likely()
    broken = replace(around, time=world.one(("now", None)))
    assert decide(bundle, label, subject, action, broken).code == BROKEN
    assert reference.decide(bundle, label, subject, action, broken).code == BROKEN


def test_subject_outside_the_charter_reads_nothing() -> None:
    world = World(1)
    bundle, label, subject, action, around = world.until(world.likely, permitted)
    outside: Subject = replace(subject, groups=subject.groups - {"@members"})
    assert decide(bundle, label, outside, action, around).code == "audience"


def test_world_reaches_every_code() -> None:
    """The laws would prove little if some step never decided."""
    world = World(3)
    seen = Counter(decide(*world.case()).code for _ in range(4000))
    assert set(seen) == {*STEPS, "released"}
    assert min(seen.values()) >= 5
