"""Exports of a framework that really ran, and what a forger does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from rsc_share.audit import layout, terminal
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import REASONS
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.html import render
from rsc_share.audit.manifest import Manifest, line_of
from rsc_share.audit.outcome import Exit, exit_code
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.report import report
from rsc_share.audit.source import ExportSource, LogSource
from rsc_share.crypto.signing import PrivateKey
from rsc_share.errors import RscError
from rsc_share.messages import Indicator
from rsc_share.names import channel_of
from rsc_share.testing.auditing import export_source
from rsc_share.testing.founding import OPERATOR, ChannelPlan, Plan
from rsc_share.testing.framework import Framework
from rsc_share.value import replace

LABEL = "TLP:GREEN REL TO @members"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Moment:
    """What the operator would export at one time, and what a member holds then."""

    source: ExportSource
    held: Mapping[str, bytes]


@dataclass(frozen=True)
class Ran:
    """A framework at an early and at a later moment. `keys` are the log's own: a forger who is the relay has them."""

    id: bytes
    early: Moment
    late: Moment
    keys: tuple[PrivateKey, PrivateKey]

    @property
    def files(self) -> Files:
        return whole_export(self.late.source, self.keys[0])

    @property
    def anchors(self) -> Anchors:
        return Anchors(self.id, self.late.held)

    def log(self, channel: str) -> LogSource:
        return next(log for log in self.late.source.logs if channel_of(log.origin) == channel)


@cache
def ran(members: tuple[str, ...] = ("EST", "FIN"), channels: tuple[str, ...] = ("main",), seed: int = 0) -> Ran:
    plan = Plan(members=members, channels=tuple(map(ChannelPlan, channels)), seed=seed)
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Ran:
    moments = []
    async with Framework.of(plan) as fw:
        for number in range(2):
            for channel in plan.channels:
                body = Indicator(pattern=f"p{number}", stix_id="i")
                await (await fw.node("EST").channel(channel.name).publish(body, label=LABEL)).receipt()
            fw.clock.advance(seconds=11)
            await fw.settle()
            held = dict(fw.node("FIN").engine.notes())
            moments.append(Moment(await export_source(fw.relay_service, OPERATOR), held))
        return Ran(fw.founded.framework_id, *moments, fw.founded.log_keys)


def remade(files: Files, signer: PrivateKey | None = None) -> Files:
    """The same files under a manifest that fits them: what a careful forger hands over."""
    old = Manifest.parse(files[layout.MANIFEST])
    lines = tuple(line_of(path, data) for path, data in sorted(files.items()) if path.startswith(layout.EXPORT))
    made = replace(old, files=lines, seal=None)
    return {**files, layout.MANIFEST: (made if signer is None else made.signed(signer)).encode()}


def both(files: Files) -> Iterator[Files]:
    """Under the old manifest, and under one made again."""
    yield files
    yield remade(files)


def ask(files: Files, anchors: Anchors) -> Replay | str:
    """An audit, whatever it says, or the code of the refusal. Sums add up; nothing green is unchecked."""
    try:
        result = replay(MemoryFiles(files), anchors)
    except RscError as error:
        return error.code
    for origin, classes in result.classes.items():
        assert sum(classes.counts().values()) == result.export.logs[origin].checkpoint.size
    if exit_code(result) in (Exit.CLEAN, Exit.AGAINST_ITSELF):
        assert not any(reason in classes.counts() for classes in result.classes.values() for reason in REASONS)
    return result


def noticed(files: Files, anchors: Anchors, *, page: bool = False) -> bool:
    """Whether an audit ends with a finding above an observation, or the export is refused."""
    found = ask(files, anchors)
    if isinstance(found, str):
        return True
    if page:
        made = report(found)
        assert render(made)
        assert terminal.render(made)
    return exit_code(found) is Exit.FINDINGS
