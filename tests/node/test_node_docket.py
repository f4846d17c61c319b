"""Entries judged together get the verdicts, one by one, that they get alone."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from random import Random
from types import SimpleNamespace

import pytest
from node_mixture import ME, Writer, world

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RemoteError
from rsc_share.node.docket import Docket
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.stretches import Stretches
from rsc_share.rulebook.admit import AHEAD, Admitted, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.party import ALL
from rsc_share.rulebook.rules import RULES, Check, Rules
from rsc_share.rulebook.view import Party, View

ENTRIES = 3 * AHEAD


class OneByOne:
    """What `Docket` does, without anything done ahead: every entry parsed and judged when its turn has come."""

    def __init__(self, log, me, trust, root_at):
        self.log, self.me, self.trust, self.root_at = log, me, trust, root_at
        self.shelf = Shelf(MemoryStore(), log)
        self.facts, self.last, self.waiting, self.unreadable = Stretches(self.shelf, me), None, [], []

    def add(self, shown):
        for index, item in shown:
            try:
                self.waiting.append((index, UnverifiedEntry.parse(item.entry), item))
            except RemoteError as error:
                self.unreadable.append((index, error.what))

    def judge(self, checked, own):
        count = others = 0
        for index, entry, _ in self.waiting:
            if index >= checked or entry.stamp.directory > self.trust.witnessed:
                break
            count += 1
            others = others if entry.header.sender == self.me else count
        seen = []
        for _ in range(count if own is None else min(count, others + own)):
            seen.append(self._judge(*self.waiting[0]))
            del self.waiting[0]
        return seen

    def _judge(self, index, entry, item):
        trust = self.trust
        view = View(
            Party.NODE, self.log, trust.directory, trust.root, trust.witnessed, self.facts, index, self.last,
            self.root_at, VerifyCache(), self.known, self.me, trust.confirmed_at,
        )  # fmt: skip
        openings = {} if item.opening is None else {self.me: item.opening}
        case = Case(view, entry.signed, entry.stamp, openings, {sha256(b).digest(): len(b) for b in item.bodies})
        verdict = judge(case)
        self.facts.add(index, verdict.effects, entry.signed if isinstance(verdict, Admitted) else None)
        self.last = entry.stamp
        return verdict, item, self.me not in case.nodes or self.me in case.opened

    def known(self, ref):
        found = self.facts.source(ref.index) if ref.log == self.log else None
        return found if found is not None and found.ref == ref else None


def said(verdict, item, opening_true):
    """Everything a verdict says, comparable: errors are equal to themselves alone."""
    what = verdict if isinstance(verdict, Admitted) else (*_said(verdict.refused), verdict.index, verdict.effects)
    return what, verdict.stamp, verdict.signed, item, opening_true


def _said(refused):
    return refused.code, refused.what, refused.advice, refused.fields


def both(start: int) -> tuple[Docket, OneByOne, SimpleNamespace]:
    engine, line = world().pens["LVA"].engine, world().pens["LVA"].line
    held = engine.trust
    trust = SimpleNamespace(directory=held.directory, root=held.root, confirmed_at=world().now + 300)
    trust.witnessed = held.witnessed - 1
    root_at = line.follower.tree.root
    together = Docket(line.log, ME, trust, VerifyCache(), root_at, Shelf(MemoryStore(), line.log))
    return together, OneByOne(line.log, ME, trust, root_at), trust


def rows(shelf: Shelf) -> list:
    return [(at, shelf.rows(at)) for at in Room]


def run(seed: int) -> Counter:
    """Both ways over one log; how often each thing was met."""
    random, met = Random(seed), Counter()  # noqa: S311  for a mixture, not for keys
    checked = start = world().pens["LVA"].line.follower.size
    together, alone, trust = both(start)
    writer = Writer.anew(random, start)
    while writer.index < start + ENTRIES or together.ready(checked, None):
        tail = [writer.next() for _ in range(random.choice((1, 3, 40, AHEAD, AHEAD + 7)))]
        together.add(tail)
        alone.add(tail)
        assert together.unreadable == alone.unreadable
        checked = writer.index if random.random() < 0.7 else checked
        trust.witnessed = writer.witnessed if writer.index >= start + ENTRIES else trust.witnessed
        own = random.choice((None, None, 0, 2))
        found, expected = together.judge(together.ready(checked, own)), alone.judge(checked, own)
        assert [said(s.verdict, s.item, s.opening_true) for s in found] == [said(*row) for row in expected]
        assert (together.first, together.last) == (next((row[0] for row in alone.waiting), None), alone.last)
        met.update(kinds(found))
        met["waits"] += bool(alone.waiting) and alone.waiting[0][1].stamp.directory > trust.witnessed
    assert dict(together.facts) == dict(alone.facts)
    together.facts.save()
    alone.facts.save()
    assert rows(together.facts._shelf) == rows(alone.shelf)
    met["garbage"] += len(together.unreadable)
    return met


def kinds(found):
    for seen in found:
        verdict = seen.verdict
        yield verdict.refused.code if not isinstance(verdict, Admitted) else "admitted"
        yield "own" if verdict.signed.header.sender == ME else "of others"
        if not seen.opening_true:
            yield "no opening"
        if isinstance(verdict, Admitted) and verdict.unchecked:
            yield "not checkable"
        if not isinstance(verdict, Admitted) and verdict.effects:
            yield "void and advances"


def test_verdicts_facts_and_rows_are_those_of_one_entry_after_the_other() -> None:
    met = sum((run(seed) for seed in range(8)), Counter())
    assert not [kind for kind in EVERY if not met[kind]], met


EVERY = (
    "admitted", "own", "of others", "garbage", "no opening", "not checkable", "void and advances", "waits",
    "bad-signature", "stale-head", "duplicate-id", "clock", "over-granted", "under-granted", "stamp", "third-party",
)  # fmt: skip


@pytest.mark.parametrize("past", [False, True])
def test_a_failure_at_one_entry_leaves_it_waiting_and_those_before_it_judged(monkeypatch, past: bool) -> None:
    start = world().pens["LVA"].line.follower.size
    together, alone, trust = both(start)
    writer = Writer.anew(Random(1), start)  # noqa: S311
    trust.witnessed = writer.witnessed
    tail = [writer.next() for _ in range(AHEAD + 20)]
    together.add(tail)
    alone.add(tail)
    broken = [True]

    def fails(case: Case) -> None:
        if case.index >= start + 40 and broken:
            raise RemoteError("the store has to be looked at")

    checks = (*RULES[1].checks[:3], Check("fails", 2, ALL, fails, past), *RULES[1].checks[3:])
    monkeypatch.setitem(RULES, 1, Rules(1, checks))
    for way in (lambda: together.judge(together.ready(writer.index, None)), lambda: alone.judge(writer.index, None)):
        with pytest.raises(RemoteError, match="looked at"):
            way()
    assert together.first == alone.waiting[0][0] >= start + 40
    assert dict(together.facts) == dict(alone.facts)
    assert together.last == alone.last
    broken.clear()
    found, expected = together.judge(together.ready(writer.index, None)), alone.judge(writer.index, None)
    assert [said(s.verdict, s.item, s.opening_true) for s in found] == [said(*row) for row in expected]
