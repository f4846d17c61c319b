"""How large what is sent may be: the charter's bound for a channel, at whoever would have to carry it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsc_share import Attachment, Draft, LocalError, Refused
from rsc_share.messages import Indicator
from rsc_share.node import attach
from rsc_share.node import compose as composing
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST, ChannelPlan, Plan

GREEN = "TLP:GREEN REL TO @members"
MAIN = f"{HOST}/test-framework/main"
LIMIT = 100_000


def draft(text: int = 1, file: Path | None = None) -> Draft:
    files = [] if file is None else [Attachment.file(file)]
    return Draft(Indicator(pattern="p" * text, stix_id="i"), label=GREEN, attachments=files)


def of(folder: Path, size: int) -> Path:
    found = folder / f"{size}.bin"
    found.write_bytes(bytes(size))
    return found


async def test_the_charters_bound_is_kept_by_sender_relay_and_uploads(tmp_path: Path) -> None:
    plan = Plan(channels=(ChannelPlan("main", limits={"body_bytes": LIMIT}),))
    async with Framework.of(plan) as fw:
        node = fw.node("EST")
        channel = node.channel("main")
        sent = await channel.publish(draft(60_000, of(tmp_path, 80_000)))
        await node.carry()
        await fw.settle()
        assert sent.settled
        for size in (LIMIT - 1_000, LIMIT + 1):  # larger once it is sealed; larger as it is
            with pytest.raises(LocalError, match=f"the charter allows {LIMIT} in this channel") as caught:
                await channel.publish(draft(1, of(tmp_path, size)))
            assert caught.value.code == "too-large"
        assert len(channel.line.sending.outbox) == 0, "nothing was queued"
        port = node.engine.ports[HOST]
        assert await port.blob_held(MAIN, bytes(32), LIMIT) == 0
        with pytest.raises(Refused) as refused:
            await port.blob_held(MAIN, bytes(32), LIMIT + 1)
        assert (refused.value.code, refused.value.fields["most"]) == ("too-large", LIMIT)


async def test_a_text_above_the_charters_bound_is_said_to_its_author() -> None:
    async with Framework.of(Plan(channels=(ChannelPlan("main", limits={"body_bytes": 2_048}),))) as fw:
        channel = fw.node("EST").channel("main")
        with pytest.raises(LocalError, match=r"portion 0 has [0-9]+ bytes when it is sealed"):
            await channel.publish(draft(2_048))
        sent = await channel.publish(draft(1_500))
        await fw.settle()
        assert sent.settled


async def test_a_sender_that_does_not_look_is_refused_by_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the refusal is its message's answer, not a loop."""
    for module in (composing, attach):
        monkeypatch.setattr(module, "largest_body", lambda *_: None)
    async with Framework.of(Plan(channels=(ChannelPlan("main", limits={"body_bytes": 2_048}),))) as fw:
        channel = fw.node("EST").channel("main")
        sent = await channel.publish(draft(4_000))
        await fw.settle()
        with pytest.raises(Refused) as refused:
            await sent.receipt()
        assert (refused.value.code, refused.value.row) == ("body-limit", 14)
