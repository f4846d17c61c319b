"""Row 12: what came from others stays under their control, and what needs a person's signature has one."""

from __future__ import annotations

from collections.abc import Sequence

from rsc_share import names
from rsc_share.charter.certificate import OfficerCertificate, Power
from rsc_share.envelope.approval import approval_bytes, approval_digest, release_digest
from rsc_share.envelope.contents import AcknowledgementContent, ReleaseContent
from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError, Refused, RemoteError
from rsc_share.labels.label import Label
from rsc_share.labels.order import dominates, join
from rsc_share.policy.decide import required_releases
from rsc_share.rulebook.audience import decision
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.unseen import IN_DOUBT, NotCheckable, Unseen
from rsc_share.rulebook.view import Source

MACHINE_STATEMENTS = frozenset({"node-erased"})
POWER: dict[str, Power] = {
    "message": "approve",
    "grant": "approve",
    "heartbeat": "acknowledge",
    "acknowledgement": "acknowledge",
    "release": "release",
    "recall": "release",
    "erasure": "release",
}
"""What an officer's certificate must allow for its signature to count beside each kind of entry."""


def sources_kept(case: Case) -> None:
    """Derived from others: not below the join of the sources, not to a wider audience, or released by each originator.

    A source that is not at hand leaves this open, unless one that is here is enough to fail: somebody reads it who may
    not, and its originators have not released it.
    """
    h = case.header
    if not h.refs.derived_from or h.label is None:
        return
    sources, unseen = _resolve(case, h.refs.derived_from)
    holds = unseen is not None or _label_holds(case, sources)
    if not holds or _new_readers(case, sources):
        unseen = _not_sure_released(case, sources) or unseen
    if any(source.in_doubt for source in sources):
        unseen = unseen or Unseen(IN_DOUBT)
    if unseen is not None:
        raise NotCheckable(unseen)


def _resolve(case: Case, refs: tuple[Ref, ...]) -> tuple[list[Source], Unseen | None]:
    """The sources that are at hand, and why one of them is not."""
    found, unseen = [], None
    for ref in refs:
        source = case.look_up(ref)
        if source is None:
            raise Refused("source-unknown", "a source is not held here", row=12, source=[ref.log, ref.index])
        if isinstance(source, Source):
            found.append(source)
        else:
            unseen = unseen or source
    return found, unseen


def _not_sure_released(case: Case, sources: list[Source]) -> Unseen | None:
    """Why it cannot be said that every originator released its source; None where all have. Raises `Refused` where one
    has not."""
    unseen = None
    # Looked up once: there may be 16 of them, as many sources, and 65 originators of each. Not by `look_up`: whom
    # something was released to was shown the release, so a node that holds none has been given none.
    releases = [case.view.known(ref) for ref in case.header.refs.releases]
    for source in sources:
        for originator in _originators(source) - {case.header.member}:
            released = _released(case, source, originator, releases)
            if released is False:
                raise Refused(
                    "third-party",
                    f"derived from {originator}'s material, wider than its label and without its release",
                    row=12,
                    originator=originator,
                    source=[source.ref.log, source.ref.index],
                )
            if isinstance(released, Unseen):
                unseen = unseen or released
    return unseen


def _label_holds(case: Case, sources: list[Source]) -> bool:
    label, schemes = case.header.label, case.bundle.schemes
    labels = [source.label for source in sources if source.label is not None]
    if label is None or not labels:
        return False
    try:
        joined = labels[0]
        for other in labels[1:]:
            joined = join(joined, other, schemes, case.now)
        return dominates(label, joined, schemes, case.now)
    except LocalError:
        return False  # labels that cannot be compared do not hold


def _new_readers(case: Case, sources: list[Source]) -> bool:
    """Whether policy would not give each source itself to every recipient."""
    nodes = case.header.nodes
    return bool(nodes) and not all(source.label is not None and _may_have(case, source.label) for source in sources)


def _may_have(case: Case, label: Label) -> bool:
    """Whether policy gives this label to every recipient. Asked once about all who may be addressed: a label of
    hundreds of names is resolved for each question, and there may be as many recipients, and 16 sources."""
    nodes, circle = case.header.nodes, case.circle
    if len(nodes) > 1 and circle.active.issuperset(nodes):
        found = case.view.decide(case.bundle, label, circle.readers, "receive", case.facets)
        permitted = {node for node, decided in zip(circle.nodes, found, strict=True) if decided.permitted}
        return permitted.issuperset(nodes)
    return all(decision(case, case.at, node, label, case.now).permitted for node in nodes)


def _originators(source: Source) -> set[str]:
    label = source.label
    return {names.member_of(source.sender), *(label.originators if label is not None else ())}


def _released(case: Case, source: Source, originator: str, releases: Sequence[Source | Unseen | None]) -> bool | Unseen:
    """A release entry of `originator` for this source that covers every recipient and has not run out."""
    readers = {names.member_of(node) for node in case.header.nodes}
    unseen: bool | Unseen = False
    for release in releases:
        if isinstance(release, Unseen):
            unseen = unseen or release
            continue
        if release is None or not isinstance(release.content, ReleaseContent) or release.target != source.ref:
            continue
        content = release.content
        if names.member_of(release.sender) != originator or source.label is None:
            continue
        in_time = content.until is None or case.now < content.until
        same = content.digest == release_digest(source.label, source.nodes, source.commits)
        if in_time and same and readers <= {originator, *content.members}:
            if not release.in_doubt:
                return True
            unseen = unseen or Unseen(IN_DOUBT)
    return unseen


def approvals_verify(case: Case) -> None:
    """Every approval that is there is an active officer's and verifies: a decoration that lies is refused."""
    h = case.header
    if not h.approvals:
        return
    signed = approval_bytes(case.at.framework_id, approval_digest(h))
    for key_id, signature in h.approvals:
        officer = _officer(case, key_id)
        try:
            case.view.signatures.verify(officer.key, signed, signature)
        except RemoteError:
            raise Refused("third-party", f"the approval of {officer.name} does not verify", row=12) from None


def approvals_present(case: Case) -> None:
    """Four eyes where a row says require-release; a person behind every acknowledgement, release and erasure."""
    h = case.header
    approvers = {names.member_of(_officer(case, key_id).name) for key_id, _ in h.approvals} if h.approvals else set()
    if h.kind in ("acknowledgement", "release", "erasure") and h.member not in approvers and not _by_machine(case):
        raise Refused("third-party", f"a {h.kind} needs an officer of {h.member}", row=12, kind=h.kind)
    if h.label is None:
        return
    if not required_releases(case.bundle, h.label, case.facets):
        return  # of nobody, whoever reads it
    subjects = [case.at.subject(node, case.now) for node in case.nodes]
    rows = required_releases(case.bundle, h.label, case.facets, subjects=subjects)
    if rows and h.member not in approvers:
        raise Refused("third-party", f"row {rows[0]} asks for an officer's release", row=12, rule=rows[0])


def erasure_ordered(case: Case) -> None:
    """An erasure carries the order of an officer whom the charter names for it: else anybody could clear evidence."""
    if case.header.kind != "erasure":
        return
    ordering = {_officer(case, key_id).name for key_id, _ in case.header.approvals}
    if ordering.isdisjoint(case.at.charter.erasure):
        raise Refused("third-party", "no officer whom the charter names for erasures has ordered it", row=12)


def _by_machine(case: Case) -> bool:
    content = case.header.content
    return isinstance(content, AcknowledgementContent) and content.statement in MACHINE_STATEMENTS


def _officer(case: Case, key_id: bytes) -> OfficerCertificate:
    try:
        return case.at.officer(key_id, case.now, POWER[case.header.kind])
    except Refused as error:
        raise Refused("third-party", error.what, row=12) from None
