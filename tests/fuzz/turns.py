"""Whose turn it is in a family: every target gets the same time, whatever the fuzzer would like to go on with.

Left to itself libFuzzer stays with the parser that has most branches. It proposes an input; if that input's target is
ahead of the one that is furthest behind, the latter has the turn, with an input of its own. Time and not runs are
shared, or one slow parser would take the time of all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from campaign import Campaign
from families import address, addressed
from folders import TALLY, store

AHEAD = 0.1
"""Seconds. Long enough to follow a proposal for a while, short beside any run."""
Other = Callable[[bytes, int], bytes]


class Turns:
    """The campaigns of one family. `kept`: the folder where this run leaves its inputs and what each target had."""

    def __init__(self, campaigns: Sequence[Campaign], kept: Path) -> None:
        self._by_name = {campaign.target.name: campaign for campaign in campaigns}
        self._kept = kept
        self._written = 0.0

    def alter(self, data: bytes, limit: int, random: Random, other: Other) -> bytes:
        """An alteration of `data`, or of something whose turn it is. `other` is libFuzzer's own way to alter."""
        campaign, base = self._next(data, random)
        found = other(base[:limit], limit) if random.random() < 0.3 else campaign.alter(base, random)
        return address(campaign.target, found)[:limit]

    def attack(self, data: bytes) -> None:
        """One input of the family's. One that is nobody's is nothing: libFuzzer begins with those."""
        campaign, rest = self._owner(data)
        if campaign is None:
            return
        try:
            if campaign.attack(rest):
                store(self._kept, data)
        finally:
            if time.monotonic() > self._written + 1:
                self.write()

    def write(self) -> None:
        """What each target had so far. Every second, because libFuzzer ends the process without a word."""
        self._written = time.monotonic()
        tally = {name: [campaign.runs, round(campaign.seconds, 1)] for name, campaign in self._by_name.items()}
        draft = self._kept / "draft"
        draft.write_text(json.dumps(tally), encoding="utf-8")
        draft.replace(self._kept / TALLY)

    def _next(self, data: bytes, random: Random) -> tuple[Campaign, bytes]:
        behind = min(self._by_name.values(), key=lambda campaign: campaign.seconds)
        campaign, rest = self._owner(data)
        if campaign is None or campaign.seconds > behind.seconds + AHEAD:
            return behind, random.choice(behind.alive)
        return campaign, rest

    def _owner(self, data: bytes) -> tuple[Campaign | None, bytes]:
        found = addressed(data)
        return (self._by_name.get(found[0].name), found[1]) if found else (None, b"")
