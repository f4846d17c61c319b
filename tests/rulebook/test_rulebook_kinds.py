"""A check that is left out of a kind of entry would have said nothing about it: proved on every sample of every row."""

from __future__ import annotations

import pytest
from rulebook_desk import Bench, bench
from test_rulebook_rows import ALL, PARTIES, Closed, Sample, ids

from rsc_share.envelope.header import KINDS, Header
from rsc_share.errors import RemoteError
from rsc_share.rulebook.admit import Admitted, Void, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.rules import EVERY_KIND, RULES, Rules
from rsc_share.rulebook.view import Party
from rsc_share.value import replace

MESSAGES_ONLY = ("type", "label", "grant", "parts", "purpose", "document", "expires_at")


def released(b: Bench, party: Party) -> Case:
    return b.case(b.release("secret", ("FIN",)), party)


EVERY = [*ALL, *((Sample("circle-kept", "policy-denied", released, released), party) for party in PARTIES)]


def cases(sample: Sample, party: Party) -> list[Case]:
    return [sample.good(bench(), party), sample.bad(bench(), party)]


def blind(case: Case) -> Case:
    """The same entry before somebody who must not be asked for anything he knows."""
    found = replace(case, view=replace(case.view))
    for name in ("facts", "last", "root_at", "known", "decide", "directory_root", "signatures"):
        setattr(found.view, name, Closed())
    return found


@pytest.mark.parametrize(("sample", "party"), EVERY, ids=ids)
def test_what_is_left_out_says_nothing_and_asks_for_nothing(sample: Sample, party: Party) -> None:
    for case in cases(sample, party):
        for check in RULES[1].checks:
            if case.header.kind not in check.kinds:
                check.run(blind(case))


@pytest.mark.parametrize(("sample", "party"), EVERY, ids=ids)
def test_every_check_on_every_kind_says_the_same(sample: Sample, party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cases(sample, party)
    some = [judge(replace(case)) for case in made]
    everything = tuple(replace(check, kinds=EVERY_KIND) for check in RULES[1].checks)
    monkeypatch.setitem(RULES, 1, Rules(1, everything))
    for one, other in zip(some, [judge(replace(case)) for case in made], strict=True):
        assert type(one) is type(other)
        assert one.effects == other.effects
        if isinstance(one, Void) and isinstance(other, Void):
            assert (one.refused.code, one.refused.row) == (other.refused.code, other.refused.row)
        elif isinstance(one, Admitted) and isinstance(other, Admitted):
            assert one.unchecked == other.unchecked


def test_there_is_a_sample_of_every_kind() -> None:
    found = {case.header.kind for sample, party in EVERY for case in cases(sample, party)}
    assert found == set(KINDS)
    assert {kind for check in RULES[1].checks for kind in check.kinds} == set(KINDS)


@pytest.mark.parametrize("field", MESSAGES_ONLY)
def test_no_other_kind_has_what_the_checks_of_messages_look_at(field: str) -> None:
    b = bench()
    message = b.message().header
    full = replace(message, purpose="exercise", document=(message.id, 2), expires_at=1)
    assert Header.parse(full.pack()) == full
    headers = {header.kind: header for header in (sample.good(b, party).header for sample, party in EVERY)}
    for kind in set(KINDS) - {"message"}:
        header = headers[kind]
        with pytest.raises(RemoteError):
            Header.parse(replace(header, **{field: getattr(full, field)}).pack())
        with pytest.raises(RemoteError):
            Header.parse(replace(header, refs=replace(header.refs, derived_from=(b.ref("secret"),))).pack())


def test_a_kind_nobody_knows_passes_no_parser() -> None:
    with pytest.raises(RemoteError):
        Header.parse(replace(bench().message().header, kind="errand").pack())
