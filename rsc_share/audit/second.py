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

    __slots__ = ("_answers", "asked", "disagreements", "distinct", "second")

    def __init__(self, second: Ask = reference.decide) -> None:
        self.second = second
        self.asked = self.distinct = 0
        self.disagreements: list[Disagreement] = []
        self._answers: dict[tuple[object, ...], tuple[bool, str]] = {}

    def __call__(self, bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets) -> Decision:
        first = decide(bundle, label, subject, action, facets)
        self.asked += 1
        key = (bundle.key, label.core, subject.digest, action, facets.key, day_of(facets.time))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._ask(key, bundle, label, subject, action, facets)
        if answer != (first.permitted, first.code):
            differ = answer[0] != first.permitted
            self.disagreements.append(Disagreement(subject.node, label.digest, action, first.code, answer[1], differ))
        return first

    def _ask(
        self, key: tuple[object, ...], bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets
    ) -> tuple[bool, str]:
        if len(self._answers) >= _KEPT:
            self._answers.clear()
        found = self.second(bundle, label, subject, action, facets)
        self.distinct += 1
        self._answers[key] = answer = (found.permitted, found.code)
        return answer

    def drain(self) -> list[Disagreement]:
        """Disagreements since the last call."""
        found, self.disagreements = self.disagreements, []
        return found
