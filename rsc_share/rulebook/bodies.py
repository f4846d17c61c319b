"""Row 14: what an entry names beside it is no larger than agreed, and is here.

Sizes are the header's, so that every party judges them alike, whether it is shown the bodies or not. A relay asks
`within_limits` before it looks at what came with a submission, a sender before it queues one.
"""

from __future__ import annotations

from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import MAX_INLINE_ENTRY, MAX_INLINE_PART
from rsc_share.crypto.sealing import SEALED_SIZE
from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.header import Header
from rsc_share.errors import Refused
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.party import NODE

CODE = "body-limit"
LIMIT = "body_bytes"


def largest_body(view: DirectoryView, log: str) -> int | None:
    """Bytes that the charter allows one body in a channel, beside its entry or a blob; None: it does not say."""
    found = view.logs.get(log)
    return None if found is None or found.spec is None else found.spec.limits.get(LIMIT)


def beside(header: Header) -> dict[bytes, int]:
    """Size of every body that travels with this entry, by digest: a larger one is a blob and comes on its own."""
    if isinstance(header.content, GrantContent):
        return {digest: SEALED_SIZE for _, _, digest in header.content.nodes}
    return {part.digest: part.size for part in header.parts if part.size <= MAX_INLINE_PART}


def within_limits(header: Header, largest: int | None = None) -> None:
    """Raises `Refused` for an entry whose bodies are more than a submission may carry, or one of them larger than
    `largest`."""
    together = widest = 0
    for part in header.parts:
        size = part.size
        together += size if size <= MAX_INLINE_PART else 0
        if size > widest:
            widest = size
    if together > MAX_INLINE_ENTRY:
        what = f"{together} bytes beside one entry; at most {MAX_INLINE_ENTRY}"
        raise Refused(CODE, what, row=14, size=together, most=MAX_INLINE_ENTRY)
    if largest is not None and widest > largest:
        what = f"a body of {widest} bytes; the charter allows {largest} in this channel"
        raise Refused(CODE, what, row=14, size=widest, most=largest)


def as_named(header: Header, came: int) -> None:
    """Raises `Refused` where what came is more than all that the header names: it need not be looked at."""
    named = sum(beside(header).values())
    if came > named:
        raise Refused(CODE, f"{came} bytes of bodies; the header names {named}", row=14, size=came, most=named)


def bodies_fit(case: Case) -> None:
    """Row 14: the bodies that the header names are within the protocol's and the charter's limits."""
    within_limits(case.header, largest_body(case.at, case.header.log))


def bodies_here(case: Case) -> None:
    """Row 14: every body is at hand with the size the header names. A node may not be given one (it was erased, or is
    kept back); those it is given are the ones that were named."""
    h, bodies = case.header, case.bodies
    if bodies is None:
        return
    absent_passes = case.view.party is NODE
    for part in h.parts:
        size = bodies.get(part.digest)
        if size != part.size and not (size is None and absent_passes):
            raise Refused("body-missing", "a body is missing or of another size", row=14, digest=part.digest)
    if not isinstance(h.content, GrantContent):
        return
    for node, _, digest in h.content.nodes:
        size = bodies.get(digest, 0 if absent_passes else None)
        if size is None or size > SEALED_SIZE:
            what = f"the sealed key for {node} is missing, or larger than any"
            raise Refused("body-missing", what, row=14, digest=digest)
