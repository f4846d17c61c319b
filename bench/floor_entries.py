"""Real entries for the floor: whole nodes and a relay in one process make them, and what crosses between them is kept.

Nothing here is measured. `floor_calls` and `floor_forms` make, judge and read the same bytes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rsc_share import codec
from rsc_share.crypto.bodies import open_part
from rsc_share.crypto.signing import PrivateKey, PublicKey
from rsc_share.envelope.header import Header
from rsc_share.messages import Indicator
from rsc_share.node import sending
from rsc_share.session.frames import Logged, Submission, Tail
from rsc_share.testing.framework import Framework
from rsc_share.testing.wire import Wire

CODES = ("EST", "FIN", "LVA", "LTU", "NOR", "SWE", "DNK", "POL", "DEU", "ISL", "NLD")
LABEL = "REGIONAL RESTRICTED REL TO @members"
TEXT = "x" * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """A message before it is sealed: its id, the JSON form of its body, and the salt of its commitment."""

    id: bytes
    value: Any
    salt: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """What one signature, one commit of the relay and one checkpoint cover. `first`: its place in the log."""

    first: int
    texts: tuple[Text, ...]
    submissions: tuple[Submission, ...]
    outcomes: tuple[Logged, ...]
    tails: Mapping[str, Tail]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Runs of one sender, and what its relay and readers know before the first. `leaves`: of the log up to there."""

    framework_id: bytes
    realm: str
    log: str
    sender: str
    readers: tuple[str, ...]
    signer: PrivateKey
    log_key: PrivateKey
    log_public: PublicKey
    gk: bytes = field(repr=False)
    leaves: tuple[bytes, ...]
    runs: tuple[Run, ...]


class _Taped(Wire):
    """A line that keeps what goes over it."""

    handed_in: list[tuple[list[Submission], list[Logged]]]
    shown: list[Tail]

    async def submit(self, log: str, entries: Sequence[Submission]) -> Any:
        outcomes = await super().submit(log, entries)
        self.handed_in.append((list(entries), list(outcomes)))
        return outcomes

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        tail = await super().read(log, start, limit)
        if tail is not None:
            self.shown.append(tail)
        return tail


class _TapedFramework(Framework):
    lines: dict[str, _Taped]

    async def _wire(self, identity: Any, *dice: object) -> Wire:
        line = _Taped(self.relay_service.connect(identity.node), identity.member, self.relay)
        line.handed_in, line.shown = [], []
        self.lines = {**getattr(self, "lines", {}), identity.node: line}
        return line


async def record(readers: int, batch: int, messages: int) -> Recorded:
    """At least `messages` indicators of 1 KiB to so many readers, `batch` to a signature (at most 256)."""
    with _signing_together(batch):
        return await _record(readers, batch, messages)


@contextmanager
def _signing_together(batch: int) -> Iterator[None]:
    """This library signs 64 entries together, the protocol lets 256: what no program goes below is found with those."""
    before = sending.MAX_ENTRIES, sending.MAX_RUN
    sending.MAX_ENTRIES, sending.MAX_RUN = max(batch, before[0]), max(2 * batch, before[1])
    try:
        yield
    finally:
        sending.MAX_ENTRIES, sending.MAX_RUN = before


async def _record(readers: int, batch: int, messages: int) -> Recorded:
    async with _TapedFramework.create(*CODES[: readers + 1]) as framework:
        sender = framework.node(CODES[0])
        await _publish(framework, sender, 1)  # its run has the grant, which serves all the others
        line = framework.lines[sender.name]
        begun, (log,) = len(line.handed_in), sender.engine.lines
        tree = sender.engine.lines[log].follower.tree
        leaves = tuple(tree.leaf(index) for index in range(tree.size))
        for _ in range(-(-messages // batch)):
            await _publish(framework, sender, batch)
        return _recorded(framework, sender, leaves, line.handed_in[begun:])


async def _publish(framework: Framework, sender: Any, count: int) -> None:
    """All at once, so that one signature covers them."""
    found = (Indicator(pattern=TEXT, stix_id=f"{number}") for number in range(count))
    await asyncio.gather(*(sender.channel("main").publish(body, label=LABEL) for body in found))
    await framework.settle()


def _recorded(framework: _TapedFramework, sender: Any, leaves: tuple[bytes, ...], handed_in: list[Any]) -> Recorded:
    (log,), view = sender.engine.lines, framework.relay_service.view
    header = Header.parse(handed_in[0][0][0].header)
    tails = {node: framework.lines[node].shown for node in header.nodes}
    keys = framework.node(header.nodes[0]).engine.keys
    place = (framework.founded.framework_id, log, "operational", sender.name)
    gk: bytes = keys._grants[sender.name, header.grant]  # nothing else has a reason to ask a node for it
    return Recorded(
        framework_id=place[0],
        realm=place[2],
        log=log,
        sender=sender.name,
        readers=header.nodes,
        signer=framework.founded.parties[CODES[0]].nodes[0].signing,
        log_key=framework.founded.log_keys[0],
        log_public=view.log(log).ed25519,
        gk=gk,
        leaves=leaves,
        runs=tuple(_run(entries, outcomes, tails, gk, place) for entries, outcomes in handed_in),
    )


def _run(
    entries: list[Submission],
    outcomes: list[Logged],
    tails: Mapping[str, list[Tail]],
    gk: bytes,
    place: tuple[bytes, str, str, str],
) -> Run:
    first, count = outcomes[0].index, len(outcomes)
    shown = {}
    for node, found in tails.items():
        shown[node] = next(tail for tail in found if (tail.start, len(tail.items)) == (first, count))
    return Run(first, tuple(_text(item, gk, place) for item in entries), tuple(entries), tuple(outcomes), shown)


def _text(entry: Submission, gk: bytes, place: tuple[bytes, str, str, str]) -> Text:
    header = Header.parse(entry.header)
    framework_id, log, realm, sender = place
    salt, content = open_part(
        gk,
        entry.bodies[0],
        header.parts[0].commit,
        framework_id=framework_id,
        log=log,
        realm=realm,
        sender=sender,
        id=header.id,
        part=0,
    )
    _, payload = codec.unpack(content, max_size=len(content))
    return Text(header.id, codec.unpack(payload, max_size=len(payload)), salt)
