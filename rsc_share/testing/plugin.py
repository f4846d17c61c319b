"""The pytest plugin: one fixture, nothing imported before a test asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from rsc_share.testing.framework import Framework


@pytest_asyncio.fixture
async def rsc_framework() -> AsyncIterator[Framework]:
    """A running framework of EST, LVA and FIN with one channel, `main`."""
    from rsc_share.testing.framework import Framework

    async with Framework.create("EST", "LVA", "FIN") as framework:
        yield framework
