"""The short fuzzer: every parser for a moment, without atheris. `make fuzz` is the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import corpus
from campaign import Campaign
from reach import measure
from table import WANTED
from targets import TARGETS, Target

INPUTS = {"bytes": 750, "msgpack": 750, "text": 400}
"""Alterations for each parser: a number and not a time, so that a slow machine finds what a fast one does."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_parser_takes_its_input_or_raises_its_error(target: Target) -> None:
    """What is taken encodes to the same bytes; nothing else comes out; and nearly every line of it was reached."""
    seeds = corpus.of(target)
    assert any(map(target, seeds))
    campaign = Campaign(target, seeds)
    campaign.run(seconds=0, least=INPUTS[target.kind])
    assert campaign.runs == len(seeds) + INPUTS[target.kind]
    reached = measure(target, campaign.alive)
    assert reached.percent >= WANTED, f"{reached.percent:.1f} % of {target.name}, missing {reached.missing}"
