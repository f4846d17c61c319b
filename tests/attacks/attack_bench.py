"""One run of one attack against all parties, with the named checks on, off, and each of them alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from rsc_share import compiled
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.errors import Unavailable
from rsc_share.node.engine import Engine
from rsc_share.rulebook.rules import RULES
from rsc_share.rulebook.view import Party
from rsc_share.session.frames import Offer
from rsc_share.session.port import NOTHING
from rsc_share.testing import Framework
from rsc_share.testing.auditing import export_source
from rsc_share.testing.founding import HOST, OPERATOR
from rsc_share.testing.wire import Wire


@dataclass(frozen=True)
class Patch:
    """A check that is no row of the rulebook: where it is used, and what stands there when it is off."""

    target: str
    off: Callable[..., object] = field(default=lambda *a, **k: None, compare=False)

    def apply(self, patcher: pytest.MonkeyPatch) -> None:
        module, _, path = self.target.partition(":")
        owner: object = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        if module in compiled.modules() and compiled.is_compiled(getattr(owner, name)):
            pytest.skip(f"{self.target} is compiled into what calls it (ADR 0068): nothing can be put in its place")
        patcher.setattr(owner, name, self.off)


Check = str | Patch


def name_of(check: Check) -> str:
    return check if isinstance(check, str) else check.target.partition(":")[2]


@contextmanager
def off(checks: Iterable[Check]) -> Iterator[None]:
    """These checks do not exist, for anybody."""
    checks = list(checks)
    with pytest.MonkeyPatch.context() as patcher:
        rules = [check for check in checks if isinstance(check, str)]
        patcher.setitem(RULES, 1, RULES[1].without(*rules))
        for check in checks:
            if isinstance(check, Patch):
                check.apply(patcher)
        yield


class Deaf(Wire):
    """A line that only reads: what a second look at the log by the same node goes through."""

    async def submit(self, log, entries):
        raise Unavailable("reading only")

    async def submit_object(self, found, bodies):
        raise Unavailable("reading only")

    async def offers(self, heads, shown=NOTHING) -> list[Offer]:
        return []


async def reread(framework: Framework, member: str) -> Engine:
    """The node of `member`, reading everything again from the first entry on, with the keys it has."""
    node = framework.node(member).engine
    engine = Engine(
        node.identity,
        node.directory_log,
        {HOST: Deaf(framework.relay_service.connect(node.identity.node), member, framework.relay)},
        node.world,
    )
    engine.keys = node.keys
    while await engine.turn():
        pass
    return engine


def told(engine: Engine, log: str, index: int) -> str | None:
    """What the node says of an entry: the code of the row it fails, or None."""
    for alarm in engine.alarms.all():
        if alarm.code == "void-entry" and alarm.key == f"{log}/{index}":
            return str(alarm.fields["refused"])
    return None


def admitted(engine: Engine, log: str, index: int) -> bool:
    """Whether the node took the entry for true."""
    return engine.lines[log].follower.source(index) is not None


def shown(engine: Engine, log: str, index: int) -> bool:
    """Whether an embedder gets it as a message."""
    return any(event.place.index == index for event in engine.lines[log].reading.inbox.events)


async def audited(framework: Framework, anchors: Mapping[str, bytes] | None = None) -> Replay:
    """A replay of everything the relay holds; without `anchors` against nothing but the charter digest."""
    files = whole_export(await export_source(framework.relay_service, OPERATOR))
    return replay(MemoryFiles(files), Anchors(framework.founded.framework_id, dict(anchors or {})))


def findings_at(found: Replay, log: str, index: int | None) -> list[Finding]:
    return [f for f in found.findings if f.log == log and f.index == index and f.grade is not Grade.OBSERVATION]


PARTIES = {"relay": Party.RELAY, "node": Party.NODE, "auditor": Party.AUDITOR}
