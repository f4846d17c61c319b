"""A framework half an hour old, for attacks that need no other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rsc_share.testing import Framework


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.create("EST", "LVA", "FIN", seed=11) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework
