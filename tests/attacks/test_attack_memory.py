"""Memory that somebody else chooses: caches count what they keep, so nothing they keep may be large."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "rulebook"))

import pytest
from rulebook_desk import bench

from rsc_share.audit.second import SecondOpinion
from rsc_share.compiled import modules
from rsc_share.envelope.header import Header
from rsc_share.labels.label import MAX_AUDIENCE, Label
from rsc_share.policy.tables import Tables
from rsc_share.rulebook.admit import Admitted, judge
from rsc_share.value import replace

TRIES = 40


def kept(attempt: Callable[[int], None]) -> int:
    """Bytes that stay after `TRIES` attempts."""
    attempt(0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, TRIES + 1):
            attempt(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_attack_invented_labels_of_60_kb_are_read_and_not_kept() -> None:
    """No signature is needed for this one: a header is read before anybody judges it."""
    header = bench().message().header

    def written(number: int) -> bytes:
        values = {f"t{tag:02}": [f"V{number}-{tag}-{i:02}".ljust(60, "A") for i in range(64)] for tag in range(14)}
        return replace(header, label=Label.of("REGIONAL", "RESTRICTED", tags=values, originators=["EST"])).pack()

    headers = [written(number) for number in range(TRIES + 1)]
    assert kept(lambda number: Header.parse(headers[number]) and None) < TRIES * 5000


def test_attack_valid_labels_for_hundreds_of_states_that_are_none_are_judged_and_not_kept() -> None:
    desk, opinion = bench(), SecondOpinion()
    plain = desk.message()

    def judged(number: int) -> None:
        states = [f"A{number}-{i:03}".ljust(31, "A") for i in range(MAX_AUDIENCE - 2)]
        label = Label.of("REGIONAL", "RESTRICTED", originators=["EST"], audience=["FIN", "LVA", *states])
        entry = desk.again("EST", plain, label=label)
        assert isinstance(judge(desk.case(entry, decide=opinion)), Admitted)

    assert kept(judged) < TRIES * 5000


@pytest.mark.skipif(
    "rsc_share.policy.tables" in modules(), reason="compiled callers do not see what a test puts in its place"
)
def test_attack_label_too_long_to_keep_is_resolved_once_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row that asks about it would else resolve hundreds of names again."""
    desk, resolved, real = bench(), [], Tables.case
    states = [f"A{i:03}".ljust(31, "A") for i in range(MAX_AUDIENCE - 2)]
    label = Label.of("REGIONAL", "RESTRICTED", originators=["EST"], audience=["FIN", "LVA", *states])
    entry = desk.again("EST", desk.message(), label=label)

    def counted(self: Tables, label: Label, *rest: Any) -> Any:
        resolved.append(label)
        return real(self, label, *rest)

    monkeypatch.setattr(Tables, "case", counted)
    assert isinstance(judge(desk.case(entry)), Admitted)
    assert resolved == [label]
