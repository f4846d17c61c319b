"""The short fuzzer over what a session reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from campaign import Campaign
from reach import measure
from session_targets import TARGETS, Seeded
from table import WANTED

INPUTS = 1_500


@pytest.mark.parametrize("seeded", TARGETS, ids=lambda seeded: seeded.target.name)
def test_a_reader_takes_its_input_or_raises_its_error(seeded: Seeded) -> None:
    target, seeds = seeded.target, seeded.seeds()
    assert any(map(target, seeds))
    campaign = Campaign(target, seeds)
    campaign.run(seconds=0, least=INPUTS)
    reached = measure(target, campaign.alive)
    assert reached.percent >= WANTED, f"{reached.percent:.1f} % of {target.name}, missing {reached.missing}"
