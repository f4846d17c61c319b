from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rsc_share.testing.loopback import LoopbackFramework


@pytest.fixture
async def fw() -> AsyncIterator[LoopbackFramework]:
    async with LoopbackFramework.create("EST", "LVA", "FIN", seed=7) as framework:
        yield framework
