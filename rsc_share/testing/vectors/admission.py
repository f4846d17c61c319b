"""For every row of the admission table an entry that breaks it, behind a log that is in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rsc_share import names
from rsc_share.crypto.bodies import to_commitment
from rsc_share.envelope.contents import (
    AcknowledgementContent,
    ErasureContent,
    GrantContent,
    RecallContent,
    ReleaseContent,
)
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.parts import Head, Opening, Ref, Refs
from rsc_share.envelope.signature import SignatureBlock
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import Channel, Draft, officers
from rsc_share.testing.vectors.framework import DIRECTORY, LOG
from rsc_share.testing.vectors.material import DAY, HOUR, Material, seeded
from rsc_share.testing.vectors.story import EST, FIN, LTU, LVA, PUBLIC, Story, tell
from rsc_share.testing.vectors.trials import Trial, told
from rsc_share.value import replace


class Court:
    """Makes the entries of the cases: a good one with one thing changed."""

    def __init__(self, channel: Channel, story: Story) -> None:
        self.c, self.story = channel, story

    def good(self, **changes: Any) -> Draft:
        label = changes.pop("label", None) or self.c.label(PUBLIC, "EST")
        grant, sender = changes.pop("grant", self.story.wide), changes.pop("sender", None)
        found = self.c.message(EST, changes.pop("nodes", (FIN, LTU, LVA)), label, grant, "Next", **changes)
        return found if sender is None else _with(found, sender=sender)

    def trial(
        self, why: str, draft: Draft, *, by: str | None = None, realm: str = "operational", **stamp: int
    ) -> Trial:
        return Trial(why, draft, self.c.sign(draft, by=by, realm=realm)[0], self.c.stamp(**stamp))

    def block(self, why: str, change: Callable[[SignatureBlock], SignatureBlock]) -> Trial:
        found = self.trial(why, self.good())
        block = change(found.signed.block)
        return replace(found, signed=Signed.parse(found.signed.header_bytes, block.pack()))

    def counter(self, n: int) -> Draft:
        """The good message with another number for FIN, truly opened."""
        draft, salt = self.good(), seeded("other counter", 16)
        c = to_commitment(log=LOG, sender=EST, node=FIN, n=n, salt=salt)
        to = tuple((node, c if node == FIN else old) for node, old in draft.header.to)
        return replace(draft, header=replace(draft.header, to=to), openings={**draft.openings, FIN: Opening(salt, n)})


def _identity(t: Court) -> Iterator[Trial]:
    c, good = t.c, t.good
    yield t.trial("in order", good())
    yield t.trial("row 2: for another log", good(log="relay.example/regional/play"))
    yield t.trial("row 2: for a log of no charter", good(log="relay.example/regional/other"))
    seen = c.head(LOG)
    yield t.trial("row 2: seen is not signed by the log", good(seen=Head(seen.size, seen.root, bytes(64))))
    other = Head(seen.size, seen.root, c.head(DIRECTORY).signature)
    yield t.trial(
        "row 2: directory is not signed by its log", good(directory=replace(other, size=c.directory_tree.size))
    )
    yield t.trial("row 3: nobody's certificate", good(sender="EST/mod-9"), by=EST)
    yield t.trial("row 3: another node's key", good(), by=FIN)
    yield t.trial("row 3: a revoked node", good(sender="FIN/mod-2"), by="FIN/mod-2")
    yield t.trial("row 3: a node that only witnesses", good(sender="LVA/mod-2"), by="LVA/mod-2")
    yield t.trial("row 4: signed for the other realm", good(), realm="exercise")
    yield t.block("row 4: another batch size", lambda b: replace(b, size=2, path=(bytes(32),)))
    yield t.block("row 4: altered", lambda b: replace(b, signature=bytes([b.signature[0] ^ 1]) + b.signature[1:]))
    yield t.block("row 4: a path that does not fit the size", lambda b: replace(b, path=(bytes(32),)))


def _trust(t: Court) -> Iterator[Trial]:
    c, good, size = t.c, t.good, t.c.directory_tree.size
    yield t.trial("row 5: a directory that all know to be old", good(directory=c.head(DIRECTORY, size - 2)))
    yield t.trial("row 5: a directory newer than the stamp", good(), directory=size - 1)
    yield t.trial("row 5: a stamp nobody can check", good(), directory=size + 1)
    forked = c.head(DIRECTORY, size, root=seeded("fork", 32))
    yield t.trial("row 5: the directory log signed another tree", good(directory=forked))
    used = c.entries[1].header
    yield t.trial("row 6: an id used before", good(id=used.id))
    next_ = good().header
    yield t.trial("row 7: a number is skipped", good(seq=next_.seq + 1))
    yield t.trial("row 7: a number comes twice", good(seq=next_.seq - 1, prev=used.prev))
    yield t.trial("row 7: another previous entry", good(prev=seeded("prev", 32)))
    yield t.trial("row 7: a number for FIN is skipped", t.counter(int(good().openings[FIN].n) + 1))
    yield t.trial("row 7: a number for FIN comes twice", t.counter(int(good().openings[FIN].n) - 1))
    closed = good()
    yield t.trial("an opening that does not open is no verdict", replace(closed, openings={FIN: Opening(bytes(16), 9)}))
    yield t.trial("row 8: composed in the future", good(id=c.fresh_id(at=c.now + 121_000)))
    yield t.trial("composed within SKEW", good(id=c.fresh_id(at=c.now + 120_000)))
    old = c.now - 90 * DAY - 1
    yield t.trial("row 8: composed before OUTBOX_AGE", good(id=names.uuid7(old, seeded("old", 10))))
    yield t.trial("row 8: expired", good(expires_at=c.now))


def _labels(t: Court) -> Iterator[Trial]:
    c, good = t.c, t.good
    yield t.trial("row 9: an obsolete value", good(label=c.label("REGIONAL SECRET LIMITED REL TO @members", "EST")))
    yield t.trial("row 9: another family", good(type="cyber/report/1"))
    yield t.trial("the family control is always carried", good(type="control/read-receipt/1"))
    yield t.trial("row 9: not among the originators", good(label=c.label(PUBLIC, "FIN")))
    yield t.trial("row 9: above the ceiling", good(label=c.label("REGIONAL TOP SECRET REL TO FIN, LTU, LVA", "EST")))
    yield t.trial("row 10: a node that is not active", good(nodes=(FIN, "FIN/mod-2", LTU, LVA)))
    yield t.trial("row 10: a reader outside the audience", good(label=c.label("REGIONAL SECRET REL TO LVA", "EST")))
    beat = c.heartbeat(FIN, (EST, LTU, LVA), {})
    yield t.trial("a heartbeat with nothing new", beat)
    yield t.trial("row 11: a heartbeat that leaves out LTU", c.heartbeat(FIN, (EST, LVA), {}))
    recall = c.draft(FIN, "recall", (LTU, LVA), refs=Refs(target=t.story.first), content=RecallContent(None))
    yield t.trial("row 10: a recall of another's message", recall)
    nowhere = Ref(LOG, 1, seeded("nowhere", 32))
    unknown = c.draft(EST, "recall", (FIN, LTU, LVA), refs=Refs(target=nowhere), content=RecallContent(None))
    yield t.trial("row 10: a target that is not in the log", unknown)
    said = AcknowledgementContent("node-erased", None)
    theirs = c.draft(FIN, "acknowledgement", (EST,), refs=Refs(target=t.story.portion), content=said)
    yield t.trial("row 10: an acknowledgement of what it was not sent", theirs)
    let = ReleaseContent(seeded("release", 32), ("LTU",), None)
    yield t.trial(
        "row 10: a release by a state that is no originator",
        officers(c, c.draft(LVA, "release", (EST, LTU), refs=Refs(target=t.story.first), content=let), "LVA/duty-1"),
    )
    yield t.trial(
        "row 10: an acknowledgement to a third state",
        c.draft(LVA, "acknowledgement", (EST, FIN), refs=Refs(target=t.story.first), content=said),
    )


def _grants(t: Court) -> Iterator[Trial]:
    c, good = t.c, t.good
    secret = c.label("REGIONAL SECRET REL TO LVA", "EST")
    yield t.trial("under the narrow grant", good(label=secret, nodes=(LVA,), grant=t.story.narrow))
    yield t.trial("row 11: no such grant", good(grant=names.uuid7(c.now, bytes(10))))
    yield t.trial("row 11: another sender's grant", good(grant=t.story.lva))
    grant_logged = c.entries[0].stamp.logged_at
    yield t.trial("the last millisecond of a grant", good(), logged_at=grant_logged + HOUR - 1)
    yield t.trial("row 11: a grant of an hour ago", good(), logged_at=grant_logged + HOUR)
    yield t.trial("row 11: the key went further", good(label=secret, nodes=(LVA,)))
    yield t.trial("row 11: addressed without a key", good(grant=t.story.narrow))
    both = c.label("REGIONAL SECRET REL TO FIN, LVA", "EST")
    yield t.trial("row 11: FIN is entitled and left out", good(label=both, nodes=(LVA,), grant=t.story.narrow))
    made = c.grant(EST, (FIN, LVA))
    yield t.trial("a grant", made)
    content = made.header.content
    if isinstance(content, GrantContent):
        rows = content.nodes
        fewer = replace(content, nodes=rows[:1])
        yield t.trial("row 11: a grant with a row missing", _with(made, content=fewer))
        yield t.trial("row 11: a grant with a row too many", _with(made, to=made.header.to[:1]))
        stale = replace(content, nodes=(rows[0], (rows[1][0], seeded("prekey", 32), rows[1][2])))
        yield t.trial("row 11: sealed to another prekey", _with(made, content=stale))


def _with(draft: Draft, **changes: Any) -> Draft:
    return replace(draft, header=replace(draft.header, **changes))


def _others(t: Court) -> Iterator[Trial]:
    c, s = t.c, t.story
    derived = c.label("REGIONAL SECRET REL TO FIN", "EST", "LVA")

    def from_lva(**changes: Any) -> Draft:
        return c.message(LVA, (FIN,), derived, s.lva, "Again", **changes)

    yield t.trial("derived, with a release", from_lva(refs=Refs(derived_from=(s.portion,), releases=(s.release,))))
    yield t.trial("row 12: derived, without a release", from_lva(refs=Refs(derived_from=(s.portion,))))
    yield t.trial("derived from what all may read", from_lva(refs=Refs(derived_from=(s.first,))))
    nowhere = Ref(LOG, 1, seeded("nowhere", 32))
    yield t.trial("row 12: a source that is not in the log", from_lva(refs=Refs(derived_from=(nowhere,))))
    crypto = c.label("REGIONAL SECRET CRYPTO REL TO LVA", "EST")
    two = t.good(label=crypto, nodes=(LVA,), grant=s.narrow)
    yield t.trial("row 12: CRYPTO without an officer", two)
    yield t.trial("CRYPTO with an officer", officers(c, two, "EST/duty-1"))
    yield t.trial("row 12: CRYPTO with an officer who may only acknowledge", officers(c, two, "EST/duty-2"))
    yield t.trial("row 12: CRYPTO with another state's officer", officers(c, two, "LVA/duty-1"))
    yield t.trial(
        "row 12: an approval of something else",
        _with(two, approvals=officers(c, t.good(), "EST/duty-1").header.approvals),
    )
    gone = c.draft(EST, "erasure", (FIN, LTU, LVA), content=ErasureContent((seeded("body", 32),), "Order"))
    yield t.trial("row 12: an erasure without an officer", gone)
    order = c.draft(LVA, "erasure", (EST, FIN, LTU), content=ErasureContent((seeded("body", 32),), "Order"))
    yield t.trial("row 12: an erasure by an officer the charter does not name", officers(c, order, "LVA/duty-1"))
    erased = AcknowledgementContent("node-erased", None)
    yield t.trial(
        "a machine's acknowledgement needs no officer",
        c.draft(LVA, "acknowledgement", (EST,), refs=Refs(target=s.first), content=erased),
    )
    said = replace(erased, statement="complied")
    yield t.trial(
        "row 12: a person's acknowledgement without an officer",
        c.draft(LVA, "acknowledgement", (EST,), refs=Refs(target=s.first), content=said),
    )
    size = c.tree.size
    yield t.trial("row 13: a longer log was seen", t.good(seen=c.head(LOG, size + 1, root=seeded("more", 32))))
    yield t.trial("row 13: another tree was seen", t.good(seen=c.head(LOG, size, root=seeded("fork", 32))))
    yield t.trial("an older tree was seen", t.good(seen=c.head(LOG, 0)))
    missing = t.good()
    yield t.trial("row 14: a body is missing", replace(missing, bodies={}))
    cut = {digest: body[:-1] for digest, body in missing.bodies.items()}
    yield t.trial("row 14: a body of another size", replace(missing, bodies=cut))
    last = c.entries[-1].stamp.logged_at
    yield t.trial("row 15: the relay's clock goes back", t.good(), logged_at=last - 1)
    stale = c.directory_tree.size - 1
    behind = t.good(directory=c.head(DIRECTORY, stale))
    yield t.trial("a sender one directory entry behind, which is younger than 2 LAG", behind)
    yield t.trial("row 15: a stamp behind by an entry older than LAG", behind, directory=stale)
    (part,) = missing.header.parts
    large = [replace(part, digest=seeded(f"large {n}", 32), size=65_536) for n in range(8)]
    yield t.trial("row 14: more than 524,288 bytes beside one entry", _with(t.good(), parts=(part, *large)))
    blob = replace(part, digest=seeded("blob", 32), size=65_537)
    yield t.trial("row 14: within the limits, and not here: a blob lies apart", _with(t.good(), parts=(part, blob)))


def admission(material: Material) -> Vectors:
    channel = Channel(material)
    story = tell(channel)
    court = Court(channel, story)
    trials = [trial for part in (_identity, _trust, _labels, _grants, _others) for trial in part(court)]
    what = "A log in order, judged as an auditor does; each case is one entry that would stand next, alone."
    return told(channel, trials, what)
