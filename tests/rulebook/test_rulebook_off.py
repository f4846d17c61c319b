"""Every named check of the rulebook matters: without it, and those that would refuse the same entry for another reason,
what it is there for is admitted; with it alone it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rulebook_desk import bench
from test_rulebook_rows import ALL, SAMPLES, Sample, ids

from rsc_share.rulebook.admit import Admitted, Void, judge
from rsc_share.rulebook.rules import RULES
from rsc_share.rulebook.view import Party

BACKED: dict[str, tuple[str, ...]] = {
    "approvals-verify": ("approvals-present",),
    "certified-sender": (
        "continues-sender",
        "counters-continue",
        "grant-known",
        "nobody-left-out",
        "sender-may-originate",
        "sender-may-send-here",
        "signed-by-sender",
    ),
    "directory-not-ahead": ("revocations-bite", "stamp-never-decreases"),
    "heads-signed": ("seen-is-prefix",),
    "label-valid": ("policy-permits", "sender-may-originate"),
    "recipients-active": ("policy-permits",),
    "right-log": ("heads-signed", "policy-permits", "recipients-active"),
    "sender-may-send-here": ("seen-is-prefix",),
}
"""Checks that refuse the sample of another one as well. A closed list: whoever backs one more writes it here."""


@contextmanager
def off(*names: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patcher:
        patcher.setitem(RULES, 1, RULES[1].without(*names))
        yield


@pytest.mark.parametrize(("sample", "party"), ALL, ids=ids)
def test_with_a_check_off_what_it_is_for_is_admitted(sample: Sample, party: Party) -> None:
    with off(sample.check, *BACKED.get(sample.check, ())):
        verdict = judge(sample.bad(bench(), party))
    assert isinstance(verdict, Admitted), verdict.refused


@pytest.mark.parametrize(("sample", "party"), [pair for pair in ALL if pair[0].check in BACKED], ids=ids)
def test_with_what_backs_it_off_a_check_is_enough(sample: Sample, party: Party) -> None:
    with off(*BACKED[sample.check]):
        verdict = judge(sample.bad(bench(), party))
    assert isinstance(verdict, Void)
    assert verdict.refused.code == sample.code


@pytest.mark.parametrize("check", sorted(BACKED))
def test_no_check_is_said_to_be_backed_that_is_not(check: str) -> None:
    pairs = [(sample, party) for sample, party in ALL if sample.check == check]
    with off(check):
        assert any(isinstance(judge(sample.bad(bench(), party)), Void) for sample, party in pairs)


@pytest.mark.parametrize("party", [Party.RELAY, Party.NODE, Party.AUDITOR])
def test_without_the_check_of_signatures_an_altered_header_is_admitted(party: Party) -> None:
    altered = bench().message().altered(precedence="FLASH")
    assert isinstance(judge(bench().case(altered, party)), Void)
    with off("signed-by-sender"):
        assert isinstance(judge(bench().case(altered, party)), Admitted)


def test_every_check_is_switched_off_here() -> None:
    assert {sample.check for sample in SAMPLES} | {"signed-by-sender"} == {check.name for check in RULES[1].checks}
