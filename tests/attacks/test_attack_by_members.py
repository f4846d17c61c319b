"""Attacks by a member with a node of its own, on an honest relay and on the other readers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from attack_bench import audited

from rsc_share.envelope.contents import GrantContent
from rsc_share.session.frames import Logged, Turned
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.create("EST", "LVA", "FIN", seed=11) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework


async def test_attack_a_key_hand_out_with_nothing_as_its_key_has_the_relay_accused(fw: Framework) -> None:
    """A body without bytes is how a store says that they lie in a file: every export and every check missed it."""
    pen = await adv.Pen(fw, "EST").sync()
    good = pen.grant()
    await pen.sync()
    (node, prekey, _), *others = good.header.content.nodes
    content = GrantContent(((node, prekey, sha256(b"").digest()), *others), good.header.content.check)
    bodies = (b"", *good.submission.bodies[1:])
    (outcome,) = await pen.submit(pen.entry("grant", good.header.nodes, content=content, bodies=bodies))
    assert isinstance(outcome, Turned)
    assert (outcome.refusal.code, outcome.refusal.row) == ("malformed", 1)
    assert not {"body-missing", "body-reason"} & {finding.code for finding in (await audited(fw)).findings}
    await pen.sync()
    assert isinstance((await pen.submit(pen.grant()))[0], Logged)
