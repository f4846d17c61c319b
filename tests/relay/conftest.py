from __future__ import annotations

import pytest
from relay_world import World


@pytest.fixture
async def world():
    made = await World().ready()
    yield made
    await made.relay.aclose()
