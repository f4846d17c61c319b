"""The second opinion: every decision of the rulebook is asked again of a program that shares no line with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rsc_share.audit import reference
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import day_of
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide_each
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Facets, Subject

_KEPT = 65_536
Answer = tuple[bool, str]
"""Permitted, and the code."""
Ask = Callable[[Bundle, Label, Subject, str, Facets], Decision]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The two programs do not say the same about one question."""

    node: str
    label: bytes
    action: str
    first: str
    second: str
    permits: bool
    """Whether they differ about yes and no, not only about the reason."""


@dataclass(slots=True)
class _Topic:
    """What the second program said about one label on one day: `answers` to the `subjects` that were asked for last
    (the readers of a channel are one tuple, compared by identity), `known` to every subject by its digest. `agreed`:
    decisions about these subjects that are the same as the answers."""

    subjects: tuple[Subject, ...]
    answers: list[Answer]
    known: dict[bytes, Answer]
    agreed: list[Decision] | None = None


@dataclass(slots=True)
class _Asked:
    """The topic that was asked for last about a label. All are compared by identity, held here and never changed."""

    bundle: Bundle | None
    label: Label | None
    facets: Facets | None
    action: str
    topic: _Topic


_NOTHING = _Asked(None, None, None, "", _Topic((), [], {}))


class SecondOpinion:
    """Answers with the first program's decision, as the rulebook does everywhere, and keeps every disagreement.

    The slow program is asked once for each distinct question: neither program knows anything finer than the day.
    """

    __slots__ = ("_by_label", "_kept", "_topics", "asked", "disagreements", "distinct", "second")

    def __init__(self, second: Ask = reference.decide) -> None:
        self.second = second
        self.asked = self.distinct = 0
        self.disagreements: list[Disagreement] = []
        self._topics: dict[tuple[object, ...], _Topic] = {}
        self._by_label: dict[int, _Asked] = {}
        self._kept = 0

    def __call__(
        self, bundle: Bundle, label: Label, subjects: tuple[Subject, ...], action: str, facets: Facets
    ) -> list[Decision]:
        first = decide_each(bundle, label, subjects, action, facets)
        self.asked += len(first)
        last = self._by_label.get(id(label), _NOTHING)
        if last.label is label and last.facets is facets and last.bundle is bundle and last.action == action:
            topic = last.topic
        else:
            topic = self._about(bundle, label, action, facets)
        if topic.subjects is not subjects:
            topic.answers = [
                topic.known.get(subject.digest) or self._ask(topic, bundle, label, subject, action, facets)
                for subject in subjects
            ]
            topic.subjects, topic.agreed = subjects, None
        if first != topic.agreed:
            self._compare(topic, first, label, action)
        return first

    def _compare(self, topic: _Topic, first: list[Decision], label: Label, action: str) -> None:
        agreed = True
        for decision, answer, subject in zip(first, topic.answers, topic.subjects, strict=True):
            if answer[0] is not decision.permitted or answer[1] != decision.code:
                self._disagree(subject, label, action, decision, answer)
                agreed = False
        topic.agreed = first if agreed else None

    def _about(self, bundle: Bundle, label: Label, action: str, facets: Facets) -> _Topic:
        """What the second program is known to say about one label and the facts around it."""
        if not label.short:
            return _Topic((), [], {})
        key = (bundle.key, label.core, action, facets.key, day_of(facets.time))
        topic = self._topics.get(key)
        if topic is None:
            if self._kept >= _KEPT:
                self._topics.clear()
                self._by_label.clear()
                self._kept = 0
            topic = self._topics[key] = _Topic((), [], {})
        if len(self._by_label) >= _KEPT:
            self._by_label.clear()
        self._by_label[id(label)] = _Asked(bundle, label, facets, action, topic)
        return topic

    def _disagree(self, subject: Subject, label: Label, action: str, first: Decision, second: Answer) -> None:
        differ = second[0] != first.permitted
        self.disagreements.append(Disagreement(subject.node, label.digest, action, first.code, second[1], differ))

    def _ask(
        self, topic: _Topic, bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets
    ) -> Answer:
        found = self.second(bundle, label, subject, action, facets)
        self.distinct += 1
        self._kept += 1
        answer = topic.known[subject.digest] = (found.permitted, found.code)
        return answer

    def drain(self) -> list[Disagreement]:
        """Disagreements since the last call."""
        found, self.disagreements = self.disagreements, []
        return found
