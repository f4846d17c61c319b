"""An export with three charters more, a closed log and bodies that are gone; spoilt copies of it, and what is found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import vkeys_of, whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.orders import Order, Orders, orders_of
from rsc_share.audit.replay import replay
from rsc_share.audit.source import ExportSource, LogSource, Reason
from rsc_share.charter.model import Closed
from rsc_share.envelope.contents import ErasureContent, RecallContent
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import officers
from rsc_share.testing.vectors.exports import note_of, source_of
from rsc_share.testing.vectors.framework import LOG
from rsc_share.testing.vectors.material import MINUTE, Material
from rsc_share.testing.vectors.story import EST, FIN, LTU, LVA, PUBLIC
from rsc_share.testing.vectors.turning import LVA3, MIDNIGHT, Turning, tell_turning
from rsc_share.value import replace

PLAY = "relay.example/regional/play"


def auditing(material: Material) -> Vectors:
    c = Turning(material)
    gone = _tell(c)
    source = _source(c, gone)
    base = whole_export(source)
    spoilt = [{"why": why, **_changed(base, whole_export(other), c.framework.id)} for why, other in _spoilt(c, source)]
    return {
        "what": "A full export and copies of it: `files` are those that differ (null: not there). Findings above an"
        " observation, each once: [code, log, index].",
        "charter_digest": c.framework.id.hex(),
        "files": {path: data.hex() for path, data in sorted(base.items())},
        **_found(base, c.framework.id),
        "spoilt": spoilt,
    }


def _tell(c: Turning) -> dict[bytes, Reason]:
    """The story of turning.json, then a recall, an erasure and an expiry; at last the channel `play` is closed."""
    story = tell_turning(c)
    gone: dict[bytes, Reason] = dict.fromkeys(c.beside[0].bodies, "expired")
    gone |= dict.fromkeys((part.digest for part in c.beside[story.plain.index].header.parts), "recalled")
    c.now = MIDNIGHT + 5 * MINUTE
    three, grant, label = (LTU, LVA, LVA3), story.grants["without FIN"], c.label(PUBLIC, "EST")
    short = c.message(EST, three, label, grant, "For ten minutes", expires_at=c.now + 10 * MINUTE)
    erased = c.message(EST, three, label, grant, "By mistake", after=short)
    c.log(short, erased)
    gone |= dict.fromkeys(short.bodies, "expired")
    gone |= dict.fromkeys(erased.bodies, "erased")
    recall = c.draft(EST, "recall", (FIN, LTU, LVA), refs=Refs(target=story.plain), content=RecallContent(None))
    c.log(recall)
    order = ErasureContent(tuple(sorted(erased.bodies)), "Court order 8/2026")
    c.log(officers(c, c.draft(EST, "erasure", (FIN, LTU, LVA, LVA3), content=order), "EST/duty-1"))
    elsewhere = Refs(derived_from=(Ref(PLAY, 0, bytes(32)),))
    (leaning,) = c.log(c.message(EST, three, label, grant, "From the channel play", refs=elsewhere))
    c.known[leaning] = replace(c.known[story.plain], ref=leaning)  # as a relay that admitted it
    c.log(c.message(EST, three, label, grant, "From that", refs=Refs(derived_from=(leaning,))))
    f = c.framework
    rest = {name: channel for name, channel in f.charter.channels.items() if name != "play"}
    ended = f.next(channels=rest, closed=(Closed(PLAY, 0, MemoryTree().root()),))
    c.turn(MIDNIGHT + 10 * MINUTE, f.signed(ended, f.id, "EST", "FIN", "LVA"), "version 4 closes the channel play")
    f.charter = ended
    c.now = MIDNIGHT + 20 * MINUTE
    return gone


def _source(c: Turning, gone: dict[bytes, Reason]) -> ExportSource:
    found = source_of(c)
    bodies = {digest: body for digest, body in found.bodies.items() if digest not in gone}
    logs = [replace(log, vkeys=vkeys_of(c.framework.directory, log.origin)) for log in found.logs]
    return replace(found, logs=[*logs, _play(c)], bodies=bodies, absent=gone)


def _play(c: Turning, *entries: bytes) -> LogSource:
    note = note_of(c, PLAY, MemoryTree(map(leaf_hash, entries)))
    return LogSource(PLAY, entries, note, vkeys_of(c.framework.directory, PLAY))


def _spoilt(c: Turning, source: ExportSource) -> Iterator[tuple[str, ExportSource]]:
    sensitive = c.beside[2].header.parts[0].digest
    kept = {digest: body for digest, body in source.bodies.items() if digest != sensitive}
    yield "a body is missing and may not be", replace(source, bodies=kept)
    yield (
        "and absent.json says that it was erased",
        replace(source, bodies=kept, absent={**source.absent, sensitive: "erased"}),
    )
    yield "absent.json is empty: nothing is wrong with that", replace(source, absent={})
    other: dict[bytes, Reason] = dict.fromkeys(source.absent, "recalled")
    yield "absent.json gives another reason", replace(source, absent=other)
    nobody = hashlib.sha256(b"nobody names it").digest()
    yield "absent.json lists what no entry names", replace(source, absent={**source.absent, nobody: "erased"})
    yield "absent.json lists a body that is here", replace(source, absent={**source.absent, sensitive: "expired"})
    yield "a body that no entry names", replace(source, bodies={**source.bodies, nobody: b"nobody names it"})
    early = note_of(c, LOG, c.tree, time=(MIDNIGHT - 60 * MINUTE) // 1000)
    yield "entries are stamped later than witnesses saw them", _with_log(source, LOG, note=early)
    two = note_of(c, LOG, c.tree, by=("EST", "FIN"))
    yield "two of three members have witnessed", _with_log(source, LOG, note=two)
    hub = note_of(c, LOG, c.tree, by=("EST", "FIN", "LVA", "HUB"))
    yield "a line by somebody who is no witness", _with_log(source, LOG, note=hub)
    longer = [_play(c, b"no entry") if log.origin == PLAY else log for log in source.logs]
    yield "the closed log goes on", replace(source, logs=longer)
    yield from _ended_early(c, source)
    without = replace(source, logs=[log for log in source.logs if log.origin != PLAY])
    yield "a log to which entries refer is not here", without
    soon = note_of(c, PLAY, MemoryTree(), time=(MIDNIGHT + 6 * MINUTE) // 1000)
    yield "it ends before what they refer to can have been logged", _with_log(source, PLAY, note=soon)
    yield "a charter is missing", replace(source, charters=source.charters[:-1])
    yield (
        "a charter that the directory does not name",
        replace(source, charters=[*source.charters, replace(source.charters[0], version=7)]),
    )


def _ended_early(c: Turning, source: ExportSource) -> Iterator[tuple[str, ExportSource]]:
    """The log ends before the recall and the erasure, on which the relay has erased bodies."""
    size = next(i for i, draft in enumerate(c.beside) if draft.header.kind == "recall")
    raw = [entry.raw for entry in c.entries]
    log = next(log for log in source.logs if log.origin == LOG)
    beside = {i: openings for i, openings in log.openings.items() if i < size}
    note = note_of(c, LOG, MemoryTree(map(leaf_hash, raw[:size])))
    ended = _with_log(source, LOG, entries=raw[:size], note=note, openings=beside)
    yield "the log ends before a recall and an erasure that were obeyed", ended
    orders = orders_of(c.tree, size, raw[size:], note_of(c, LOG, c.tree, by=()))
    yield "and they are shown in a tree that the log signed", _with_log(ended, LOG, orders=orders)
    if orders is not None:
        first = replace(orders, rows=orders.rows[:1])
        yield "one of them is shown", _with_log(ended, LOG, orders=first)
        other = replace(orders, consistency=())
        yield "their tree is not proved to be the same log's", _with_log(ended, LOG, orders=other)
        moved = replace(orders, rows=(replace(orders.rows[0], proof=orders.rows[1].proof), orders.rows[1]))
        yield "one of them is not proved to stand there", _with_log(ended, LOG, orders=moved)
    void = next(i for i, draft in enumerate(c.beside) if i > 2 and draft.header.kind == "message")
    yield from _no_order(ended, c, size, raw[void])


def _no_order(ended: ExportSource, c: Turning, size: int, raw: bytes) -> Iterator[tuple[str, ExportSource]]:
    tree = MemoryTree(map(leaf_hash, [*(entry.raw for entry in c.entries[:size]), raw]))
    message = Order(size, raw, tuple(tree.inclusion(size)))
    orders = Orders(note_of(c, LOG, tree, by=()), tuple(tree.consistency(size)), (message,))
    yield "what is shown orders nothing", _with_log(ended, LOG, orders=orders)


def _with_log(source: ExportSource, origin: str, **changes: Any) -> ExportSource:
    return replace(source, logs=[replace(log, **changes) if log.origin == origin else log for log in source.logs])


def _changed(base: dict[str, bytes], other: dict[str, bytes], pin: bytes) -> dict[str, Any]:
    paths = sorted(path for path in base.keys() | other.keys() if base.get(path) != other.get(path))
    return {"files": {path: other[path].hex() if path in other else None for path in paths}, **_found(other, pin)}


def _found(files: dict[str, bytes], pin: bytes) -> dict[str, Any]:
    result = replay(MemoryFiles(files), Anchors(charter_digest=pin))
    found = {
        (f.code, f.log, -1 if f.index is None else f.index) for f in result.findings if f.grade != Grade.OBSERVATION
    }
    return {
        "findings": [[code, log, None if index < 0 else index] for code, log, index in sorted(found)],
        "classes": {origin: held.counts() for origin, held in sorted(result.classes.items())},
    }
