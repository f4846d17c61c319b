"""What an audit notices about an entry besides the rulebook's verdict: times, silence, two programs that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rsc_share import names
from rsc_share.audit.anchors import Anchored
from rsc_share.audit.beside_checks import Place
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.heads import Head
from rsc_share.audit.second import Disagreement
from rsc_share.audit.setting import Bound
from rsc_share.audit.trust import Trust
from rsc_share.envelope.header import Header
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.unseen import Unchecked


def bounds_of(origin: str, head: Head | None, anchored: Anchored) -> tuple[Bound, ...]:
    """What witnesses saw of a log and when: by its own checkpoint and by those from outside."""
    found = {
        Bound(outside.size, outside.quorum_time, outside.seen_time)
        for outside in anchored.heads
        if outside.origin == origin and outside.quorum_time is not None and outside.seen_time is not None
    }
    if head is not None and head.quorum_time is not None and head.seen_time is not None:
        found.add(Bound(head.checkpoint.size, head.quorum_time, head.seen_time))
    return tuple(sorted(found, key=lambda bound: (bound.size, bound.quorum, bound.seen)))


def out_of_time(cases: Iterable[Case], bounds: Sequence[Bound]) -> list[Case]:
    """Those about which `times` may have something to say: later than witnesses saw the log, or behind it."""
    if not bounds:
        return []
    seen, size = min(bound.seen for bound in bounds), min(bound.size for bound in bounds)
    return [case for case in cases if case.now > seen + case.parameters.skew or case.index >= size]


def times(place: Place, skew: int, bounds: Iterable[Bound], found: list[Finding]) -> None:
    """The relay's times against the witnesses': nobody cosigned the future, and nothing was added to the past."""
    now = place.when
    for bound in bounds:
        if place.index < bound.size and now > bound.seen + skew:
            code, what = "future-stamp", f"entry {place.index} is stamped later than witnesses saw it"
        elif place.index >= bound.size and now < bound.quorum - skew:
            code, what = "back-dated", f"entry {place.index} is stamped earlier than witnesses saw a log without it"
        else:
            continue
        evidence = {"size": bound.size, "quorum": bound.quorum, "seen": bound.seen}
        found.append(place.finding(Grade.INTEGRITY, code, what, "", **evidence))


def directory_times(trust: Trust, bounds: Sequence[Bound]) -> list[Finding]:
    """The same of the directory: a revocation that is dated back, or ahead, changes whom to trust when.

    SKEW as it is with the entry in force.
    """
    directory = trust.directory
    found: list[Finding] = []
    for index in range(trust.usable if bounds else 0):
        place = Place(trust.origin, index, directory.logged_at(index), None)
        odd = any(place.when > b.seen if index < b.size else place.when < b.quorum for b in bounds)
        if odd:  # a view of each size would cost a long directory the square of its length
            times(place, directory.at(index + 1).parameters.skew, bounds, found)
    return found


def left_out(case: Case, place: Place, found: list[Finding]) -> None:
    """Permitted by policy and not addressed, without the rules being broken: committees ask about that too."""
    h = case.header
    for node in sorted(case.unaddressed):
        no_key = case.then.prekey(node, case.now) is None
        why = "had no key to receive with" if no_key else "became entitled just before"
        what = f"policy permitted {node} to have entry {place.index}; it was not addressed, because it {why}"
        found.append(place.finding(Grade.OBSERVATION, "under-release", what, h.sender, node=node))


def opinions(place: Place, disagreements: Iterable[Disagreement]) -> Iterator[Finding]:
    """Both programs read the same rules: where they differ, one of them is wrong, and so may the relay have been."""
    for found in disagreements:
        said = f"the rulebook says {found.first}, the second program {found.second}"
        what = f"two programs decided differently about entry {place.index} and {found.node}: {said}"
        grade = Grade.INTEGRITY if found.permits else Grade.OBSERVATION
        yield place.finding(grade, "second-opinion", what, node=found.node, label=found.label, action=found.action)


def kept_back(place: Place, sender: str, node: str, count: int) -> Finding:
    """A recipient's own numbers have a gap: its view was not given everything that was sent to it."""
    what = f"{count} earlier entries of {sender} to {node} are not in this view"
    return place.finding(Grade.INTEGRITY, "kept-back", what, sender, node=node, count=count)


def not_of_the_view(member: str, places: Iterable[Place], cases: Iterable[Case]) -> Iterator[Finding]:
    """Entries that a view cut to `member` must not show: whoever has that view may not see what others said."""
    for place, case in zip(places, cases, strict=True):
        h = case.header
        if h.member != member and not any(names.member_of(node) == member for node in h.nodes):
            what = f"entry {place.index} is in the view of {member}, and is neither by nor for one of its nodes"
            yield place.finding(Grade.INTEGRITY, "file", what)


def not_checkable(place: Place, h: Header, item: Unchecked) -> Finding:
    """A row that could not be judged. It says nothing against anybody; somebody should bring what is missing."""
    what = f"row {item.row} of the rulebook was not checked for entry {place.index}: {item.reason}"
    refers = [[ref.log, ref.index] for ref in h.refs.all()]
    return place.finding(Grade.OBSERVATION, "not-checkable", what, h.sender, row=item.row, refers_to=refers)
