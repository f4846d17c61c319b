"""What several files of this room begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rsc_share.testing import Framework


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as framework:
        yield framework
