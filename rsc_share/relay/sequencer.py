"""Admission of what is queued, in order, under one directory size. Pure: the store comes later.

A directory that grew in the middle of a batch would make the result neither of the two, so everything of the
directory stands in `Ground`, read once; each entry is judged on top of the effects of those before it (what does not
ask about those is worked out `ahead`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rsc_share.charter.directory import Directory
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.errors import Refused, RemoteError
from rsc_share.policy.decide import decide_each
from rsc_share.relay.ahead import Ahead
from rsc_share.relay.intake import Candidate, Malformed
from rsc_share.relay.room import Room, takes
from rsc_share.relay.store.protocol import Batch, Body, Head, Stored
from rsc_share.rulebook.facts import Fact, Key, id_key
from rsc_share.rulebook.view import Decide, Known, Party, RootAt, View
from rsc_share.rulebook.witnesses import fresh
from rsc_share.session.frames import NOT_TRIED, Weather
from rsc_share.session.urgency import inherited

NO_SPACE = Weather("no-space", 60_000)
NOT_READY = Weather("not-ready", 1_000)
"""The directory is not fresh: nothing is wrong with the entry, and witnesses answer within seconds."""
NOBODY = ("message", "ROUTINE")


@dataclass(frozen=True, slots=True)
class Ground:
    """What one batch is judged on. `witnessed` and `quorum_time` are of the newest k-cosigned directory tree."""

    log: str
    head: Head
    root_at: RootAt
    directory: Directory
    directory_root: RootAt
    witnessed: int
    quorum_time: int | None
    signatures: VerifyCache
    decide: Decide = decide_each
    room: Room = Room.ENOUGH

    def stamp(self, now: int) -> Stamp:
        """The stamp of the whole batch: time never runs back in a log."""
        last = self.head.last
        return Stamp(now if last is None else max(now, last.logged_at), self.witnessed)

    def ready(self, now: int) -> bool:
        """Whether the relay knows today's trust well enough to admit anything to a channel."""
        if not self.witnessed or (self.head.last is not None and self.head.last.directory > self.witnessed):
            return False
        view = self.directory.at(self.witnessed)
        # An entry logged in the directory LAG ago and not witnessed yet would make every stamp of ours void (row 15).
        due = self.directory.size_logged_before(now - view.charter.parameters.lag + 1)
        return fresh(view, self.quorum_time, now) and due <= self.witnessed


@dataclass(frozen=True, slots=True)
class Past:
    """What the log says about the candidates: their facts, the entries they refer to, and those already admitted.

    `admitted`: entry bytes by index, of every id fact that names a candidate's own header. `blobs`: sizes of the blobs
    that are here, by the member they belong to and digest.
    """

    facts: Mapping[Key, Fact]
    known: Known
    admitted: Mapping[int, bytes]
    blobs: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    taken: frozenset[bytes] = frozenset()
    """Bodies that other entries of this log brought, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Placed:
    """In the log at `index`, once the batch is written; or since long ago (row 0)."""

    index: int
    stamp: Stamp


Verdict = Placed | Refused | Weather
Run = Sequence[Candidate | Malformed]
"""What one call of one sender submitted, in the order of its numbers."""


@dataclass(slots=True)
class _Draft:
    """The batch as it grows."""

    ground: Ground
    past: Past
    view: View
    """Of the log with this batch as far as it goes."""
    ahead: Ahead
    stamp: Stamp
    facts: dict[Key, Fact]
    effects: dict[Key, Fact] = field(default_factory=dict)
    entries: list[UnverifiedEntry] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    bodies: dict[bytes, Body] = field(default_factory=dict)

    @classmethod
    def begin(cls, ground: Ground, runs: Sequence[Run], past: Past, now: int) -> _Draft:
        stamp, facts = ground.stamp(now), dict(past.facts)
        view = _view(ground, past, facts)
        # Where the disk is short most of it is turned away unjudged, and where nothing is ready all of it.
        judged = [] if ground.room.refuses else [item for run in runs for item in run]
        return cls(ground, past, view, Ahead(view, stamp, judged, facts), stamp, facts)

    def has(self, digest: bytes) -> bool:
        """Whether another entry brought this body: each belongs to one, whose recall or expiry takes it away. An
        auditor who misses it at a second one finds nothing that excuses the relay."""
        return digest in self.bodies or digest in self.past.taken


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A verdict for every candidate of every run, what to append (None: nothing was admitted), and it parsed."""

    verdicts: list[list[Verdict]]
    batch: Batch | None
    entries: tuple[UnverifiedEntry, ...]


def sequence(ground: Ground, runs: Sequence[Run], past: Past, now: int) -> Sequenced:
    """Judge what is queued, in order, under one stamp."""
    draft = _Draft.begin(ground, runs, past, now)
    ready = ground.ready(draft.stamp.logged_at)
    verdicts = [_run(draft, run, ready) for run in runs]
    if not draft.entries:
        return Sequenced(verdicts, None, ())
    after = ground.head.grown([entry.raw for entry in draft.entries], draft.stamp)
    oldest = draft.stamp.logged_at - ground.directory.at(ground.witnessed).charter.parameters.outbox_age
    batch = Batch(tuple(draft.stored), draft.bodies, draft.effects, after, max(0, oldest), own=True)
    return Sequenced(verdicts, batch, tuple(draft.entries))


def _run(draft: _Draft, run: Run, ready: bool) -> list[Verdict]:
    """After the first that is not placed nothing of the run is tried: its numbers cannot follow any more."""
    verdicts: list[Verdict] = []
    for candidate, urgency in zip(run, inherited(map(kind_of, run)), strict=True):
        verdict = _one(draft, candidate, urgency, ready)
        verdicts.append(verdict)
        if not isinstance(verdict, Placed):
            break
    return verdicts + [NOT_TRIED] * (len(run) - len(verdicts))


def kind_of(item: Candidate | Malformed) -> tuple[str, str]:
    """What its urgency goes by. What is refused anyway is behind nobody."""
    if isinstance(item, Malformed) or item.fault is not None:
        return NOBODY
    return item.signed.header.kind, item.signed.header.precedence


def _one(draft: _Draft, candidate: Candidate | Malformed, urgency: int, ready: bool) -> Verdict:
    if isinstance(candidate, Malformed):
        return candidate.refused
    again = _again(draft, candidate)
    if again is not None:
        return again
    if candidate.fault is not None:
        return candidate.fault
    if not ready:
        return NOT_READY
    if not takes(draft.ground.room, urgency):
        return NO_SPACE
    try:
        return _admit(draft, candidate)
    except Refused as refused:
        return refused


def _again(draft: _Draft, candidate: Candidate) -> Placed | None:
    """Row 0: this very header and signature block is in the log: the same index, whatever else has changed since."""
    signed = candidate.signed
    used = draft.facts.get(id_key(signed.header.sender, signed.header.id))
    index = getattr(used, "index", None)
    if index is None:
        return None
    raw = draft.entries[index - draft.ground.head.size].raw if index >= draft.ground.head.size else None
    raw = raw or draft.past.admitted.get(index)
    if raw is None:
        return None
    entry = UnverifiedEntry.parse(raw)
    same = (entry.signed.header_bytes, entry.signed.block_bytes) == (signed.header_bytes, signed.block_bytes)
    return Placed(index, entry.stamp) if same else None


def _admit(draft: _Draft, candidate: Candidate) -> Placed:
    try:
        entry = UnverifiedEntry.stamped(candidate.signed, draft.stamp)
    except RemoteError as error:
        raise Refused("malformed", error.what, row=1) from None
    blobs = {digest: size for digest, size in _blobs(draft, candidate).items() if not draft.has(digest)}
    brought = {digest: body for digest, body in candidate.bodies.items() if not draft.has(digest)}
    sizes = {**blobs, **{digest: len(body) for digest, body in brought.items()}}
    admitted = draft.ahead.take(candidate, sizes).admitted()
    index = admitted.index
    draft.view.size, draft.view.last = index + 1, draft.stamp
    draft.facts.update(admitted.effects)
    draft.effects.update(admitted.effects)
    draft.entries.append(entry)
    draft.stored.append(Stored(entry.raw, candidate.openings, candidate.statements))
    for digest, body in brought.items():
        draft.bodies[digest] = Body(index, body)
    for digest in blobs:
        draft.bodies[digest] = Body(index, b"")
    return Placed(index, draft.stamp)


def _blobs(draft: _Draft, candidate: Candidate) -> dict[bytes, int]:
    """The blobs this entry would bring."""
    header = candidate.signed.header
    found = ((part.digest, draft.past.blobs.get((header.member, part.digest))) for part in header.parts)
    return {digest: size for digest, size in found if size is not None}


def _view(ground: Ground, past: Past, facts: Mapping[Key, Fact]) -> View:
    return View(
        party=Party.RELAY,
        log=ground.log,
        directory=ground.directory,
        directory_root=ground.directory_root,
        witnessed=ground.witnessed,
        facts=facts,
        size=ground.head.size,
        last=ground.head.last,
        root_at=ground.root_at,
        signatures=ground.signatures,
        known=past.known,
        decide=ground.decide,
    )
