"""One message, everywhere: `audit trace EST/mod-1/counter-terrorism/417`.

Who was given it, who says it holds or opened it, what was derived from it, who released, recalled and acknowledged it,
and which officers stand behind it. Everything comes from a replay, and what is not admitted shows nothing that anybody
did: void entries are shown as void, their approvals as not verified, and what void heartbeats state not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsc_share import names
from rsc_share.audit.beside_checks import committed
from rsc_share.audit.findings import Grade, plain, printable
from rsc_share.audit.replay import Replay
from rsc_share.audit.times import both
from rsc_share.audit.walk import Walk
from rsc_share.envelope.contents import AcknowledgementContent, HeartbeatContent, ReleaseContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.errors import LocalError, RemoteError, RscError
from rsc_share.session.frames import Statement

_NUMBER = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one recipient said about it in its heartbeats: the last state, and when (log time, ms)."""

    node: str
    state: str | None
    index: int | None
    when: int | None


@dataclass(frozen=True, slots=True)
class Mention:
    """An entry that refers to it. `how`: derived, reply, superseded, released, recalled, acknowledged."""

    how: str
    log: str
    index: int
    who: str
    when: int
    verdict: str
    detail: str = ""


_MENTIONED = ("how", "log", "index", "who", "when", "verdict", "detail")


@dataclass(frozen=True, slots=True)
class Trace:
    reference: str
    log: str
    index: int
    header: Header
    logged_at: int
    verdict: str
    codes: tuple[str, ...]
    """Of the findings at this entry above an observation."""
    made_by_sender: bool
    """Whether a key of the sender signed it."""
    approvals: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    mentions: tuple[Mention, ...]

    def values(self) -> dict[str, Any]:
        """For JSON."""
        h = self.header
        return {
            "reference": self.reference,
            "log": self.log,
            "index": self.index,
            "kind": h.kind,
            "type": h.type,
            "label": plain(h.label.wire()) if h.label is not None else None,
            "logged_at": self.logged_at,
            "verdict": self.verdict,
            "findings": list(self.codes),
            "made_by_sender": self.made_by_sender,
            "approvals": list(self.approvals),
            "deliveries": [
                {"node": d.node, "state": d.state, "heartbeat": d.index, "when": d.when} for d in self.deliveries
            ],
            "mentions": [{name: getattr(m, name) for name in _MENTIONED} for m in self.mentions],
        }


def trace(result: Replay, reference: str) -> Trace:
    """Follow one message. Raises `LocalError` (`bad-reference`, `not-found`)."""
    sender, channel, seq = _parse(reference)
    found = [
        (walk, index, entry)
        for origin, walk in result.walks.items()
        if names.channel_of(origin) == channel
        for index, entry in entries_of(walk)
        if entry.header.sender == sender and entry.header.seq == seq
    ]
    if not found:
        raise LocalError(f"no entry {reference} can be read in this export", code="not-found")
    # A void entry may carry the same number as the one that counts.
    walk, index, entry = min(found, key=lambda item: not item[0].admitted(item[1]))
    return _follow(result, walk, reference, index, entry)


def entries_of(walk: Walk) -> Iterator[tuple[int, UnverifiedEntry]]:
    """Every entry that can be read, with its index."""
    for index in range(walk.size):
        raw = walk.entries.get(index)
        if raw is not None and index not in walk.tree.altered:
            try:
                yield index, UnverifiedEntry.parse(raw)
            except RemoteError:
                continue


def _parse(reference: str) -> tuple[str, str, int]:
    parts = reference.split("/")
    try:
        if len(parts) == 4 and _NUMBER.fullmatch(parts[3]):
            return names.node("/".join(parts[:2])), names.channel(parts[2]), int(parts[3])
    except RscError:
        pass
    raise LocalError(f"{reference!r} is not a reference such as EST/mod-1/counter-terrorism/417", code="bad-reference")


def _follow(result: Replay, walk: Walk, reference: str, index: int, entry: UnverifiedEntry) -> Trace:
    h = entry.header
    return Trace(
        reference=reference,
        log=walk.origin,
        index=index,
        header=h,
        logged_at=entry.stamp.logged_at,
        verdict=walk.classes.of(index),
        codes=codes_at(result, walk, index),
        made_by_sender=is_made(walk, entry),
        approvals=tuple(_officers(result, entry, verified=walk.admitted(index))),
        deliveries=tuple(_deliveries(walk, entry)),
        mentions=tuple(_mentions(result, walk.origin, index)),
    )


def codes_at(result: Replay, walk: Walk, index: int) -> tuple[str, ...]:
    """Codes of what was found at an entry, above an observation."""
    here = (f for f in result.findings if f.log == walk.origin and f.index == index)
    return tuple(dict.fromkeys(f.code for f in here if f.grade is not Grade.OBSERVATION))


def is_made(walk: Walk, entry: UnverifiedEntry) -> bool:
    """Whether a key of whom an entry names as its sender has signed it, whatever else is wrong with it."""
    return walk.setting.makers.made(entry.signed)


def _officers(result: Replay, entry: UnverifiedEntry, *, verified: bool) -> Iterator[str]:
    size = min(max(entry.stamp.directory, 1), result.trust.usable)
    for key_id, _ in entry.header.approvals:
        try:
            name = result.trust.directory.at(size).officer(key_id, entry.stamp.logged_at).name
            yield name if verified else f"{name} (not verified)"
        except RscError as error:
            yield f"{key_id.hex()} ({error.what})"


def _deliveries(walk: Walk, entry: UnverifiedEntry) -> Iterator[Delivery]:
    """A heartbeat names the newest entry held: everything of that sender to that node up to it is held as well."""
    h = entry.header
    admitted = [(index, other) for index, other in entries_of(walk) if walk.admitted(index)]
    later = {e.signed.header_hash: e.header.seq for _, e in admitted if e.header.sender == h.sender}
    said: dict[str, Delivery] = {}
    for index, other in admitted:
        found = _statement(walk, index, other.header, h.sender)
        if found is None or later.get(found.header_hash, 0) < h.seq:
            continue
        exact = found.header_hash == entry.signed.header_hash
        state = found.state if exact else "stored"
        node, known = other.header.sender, said.get(other.header.sender)
        if known is None or exact:
            said[node] = Delivery(node, state, index, other.stamp.logged_at)
    for node in h.nodes:
        yield said.get(node, Delivery(node, None, None, None))


def _statement(walk: Walk, index: int, h: Header, sender: str) -> Statement | None:
    """What a heartbeat says of `sender`: only what it committed to."""
    content = h.content
    commitment = dict(content.received).get(sender) if isinstance(content, HeartbeatContent) else None
    found = walk.beside_of(index).statements.get(sender) if commitment is not None else None
    return found if found is not None and commitment and committed(h, sender, commitment, found) else None


def _mentions(result: Replay, log: str, index: int) -> Iterator[Mention]:
    for origin, walk in result.walks.items():
        for at, entry in entries_of(walk):
            for how, detail in _how(entry.header, log, index):
                when = entry.stamp.logged_at
                yield Mention(how, origin, at, entry.header.sender, when, walk.classes.of(at), detail)


def _how(h: Header, log: str, index: int) -> Iterator[tuple[str, str]]:
    def same(ref: Any) -> bool:
        return ref is not None and (ref.log, ref.index) == (log, index)

    if same(h.refs.target):
        yield _act(h)
    if any(same(ref) for ref in h.refs.derived_from):
        yield "derived", f"by {names.reference(h.sender, names.channel_of(h.log), h.seq)}, to {', '.join(h.nodes)}"
    if same(h.refs.reply_to):
        yield "reply", ""
    if same(h.refs.supersedes):
        yield "superseded", ""


def _act(h: Header) -> tuple[str, str]:
    if isinstance(h.content, AcknowledgementContent):
        basis = f", {h.content.basis}" if h.content.basis else ""
        return "acknowledged", f"{h.content.statement}{basis}"
    if isinstance(h.content, ReleaseContent):
        return "released", f"to {', '.join(h.content.members)}"
    return "recalled", ""


def _codes(codes: Sequence[str]) -> str:
    return f" ({', '.join(codes)})" if codes else ""


def render(found: Mapping[str, Any]) -> str:
    """The trace as text, from `Trace.values`."""
    lines = [
        f"{found['reference']}  entry {found['index']} of {found['log']}, logged {both(found['logged_at'])}",
        f"  {found['type'] or found['kind']}: {found['verdict']}{_codes(found['findings'])}",
    ]
    if not found["made_by_sender"]:
        lines.append("  NO KEY OF ITS SENDER SIGNED IT: nothing here shows who made it")
    lines += [f"  approved by {name}" for name in found["approvals"]]
    for row in found["deliveries"]:
        said = f"{row['state']} since {both(row['when'])}" if row["state"] else "has not said that it holds it"
        lines.append(f"  {row['node']}: {said}")
    for row in found["mentions"]:
        detail = f" {row['detail']}" if row["detail"] else ""
        lines.append(f"  {row['how']}{detail}: entry {row['index']} of {row['log']} by {row['who']}, {row['verdict']}")
    return "\n".join(map(printable, lines)) + "\n"
