"""The second opinion: every decision of the rulebook is asked again of a program that shares no line with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rsc_share.audit import reference
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import day_of
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Facets, Subject

_KEPT = 65_536
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


class SecondOpinion:
    """Answers with the first program's decision, as the rulebook does everywhere, and keeps every disagreement.

    The slow program is asked once for each distinct question: neither program knows anything finer than the day.
    """

    __slots__ = ("_answers", "_kept", "_round", "_topic", "asked", "disagreements", "distinct", "second")

    def __init__(self, second: Ask = reference.decide) -> None:
        self.second = second
        self.asked = self.distinct = 0
        self.disagreements: list[Disagreement] = []
        self._answers: dict[tuple[object, ...], dict[bytes, tuple[bool, str]]] = {}
        self._kept = 0
        self._topic: tuple[Bundle, Label, str, Facets] | None = None
        self._round: dict[bytes, tuple[bool, str]] = {}

    def __call__(self, bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets) -> Decision:
        first = decide(bundle, label, subject, action, facets)
        self.asked += 1
        topic = self._topic
        # One entry is decided for each of its readers in turn: the very same values, so the same table of answers.
        if (
            topic is None
            or topic[3] is not facets
            or topic[1] is not label
            or topic[0] is not bundle
            or topic[2] != action
        ):
            self._turn_to(bundle, label, action, facets)
        answer = self._round.get(subject.digest) or self._ask(bundle, label, subject, action, facets)
        if answer != (first.permitted, first.code):
            differ = answer[0] != first.permitted
            self.disagreements.append(Disagreement(subject.node, label.digest, action, first.code, answer[1], differ))
        return first

    def _turn_to(self, bundle: Bundle, label: Label, action: str, facets: Facets) -> None:
        self._topic = (bundle, label, action, facets)
        if self._kept >= _KEPT:
            self._answers.clear()
            self._kept = 0
        key = (bundle.key, label.core, action, facets.key, day_of(facets.time))
        self._round = self._answers.setdefault(key, {})

    def _ask(self, bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets) -> tuple[bool, str]:
        found = self.second(bundle, label, subject, action, facets)
        self.distinct += 1
        self._kept += 1
        self._round[subject.digest] = answer = (found.permitted, found.code)
        return answer

    def drain(self) -> list[Disagreement]:
        """Disagreements since the last call."""
        found, self.disagreements = self.disagreements, []
        return found
