"""From what is queued for one log to one commit: look up, judge, append, sign, answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rsc_share import names
from rsc_share.envelope.contents import ErasureContent
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.errors import Refused, StorageError
from rsc_share.relay.fanout import Line, all_bodies, blobs_of
from rsc_share.relay.intake import Candidate, Malformed
from rsc_share.relay.live import LiveLog, Logs
from rsc_share.relay.sequencer import Ground, Past, Placed, Run, Sequenced, Verdict, sequence
from rsc_share.relay.store.protocol import Body, Erasing, Full, LogStore, Taken
from rsc_share.rulebook.facts import IdFact, Key, id_key, needs
from rsc_share.rulebook.view import Known, Source
from rsc_share.session.frames import Logged, Outcome, Turned
from rsc_share.session.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit did: an outcome for every candidate of every run.

    `contradicted`: a refusal that says that a log of this host signed a tree which is not here.
    """

    outcomes: list[list[Outcome]]
    contradicted: Refused | None


class BlobRoom(Protocol):
    """What a commit needs of the relay's blobs."""

    naming: asyncio.Lock

    async def brought(self, header: Header, log: LiveLog, logs: Logs) -> Mapping[bytes, int]: ...

    async def obey(self, owner: str, digests: Iterable[bytes]) -> None: ...


async def commit(
    log: LiveLog, logs: Logs, ground: Ground, runs: Sequence[Run], now: int, blobs: BlobRoom | None = None
) -> Commit:
    """Admit what can be admitted, durably, and answer everybody. Raises `StorageError` from the store as it is.

    While entries that name blobs are committed, no sweep may take a blob for one that nobody names.
    """
    candidates = [item for run in runs for item in run if isinstance(item, Candidate)]
    naming = blobs is not None and any(blobs_of(item.signed.header) for item in candidates)
    async with blobs.naming if blobs is not None and naming else contextlib.nullcontext():
        return await _commit(log, logs, ground, runs, now, blobs)


async def _commit(
    log: LiveLog, logs: Logs, ground: Ground, runs: Sequence[Run], now: int, blobs: BlobRoom | None
) -> Commit:
    past = await _past(log, logs, [item for run in runs for item in run if isinstance(item, Candidate)], blobs)
    first, orders = log.writer.head.size, list[Erasing]()
    done = await _append(log, ground, runs, past, now)
    if done.batch is not None:
        for offset, (stored, entry) in enumerate(zip(done.batch.entries, done.entries, strict=True)):
            log.remember(first + offset, Line.of(stored, entry))
            orders += await ordered_by(log, first + offset, entry.header, blobs)
        await show(log, now, orders)
    outcomes = [
        [await _outcome(log, ground, item, verdict, now) for item, verdict in zip(run, found, strict=True)]
        for run, found in zip(runs, done.verdicts, strict=True)
    ]
    odd = (v for found in done.verdicts for v in found if isinstance(v, Refused) and v.code == "equivocation")
    return Commit(outcomes, next(odd, None))


async def _append(log: LiveLog, ground: Ground, runs: Sequence[Run], past: Past, now: int) -> Sequenced:
    """What is admitted is durable. The store knows at no extra cost which bodies belong to other entries: then all is
    judged once more, knowing it."""
    while True:
        done = sequence(ground, runs, past, now)
        try:
            if done.batch is not None:
                await log.append(done.batch)
        except Taken as found:
            past = replace(past, taken=past.taken | found.digests)
        else:
            return done


async def with_roots(ground: Ground, log: LiveLog, directory: LiveLog, runs: Sequence[Run]) -> Ground:
    """`ground` with every root that the candidates' headers name: the rulebook does not wait for a disk."""
    headers = [item.signed.header for run in runs for item in run if isinstance(item, Candidate)]
    seen = await log.tree.roots(header.seen.size for header in headers)
    acted_on = await directory.tree.roots(header.directory.size for header in headers)
    return replace(ground, root_at=seen.get, directory_root=acted_on.get)


async def _past(log: LiveLog, logs: Logs, candidates: Sequence[Candidate], blobs: BlobRoom | None = None) -> Past:
    facts = dict(await log.store.lookup(log.origin, needs(item.signed for item in candidates)))
    admitted = {}
    for item in candidates:
        used = facts.get(_id(item))
        if isinstance(used, IdFact) and used.header_hash == item.header_hash:
            line = await log.line(used.index)
            if line is not None:
                admitted[used.index] = line.entry.raw
    known = await _known(logs, {ref for item in candidates for ref in item.signed.header.refs.all()})
    here: dict[tuple[str, bytes], int] = {}
    for header in (item.signed.header for item in candidates):
        if blobs is not None and blobs_of(header):
            here |= {(header.member, digest): size for digest, size in (await blobs.brought(header, log, logs)).items()}
    return Past(facts, known, admitted, here)


def _id(item: Candidate) -> Key:
    return id_key(item.signed.header.sender, item.signed.header.id)


async def _known(logs: Logs, refs: set[Ref]) -> Known:
    """Every entry the candidates refer to, read beforehand: the rulebook does not wait for a disk."""
    found: dict[Ref, Source | None] = {
        ref: await logs[ref.log].source(ref) for ref in refs if ref.log in logs and not is_directory(ref.log)
    }
    return found.get


def is_directory(log: str) -> bool:
    return names.channel_of(log) == names.DIRECTORY


async def _outcome(log: LiveLog, ground: Ground, item: Candidate | Malformed, verdict: Verdict, now: int) -> Outcome:
    if isinstance(verdict, Placed):
        return await logged(log, verdict)
    if isinstance(verdict, Refused):
        return Turned(refusal(log, ground, item.header_hash, verdict, now))
    return verdict


async def logged(log: LiveLog, placed: Placed) -> Logged:
    """A receipt in the newest tree: stamp and proof, so that the sender rebuilds the leaf from its own bytes."""
    proof = tuple(await log.tree.inclusion(placed.index, log.size))
    return Logged(placed.index, placed.stamp, log.note(), proof)


def refusal(log: LiveLog, ground: Ground, header_hash: bytes, refused: Refused, now: int) -> Refusal:
    """The log's signed word that it did not take this header."""
    stamp = ground.stamp(now)
    what = "".join(c if c.isprintable() else "?" for c in refused.what)[:1000]
    said = Refusal(log.origin, header_hash, refused.code, refused.row, what, stamp.directory, stamp.logged_at)
    return said.signed(log.keys.ed25519, ground.directory.framework_id)


async def show(log: LiveLog, now: int, orders: Sequence[Erasing]) -> None:
    """Sign and erase, or stop the log: were it to go on, a later note would say that these orders had been obeyed."""
    try:
        await log.show(now, orders)
    except Full as full:
        if not orders:
            raise
        what = f"no space to erase what the newest entries of {log.origin} order: {full.what}"
        raise StorageError(what) from full


async def ordered_by(log: LiveLog, index: int, header: Header, blobs: BlobRoom | None = None) -> list[Erasing]:
    """The bodies that the entry at `index`, a recall or an erasure, orders away; nothing for other kinds. Blobs among
    them are gone when this returns."""
    if isinstance(header.content, ErasureContent):
        return await _ordered(log.store, log.origin, header.content.digests, header.kind, range(index), blobs)
    target, found = header.refs.target, list[Erasing]()
    if header.kind == "recall" and target is not None:
        async for stored in log.store.read(target.log, target.index, target.index + 1, max_bytes=1):
            digests, brought_by = all_bodies(Line.of(stored).entry.header), range(target.index, target.index + 1)
            found += await _ordered(log.store, target.log, digests, header.kind, brought_by, blobs)
    return found


async def _ordered(
    store: LogStore, log: str, digests: Sequence[bytes], reason: str, brought_by: range, blobs: BlobRoom | None
) -> list[Erasing]:
    """Only bodies that the named entries brought: a recipient who names the same ciphertext cannot recall it, and an
    order that is obeyed again at a start leaves alone what came after it."""
    found = await store.bodies(log, digests)
    ordered = tuple(digest for digest, body in found.items() if body.index in brought_by)
    for digest in ordered:
        body = found[digest]
        if blobs is not None and isinstance(body, Body) and not body.data:
            # Before the row says it is gone: after a crash the order is obeyed again only where a row is still here.
            await blobs.obey(await _member(store, log, body.index), [digest])
    return [Erasing(log, ordered, reason)] if any(isinstance(found[digest], Body) for digest in ordered) else []


async def _member(store: LogStore, log: str, index: int) -> str:
    async for stored in store.read(log, index, index + 1, max_bytes=1):
        return Line.of(stored).entry.header.member
    raise StorageError(f"entry {index} of {log} is not here", code="broken")


async def orders_since(log: LiveLog, since: int = 0, blobs: BlobRoom | None = None) -> list[Erasing]:
    """What the entries from `since` on order away. At a start these are the entries that no note was kept for: a crash
    between the commit of a recall and its erasure left bodies behind. In a restored backup all of them may be."""
    index, found = since, list[Erasing]()
    while index < log.size:
        lines = await log.lines(index, log.size)
        for offset, line in enumerate(lines):
            found += await ordered_by(log, index + offset, line.entry.header, blobs)
        index += len(lines)
    return found
