"""What lies beside one entry: openings, a heartbeat's statements, bodies. None of it is ever a verdict on the entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rsc_share import names
from rsc_share.audit.besides import Beside
from rsc_share.audit.findings import Finding, Grade
from rsc_share.crypto.bodies import received_commitment
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.header import Header
from rsc_share.rulebook.case import Case
from rsc_share.session.frames import Statement
from rsc_share.value import Value


class Place(Value, frozen=True):
    """Where an entry stands, for a finding."""

    log: str
    index: int
    when: int
    member: str | None
    """The member a view is cut to; None in a full one."""

    def finding(self, grade: Grade, code: str, what: str, who: str = "", **evidence: object) -> Finding:
        return Finding(
            grade, code, what, log=self.log, index=self.index, when=self.when, who=who, evidence=dict(evidence)
        )

    def shows(self, h: Header, node: str) -> bool:
        """Whether what is for `node` belongs into this view."""
        return self.member is None or h.member == self.member or names.member_of(node) == self.member


def openings(case: Case, beside: Beside, place: Place, found: list[Finding]) -> None:
    """Every recipient's number opens, and nobody else has one. The relay held each of them when it logged the entry."""
    shown = [node for node in case.nodes if place.shows(case.header, node)] if place.member else case.nodes
    opened = case.opened
    missing = [node for node in shown if node not in opened]
    if missing:
        what = f"entry {place.index}: the number of {', '.join(missing)} is not shown, or not the one committed to"
        found.append(place.finding(Grade.IRREGULARITY, "opening-missing", what, nodes=missing))
    if len(beside.openings) + len(missing) == len(shown) and not missing:
        return
    extra = sorted(beside.openings.keys() - set(shown))
    if extra:
        what = f"entry {place.index} comes with numbers for {', '.join(extra)}, who are not to have them"
        found.append(place.finding(Grade.INTEGRITY, "file", what, nodes=extra))


def committed(h: Header, sender: str, commitment: bytes, said: Statement) -> bool:
    """Whether what lies beside a heartbeat about `sender` is what the heartbeat committed to."""
    return commitment == received_commitment(
        log=h.log, receiver=h.sender, sender=sender, header_hash=said.header_hash, state=said.state, salt=said.salt
    )


def statements(h: Header, beside: Beside, place: Place) -> Iterator[Finding]:
    """A heartbeat's statements open, and say which deliveries went wrong."""
    received = h.content.received if isinstance(h.content, HeartbeatContent) else ()
    shown = {sender: c for sender, c in received if place.shows(h, sender)}
    false = []
    for sender, commitment in shown.items():
        said = beside.statements.get(sender)
        if said is None or not committed(h, sender, commitment, said):
            false.append(sender)
        elif said.state not in ("stored", "opened"):
            what = f"{h.sender} says that it could not read what {sender} sent: {said.state}"
            yield place.finding(Grade.OBSERVATION, "delivery", what, h.sender, sender=sender, state=said.state)
    if false:
        about = ", ".join(false)
        what = (
            f"heartbeat {place.index} of {h.sender}: what it says about {about} is not shown, or is another statement"
        )
        yield place.finding(Grade.IRREGULARITY, "statement-missing", what, h.sender, senders=false)
    extra = sorted(beside.statements.keys() - shown.keys())
    if extra:
        what = f"entry {place.index} comes with statements about {', '.join(extra)}, which it does not make"
        yield place.finding(Grade.INTEGRITY, "file", what, senders=extra)


def body_sizes(h: Header, present: Mapping[bytes, int]) -> dict[bytes, int]:
    """For the rulebook: the size of each body at hand, and the size named for one that is gone since.

    An absence is judged after the whole log has been read (an erasure comes later); a wrong size is judged at once.
    """
    sizes = {part.digest: present.get(part.digest, part.size) for part in h.parts}
    if isinstance(h.content, GrantContent):
        sizes.update((digest, present.get(digest, 0)) for _, _, digest in h.content.nodes)
    return sizes
