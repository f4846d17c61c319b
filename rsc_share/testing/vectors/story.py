"""A log that is in order: every kind of entry once, on which cases are built."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share.envelope.approval import release_digest
from rsc_share.envelope.contents import (
    AcknowledgementContent,
    ErasureContent,
    RecallContent,
    ReleaseContent,
)
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.testing.vectors.channel import Channel, officers
from rsc_share.testing.vectors.material import DAY, seeded

EST, FIN, LTU, LVA = "EST/mod-1", "FIN/mod-1", "LTU/mod-1", "LVA/mod-1"
PUBLIC = "REGIONAL RESTRICTED REL TO @members"


@dataclass(frozen=True)
class Story:
    """What the story left behind that cases refer to."""

    wide: bytes
    """EST's grant to FIN, LTU and LVA."""
    narrow: bytes
    """EST's grant to LVA."""
    lva: bytes
    """LVA's grant to FIN."""
    first: Ref
    portion: Ref
    release: Ref


def tell(c: Channel) -> Story:
    """Every kind of entry once, all of them in order."""
    wide = c.grant(EST, (FIN, LTU, LVA))
    c.log(wide)
    first = c.log(c.message(EST, (FIN, LTU, LVA), c.label(PUBLIC, "EST"), wide.header.id, "A warning"))[0]
    c.log(c.heartbeat(FIN, (EST, LTU, LVA), {EST: (first.header_hash, "opened")}))
    narrow = c.grant(EST, (LVA,))
    c.log(narrow)
    document = (c.fresh_id(), 2)
    frame = c.message(
        EST, (FIN, LTU, LVA), c.label(PUBLIC, "EST"), wide.header.id, "Two portions", id=document[0], document=document
    )
    secret = c.label("REGIONAL SECRET REL TO LVA", "EST")
    portion = c.message(EST, (LVA,), secret, narrow.header.id, "The second", after=frame, document=document)
    place = c.log(frame, portion)[1]
    said = AcknowledgementContent("acknowledged", None)
    c.log(officers(c, c.draft(LVA, "acknowledgement", (EST,), refs=Refs(target=first), content=said), "LVA/duty-1"))
    digest = release_digest(secret, portion.header.nodes, [p.commit for p in portion.header.parts])
    content = ReleaseContent(digest, ("FIN",), c.now + DAY)
    release = c.log(
        officers(c, c.draft(EST, "release", (FIN,), refs=Refs(target=place), content=content), "EST/duty-1")
    )[0]
    lva = c.grant(LVA, (FIN,))
    c.log(lva)
    derived = c.label("REGIONAL SECRET REL TO FIN", "EST", "LVA")
    c.log(
        c.message(
            LVA, (FIN,), derived, lva.header.id, "With leave", refs=Refs(derived_from=(place,), releases=(release,))
        )
    )
    c.log(c.draft(EST, "recall", (FIN, LTU, LVA), refs=Refs(target=first), content=RecallContent(None)))
    gone = ErasureContent((seeded("body", 32),), "Court order 7/2026")
    c.log(officers(c, c.draft(EST, "erasure", (FIN, LTU, LVA), content=gone), "EST/duty-1"))
    return Story(wide.header.id, narrow.header.id, lva.header.id, first, place, release)
