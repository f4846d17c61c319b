"""Logs full of everything: entries of three nodes, right, or wrong in one way, or no entries at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from random import Random

from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Opening, Ref, Refs
from rsc_share.session.frames import Full
from rsc_share.testing import Framework
from rsc_share.testing.adversaries import Forged, Pen
from rsc_share.testing.clock import Dice

ME = "LVA/mod-1"
MEMBERS = ("EST", "FIN", "LVA")


@dataclass
class World:
    pens: dict[str, Pen]
    now: int


@cache
def world() -> World:
    async def run() -> World:
        async with Framework.create(*MEMBERS, seed=5) as fw:
            await fw.settle()
            fw.clock.advance(seconds=40 * 60)  # by now everybody must be addressed
            await fw.settle()
            return World({member: Pen(fw, member) for member in MEMBERS}, fw.clock.now)

    return asyncio.run(run())


class Writer:
    """A log full of everything: each step adds an entry of somebody, right or wrong in one way."""

    def __init__(self, random: Random, start: int, pens: dict[str, Pen], now: int):
        self.random, self.index, self.pens, self.at = random, start, pens, now
        self.witnessed = next(iter(self.pens.values())).engine.trust.witnessed
        self.grants = {}
        self.ids = {member: [pen.new_id()] for member, pen in self.pens.items()}
        self.refs = [Ref(self.pens["EST"].log, 0, bytes(32))]
        self.ahead = False

    @classmethod
    def anew(cls, random: Random, start: int) -> Writer:
        """Of nodes that have written nothing yet."""
        return cls(random, start, {member: _anew(pen) for member, pen in world().pens.items()}, world().now)

    def next(self) -> tuple[int, Full]:
        """As a relay shows it."""
        made, wrong = self.write()
        if made is None:
            return self.index - 1, Full(self.random.randbytes(40), None, (), ())
        return self.index - 1, self._shown(made, wrong)

    def write(self) -> tuple[Forged | None, str | None]:
        """The next entry and what is wrong with it; None where it is no entry at all."""
        member = self.random.choice(list(self.pens))
        index, self.index = self.index, self.index + 1
        wrong = self.random.choice((None,) * 9 + WRONG)
        if wrong == "garbage":
            return None, wrong
        made = self._write(member, wrong)
        self.ids[member].append(made.header.id)
        self.refs.append(Ref(made.header.log, index, made.signed.header_hash))
        return made, wrong

    def _write(self, member: str, wrong: str | None) -> Forged:
        pen, grant = self.pens[member], self.grants.get(member)
        fields = {
            "prev": {"prev": self.random.randbytes(32)},
            "seq": {"seq": max(1, pen.head.seq)},
            "id": {"id": self.random.choice(self.ids[member])},
            "expired": {"expires_at": self.at - 1},
            "source": {"refs": Refs(derived_from=(self.random.choice(self.refs),))},
        }.get(wrong, {})
        if grant is None or (wrong not in ("expired", "source", "to") and self.random.random() < 0.2):
            to = pen.others[:1] if wrong == "to" else None
            made = self.grants[member] = pen.grant(to, **({} if wrong in ("expired", "source") else fields))
        elif self.random.random() < 0.1 and wrong is None:
            made = pen.heartbeat()
        else:
            made = pen.message(grant, pen.others[1:] if wrong == "to" else None, **fields)
        return made.altered(prev=self.random.randbytes(32)) if wrong == "signature" else made

    def _shown(self, made: Forged, wrong: str | None) -> Full:
        self.at += self.random.randrange(50)
        self.ahead = self.ahead or self.random.random() < 0.03
        stamp = Stamp(self.at - (1000 if wrong == "stamp" else 0), self.witnessed - (not self.ahead))
        opening = made.openings.get(ME) if ME in made.header.nodes else None
        if wrong == "opening" and opening is not None:
            opening = self.random.choice((None, Opening(bytes(16), opening.n)))
        return Full(UnverifiedEntry.stamped(made.signed, stamp).raw, opening, (), made.submission.bodies)


WRONG = (
    "garbage", "prev", "seq", "id", "expired", "source", "to", "signature", "stamp", "opening",
)  # fmt: skip


def _anew(pen: Pen) -> Pen:
    made = Pen.__new__(Pen)
    made.__dict__.update(pen.__dict__, counters={}, keys={}, _random=Dice("anew", pen.node))
    return made
