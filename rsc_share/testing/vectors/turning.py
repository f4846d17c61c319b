"""A log whose directory changes while it runs: who was due an entry, what a void grant leaves, what others gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rsc_share.charter.certificate import NodeCertificate
from rsc_share.charter.model import Channel as CharterChannel
from rsc_share.charter.model import Member
from rsc_share.charter.rowtext import Restriction, restrict
from rsc_share.envelope.approval import release_digest
from rsc_share.envelope.contents import RecallContent, ReleaseContent
from rsc_share.envelope.entry import DirectoryEntry, Stamp
from rsc_share.envelope.parts import Head, Ref, Refs
from rsc_share.log.checkpoint import checkpoint_text
from rsc_share.log.merkle import leaf_hash
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import Channel, Draft, officers
from rsc_share.testing.vectors.framework import DIRECTORY, LOG, Framework
from rsc_share.testing.vectors.material import DAY, HOUR, MINUTE, T0, Material, seeded
from rsc_share.testing.vectors.story import EST, FIN, LTU, LVA, PUBLIC
from rsc_share.testing.vectors.trials import Trial, told
from rsc_share.value import replace

SECOND = 1000
MIDNIGHT = T0 + DAY
"""2026-01-12T00:00:00Z. What the story turns on is logged in the hour before."""
FIN3, LTU2, LTU3, LVA2, LVA3 = "FIN/mod-3", "LTU/mod-2", "LTU/mod-3", "LVA/mod-2", "LVA/mod-3"
DENY = '[[agreement]]\nid = "hold"\neffect = "deny"\nfrom = ["EST"]\nto = ["{}"]\n{}'


class Turning(Channel):
    """A channel that logs into its directory, too."""

    def turn(self, time: int, data: bytes, why: str) -> int:
        """Log a directory object that must apply; the size of the directory with it."""
        f = self.framework
        f.now = self.now = time - SECOND
        if f.log(data, why) is not None:
            raise AssertionError(f"{why}: {f.entries[-1].code}")
        entry = DirectoryEntry.stamped(data, Stamp(f.now, len(f.entries) - 1))
        self.directory_tree.append(leaf_hash(entry.raw))
        self.now = f.now
        return f.directory.size

    def trial(self, why: str, draft: Draft) -> Trial:
        return Trial(why, draft, self.sign(draft)[0], self.stamp())


@dataclass(frozen=True)
class Story:
    """Sizes of the directory, grants and entries that the cases refer to."""

    denied: int
    """With the denial of LTU, and not yet its end."""
    lifted: int
    published: int
    revoked: int
    newest: int
    grants: dict[str, bytes]
    plain: Ref
    sensitive: Ref


def tell_turning(c: Turning) -> Story:
    f = c.framework
    c.now = MIDNIGHT - 75 * MINUTE
    first = c.grant(EST, (FIN, LTU, LVA))
    c.log(first)
    plain = c.message(EST, (FIN, LTU, LVA), c.label("REGIONAL OPEN REL TO @members", "EST"), first.header.id, "Open")
    caveat = c.label("REGIONAL RESTRICTED SOURCE-SENSITIVE REL TO @members", "EST")
    sensitive = c.message(EST, (FIN, LTU, LVA), caveat, first.header.id, "Sensitive", after=plain)
    sources = c.log(plain, sensitive)
    _evening(c)
    begin = MIDNIGHT - 10 * MINUTE
    denied = c.turn(begin, _hold(f, "hold-b", "LTU"), "EST withholds its material from LTU")
    lifted = c.turn(MIDNIGHT - 2 * MINUTE, _hold(f, "hold-b", None), "and no longer")
    published = c.turn(MIDNIGHT - 110 * SECOND, f.publish(LVA3), "LVA/mod-3 publishes its first prekey")
    revoked = c.turn(MIDNIGHT - MINUTE, f.revoke(LTU2), "LTU revokes LTU/mod-2")
    newest = _amend(c, MIDNIGHT - 50 * SECOND, "version 3: the ceiling of ct is SECRET again", ceiling="SECRET")
    return Story(denied, lifted, published, revoked, newest, _grants(c), *sources)


def _evening(c: Turning) -> None:
    """Known to everybody 2 LAG before the cases."""
    f, at = c.framework, MIDNIGHT - HOUR
    until = "valid = [2026-01-01, 2026-01-11]\n"
    c.turn(at, _hold(f, "hold-a", "FIN", until), "EST withholds its material from FIN until midnight")
    c.turn(at + MINUTE, _certified(f, LVA3), "a third node of LVA")
    ends = (T0, MIDNIGHT + 2 * MINUTE)
    c.turn(at + 2 * MINUTE, _certified(f, FIN3, valid=ends), "a node of FIN whose certificate ends after midnight")
    c.turn(at + 3 * MINUTE, _certified(f, LTU2), "a second node of LTU")
    exercise = frozenset({"exercise"})
    c.turn(at + 4 * MINUTE, _certified(f, LTU3, realms=exercise), "a node of LTU for exercises only")
    held = f.charter.members["LTU"].entitlements["REGIONAL"]
    less = replace(held, levels=frozenset({"RESTRICTED", "SECRET"}))
    members = {**f.charter.members, "LTU": replace(f.charter.members["LTU"], entitlements={"REGIONAL": less})}
    why = "version 2: LTU is not entitled to OPEN, the ceiling of ct is RESTRICTED"
    _amend(c, at + 10 * MINUTE, why, ceiling="RESTRICTED", members=members)


def _hold(f: Framework, name: str, reader: str | None, more: str = "") -> bytes:
    rows = b"" if reader is None else DENY.format(reader, more).replace("hold", name).encode()
    return restrict(Restriction(name, "EST", rows, f.now), f.id, f.authority("EST"))


def _certified(f: Framework, name: str, **changes: Any) -> bytes:
    certificate: NodeCertificate = f.node(name, **changes)
    return f.certify(certificate, f.signing(f"{name[:3]}/mod-1"))


def _amend(c: Turning, time: int, why: str, *, ceiling: str, members: dict[str, Member] | None = None) -> int:
    f = c.framework
    ct: CharterChannel = replace(f.charter.channels["ct"], ceiling={"REGIONAL": ceiling})
    changes: dict[str, Any] = {} if members is None else {"members": members}
    charter = f.next(channels={**f.charter.channels, "ct": ct}, **changes)
    size = c.turn(time, f.signed(charter, f.id, "EST", "FIN", "LVA"), why)
    f.charter = charter
    return size


def _grants(c: Turning) -> dict[str, bytes]:
    """Grants in order, then four that are void: three of them advance."""
    c.now = MIDNIGHT - 40 * SECOND
    future = c.fresh_id(at=c.now + 10 * MINUTE)
    found = {
        "without FIN": _granted(c, EST, (LTU, LVA, LVA3)),
        "LVA": _granted(c, EST, (LVA,)),
        "LTU, LVA": _granted(c, EST, (LTU, LVA)),
        "FIN": _granted(c, LVA, (FIN,)),
        "FIN, LTU": _granted(c, LVA, (FIN, LTU)),
        "composed in the future": _granted(c, EST, (LTU, LVA, LVA3), id=future),
        "to a witness": _granted(c, EST, (LTU, LVA, LVA2, LVA3)),
        "to the other realm": _granted(c, EST, (LTU, LTU3, LVA, LVA3)),
    }
    return {**found, "out of order": _granted(c, EST, (LTU, LVA, LVA3), seq=99)}


def _granted(c: Turning, sender: str, nodes: Iterable[str], **changes: Any) -> bytes:
    """A grant that is logged whether it is in order or not; its id."""
    draft = c.grant(sender, nodes, **changes)
    c.log(draft)
    return draft.header.id


def _due(c: Turning, s: Story) -> Iterator[Trial]:
    """Section 12.3, messages, five minutes after midnight."""

    def message(nodes: Iterable[str], grant: str, then: int, text: str = PUBLIC) -> Draft:
        acted = c.head(DIRECTORY, then)
        return c.message(EST, nodes, c.label(text, "EST"), s.grants[grant], "Next", directory=acted)

    three = (LTU, LVA, LVA3)
    yield c.trial("FIN was denied 2 LAG ago, and is no longer: not due", message(three, "without FIN", s.newest))
    yield c.trial("LTU is denied in the directory acted on: not due", message((LVA,), "LVA", s.denied))
    yield c.trial("row 11: LTU is not denied any more in it", message((LVA,), "LVA", s.lifted))
    yield c.trial("LVA/mod-3 has no prekey in it: not due", message((LTU, LVA), "LTU, LVA", s.lifted))
    yield c.trial("row 11: LVA/mod-3 has one", message((LTU, LVA), "LTU, LVA", s.published))
    higher = "REGIONAL SECRET REL TO LTU, LVA"
    yield c.trial("above the ceiling of the charter acted on: nobody is due", message((LVA,), "LVA", s.revoked, higher))
    yield c.trial("row 11: below the ceiling of the newer one", message((LVA,), "LVA", s.newest, higher))
    yield c.trial("under a void grant that advances", message(three, "composed in the future", s.newest))
    yield c.trial("row 11: under a void grant that does not", message(three, "out of order", s.newest))
    yield c.trial("row 10: to a node that only witnesses", message((*three, LVA2), "to a witness", s.newest))
    yield c.trial("row 10: to a node of the other realm", message((*three, LTU3), "to the other realm", s.newest))
    good = message(three, "without FIN", s.newest)
    root = seeded("no entries", 32)
    empty = Head(0, root, c.framework.log_keys()[0].sign(checkpoint_text(LOG, 0, root)))
    odd = replace(good, header=replace(good.header, seen=empty))
    yield c.trial("row 13: an empty tree with another root was seen", odd)


def _circles(c: Turning, s: Story) -> Iterator[Trial]:
    """Section 12.3, the others: who had to be known, as far as he may have it."""

    def beat(nodes: Iterable[str], then: int) -> Draft:
        found = c.heartbeat(EST, nodes, {})
        return replace(found, header=replace(found.header, directory=c.head(DIRECTORY, then)))

    all_ = (FIN, LTU, LVA, LVA3)
    yield c.trial("a heartbeat without a node whose certificate has just ended", beat(all_, s.newest))
    yield c.trial("row 10: a heartbeat to it", beat((*all_, FIN3), s.newest))
    yield c.trial("a heartbeat without a node that has just been revoked", beat(all_, s.published))
    yield c.trial("row 10: a heartbeat to that one", beat((*all_, LTU2), s.published))
    yield c.trial("row 11: a heartbeat without LVA/mod-3", beat(all_[:3], s.newest))


def _from_others(c: Turning, s: Story) -> Iterator[Trial]:
    """Section 12.4: the join alone, and the decision on each source alone, are not enough."""

    def derived(text: str, nodes: tuple[str, ...], grant: str, *sources: Ref) -> Draft:
        label = c.label(text, "EST", "LVA")
        return c.message(LVA, nodes, label, s.grants[grant], "From others", refs=Refs(derived_from=sources))

    one, two = "REGIONAL RESTRICTED REL TO FIN", "REGIONAL RESTRICTED REL TO FIN, LTU"
    caveat = "REGIONAL RESTRICTED SOURCE-SENSITIVE REL TO FIN"
    yield c.trial("from what FIN may have itself", derived(one, (FIN,), "FIN", s.plain))
    why = "row 12: the label is above the source's, and LTU may not have the source itself"
    yield c.trial(why, derived(two, (FIN, LTU), "FIN, LTU", s.plain))
    why = "row 12: FIN may have the source itself, and the label lacks its caveat"
    yield c.trial(why, derived(one, (FIN,), "FIN", s.sensitive))
    yield c.trial("row 12: as before, of two sources", derived(one, (FIN,), "FIN", s.plain, s.sensitive))
    yield c.trial("with the caveat, from both", derived(caveat, (FIN,), "FIN", s.plain, s.sensitive))


def _powers(c: Turning, s: Story) -> Iterator[Trial]:
    source = c.known[s.plain]
    digest = release_digest(source.label, source.nodes, source.commits) if source.label is not None else b""
    release = c.draft(
        EST, "release", (LVA, LVA3), refs=Refs(target=s.plain), content=ReleaseContent(digest, ("LVA",), None)
    )
    yield c.trial("a release", officers(c, release, "EST/duty-1"))
    yield c.trial("row 12: a release by an officer who may only acknowledge", officers(c, release, "EST/duty-2"))
    recall = c.draft(EST, "recall", (FIN, LTU, LVA), refs=Refs(target=s.plain), content=RecallContent(None))
    yield c.trial("a recall needs no officer", recall)
    yield c.trial("row 12: but not one who may only acknowledge", officers(c, recall, "EST/duty-2"))


def turning(material: Material) -> Vectors:
    c = Turning(material)
    story = tell_turning(c)
    c.now = MIDNIGHT + 5 * MINUTE
    trials = [trial for part in (_due, _circles, _from_others, _powers) for trial in part(c, story)]
    c.now = MIDNIGHT + 25 * MINUTE
    late = c.message(EST, (LTU, LVA, LVA3), c.label(PUBLIC, "EST"), story.grants["without FIN"], "Later")
    trials.append(c.trial("row 11: FIN was permitted 2 LAG ago", late))
    return told(c, trials, "A log whose directory changes while it runs, in the form of admission.json.")
