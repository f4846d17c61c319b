"""The relay's export, made beside the running relay, counted against what the nodes acknowledged, and replayed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from rsc_share import names
from rsc_share.audit import html, layout, outcome, report
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.files import Folder
from rsc_share.audit.replay import Replay, replay
from rsc_share.demo.claim import Claim
from rsc_share.demo.inspection import MANDATE, MEMBER, sentence
from rsc_share.demo.network.parts import Counted
from rsc_share.demo.network.troupe import Troupe
from rsc_share.demo.stage import PLAN, STATES
from rsc_share.durable import write_whole
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import Unavailable
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.note import Note
from rsc_share.log.tiles import read_entries

NETWORK = "network"
"""What the folder is named after that holds the export of the networked relay."""


async def count(troupe: Troupe, out: Path) -> Counted:
    """Write the export into `out`, end every process, count and replay."""
    await _export(troupe, out)
    for member, seat in troupe.seats.items():
        for log, note in (await seat.checkpoints()).items():
            write_whole(out / layout.CHECKPOINTS / member / names.channel_of(log), note)
    codes = await troupe.stop_all()
    return await asyncio.to_thread(_counted, troupe, out, codes)


async def _export(troupe: Troupe, out: Path) -> None:
    child = await troupe.processes.start("the export", "relay", "export", str(troupe.ground.config), str(out), "--json")
    if await troupe.processes.code(child):
        raise child.failure()


def _counted(troupe: Troupe, out: Path, codes: Sequence[int]) -> Counted:
    logs = {channel.name: _entries(out, channel.name) for channel in PLAN.channels}
    sent = {
        (member, channel): [m for where, m in seat.acknowledged.values() if where == channel]
        for member, seat in troupe.seats.items()
        for channel in logs
    }
    known = {message for ids in sent.values() for message in ids}
    stood = {(member, channel): _ids(logs[channel], member) for member, channel in sent}
    logged = {key: [one for one in ids if one in known] for key, ids in stood.items()}  # portions have ids of their own
    result = replay(Folder(out), _anchors(troupe, out))
    made = report.report(result, MANDATE, report.Run(time.time_ns() // 1_000_000, 0.0, report.versions()))
    write_whole(out / layout.REPORT_JSON, report.encode(made))
    write_whole(out / layout.REPORT_HTML, html.render(made).encode())
    total = sum(map(len, sent.values()))
    return Counted(
        logs=tuple((name, len(entries)) for name, entries in logs.items()),
        first_line=made["first_line"],
        exit_code=made["exit_code"],
        findings=tuple(map(sentence, result.findings)),
        claims=(
            Claim(
                f"none of the {total} acknowledged messages is lost",
                total > 0 and all(set(ids) <= set(logged[key]) for key, ids in sent.items()),
            ),
            Claim("none stands in a log twice", all(n == 1 for ids in stood.values() for n in Counter(ids).values())),
            Claim("each sender's messages stand in the order in which they were acknowledged", sent == logged),
            Claim("every reader was handed them in the order of the log", _in_order(troupe, logs, known)),
            Claim("every number of every node was used once, from 1 on, without a gap", _numbered(logs)),
            Claim(f"an auditor replays the export and finds nothing (anchored by {MEMBER})", _clean(result)),
            Claim("asked to stop, every process ended with exit code 0", not any(codes)),
        ),
    )


def _entries(out: Path, channel: str) -> list[UnverifiedEntry]:
    """What the export holds of a channel's log. The replay checks it; here it is only counted."""
    files = Folder(out)

    def read(path: str, limit: int = layout.MAX_BODY) -> bytes | None:
        return files.read(layout.log_file(channel, path), limit)

    size = Checkpoint.parse(Note.parse(read("checkpoint") or b"").text).size
    return [UnverifiedEntry.parse(raw) for raw in read_entries(size, read)]


def _ids(entries: Sequence[UnverifiedEntry], member: str) -> list[str]:
    return [_id(e) for e in entries if e.header.kind == "message" and e.header.member == member]


def _id(entry: UnverifiedEntry) -> str:
    return str(UUID(bytes=entry.header.id))


def _in_order(troupe: Troupe, logs: Mapping[str, Sequence[UnverifiedEntry]], known: set[str]) -> bool:
    return all(
        list(seat.read[channel]) == [_id(e) for e in entries if _from_another(e, member) and _id(e) in known]
        for member, seat in troupe.seats.items()
        for channel, entries in logs.items()
    )


def _from_another(entry: UnverifiedEntry, member: str) -> bool:
    return entry.header.kind == "message" and entry.header.member != member


def _numbered(logs: Mapping[str, Sequence[UnverifiedEntry]]) -> bool:
    def used() -> Iterator[list[int]]:
        for entries in logs.values():
            for member in STATES:
                yield [e.header.seq for e in entries if e.header.member == member]

    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in used())


def _anchors(troupe: Troupe, out: Path) -> Anchors:
    """The charter's digest from the founding, and checkpoints from one member itself."""
    held = sorted((out / layout.CHECKPOINTS / MEMBER).iterdir())
    if not held:
        raise Unavailable(f"{MEMBER} holds no witnessed checkpoint", code="child")
    notes = {f"{path.name}, from {MEMBER}": path.read_bytes() for path in held}
    return Anchors(troupe.ground.founded.framework_id, notes)


def _clean(result: Replay) -> bool:
    return outcome.exit_code(result) == outcome.Exit.CLEAN
