"""The whole demonstration, in order."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rsc_share.demo import acts, fork, inspection, turns
from rsc_share.demo.inputs import Inputs
from rsc_share.demo.parts import Part
from rsc_share.demo.stage import CYBER, DISASTER, open_stage


class Telling(Protocol):
    """Whoever is told what happens, as it happens."""

    def working(self, what: str) -> AbstractContextManager[None]:
        """Around something that takes a moment."""
        ...

    def part(self, part: Part) -> None:
        """One step is over."""
        ...


async def play(inputs: Inputs, folder: Path, telling: Telling) -> tuple[Part, ...]:
    """Run everything; the export and its report are written into `folder`, which is empty. Raises `RscError`."""
    parts: list[Part] = []

    def told(part: Part) -> None:
        parts.append(part)
        telling.part(part)

    async with open_stage() as stage:
        told(await acts.found(stage))
        with telling.working("publishing"):
            told(await acts.publish_file(stage, "FIN", CYBER, inputs.stix))
            told(await acts.publish_file(stage, "LVA", DISASTER, inputs.cap))
            told(await acts.assess(stage))
            told(await turns.restrict(stage))
            told(await turns.amend(stage))
            told(await turns.revoke(stage))
            told(await acts.ledger(stage, parts))
            told(await fork.cheat(stage))
        with telling.working("exporting and replaying"):
            for part in await inspection.inspect(stage, folder):
                told(part)
    return tuple(parts)
