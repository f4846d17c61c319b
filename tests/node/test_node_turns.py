"""What a turn does not wait for, and how much of its own it judges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from node_gate import SPINS, Gate, gated, idle, one_by_one, publish, texts, until

from rsc_share.errors import RemoteError
from rsc_share.node.line import OWN_ENTRIES
from rsc_share.session.port import RelayPort


async def test_a_node_that_is_stopped_waits_for_no_answer() -> None:
    async with gated() as (_, node, gate):
        await one_by_one(node, gate, "a")
        assert len(node.engine.under_way()) == 1
        node.channel("main").line.stopped = RemoteError("no more")
        assert node.engine.under_way() == []
        gate.answer(0)
        await idle()
        assert node.engine.under_way() == []


async def test_own_entries_are_judged_a_few_in_a_turn_and_those_of_others_at_once() -> None:
    async with gated() as (fw, node, gate):
        line = node.channel("main").line
        gate.open = True
        judged: list[list[str]] = []
        take = line._take

        def noted(seen, now):
            judged.append([item.verdict.signed.header.sender for item in seen])
            return take(seen, now)

        line._take = noted  # type: ignore[method-assign]
        fw.relay.cut_off("LVA")
        for n in range(20):
            await publish(node, f"m{n}")
        fw.relay.reconnect("LVA")
        await fw.settle()
        assert sum(map(len, judged)) >= 20
        assert max(map(len, judged)) <= OWN_ENTRIES
        judged.clear()
        other = fw.node("LVA")
        for n in range(20):
            await publish(other, f"o{n}")
        await fw.settle()
        assert line.follower.judged == line.follower.checked
        assert max(sum(sender != "EST/mod-1" for sender in found) for found in judged) > OWN_ENTRIES
        assert texts(fw, "EST")[-20:] == [f"o{n}" for n in range(20)]


async def test_an_old_copy_judges_all_of_its_own_before_it_signs() -> None:
    async with gated() as (_, node, _):
        line = node.channel("main").line
        assert line._slice == OWN_ENTRIES
        line._started = False
        assert line._slice is None
        line._started, line.behind = True, True
        assert line._slice is None


async def test_a_message_does_not_wait_for_a_cosignature() -> None:
    class Slow(Gate):
        """Takes cosignatures when the test says so."""

        def __init__(self, port: RelayPort) -> None:
            super().__init__(port)
            self.cosigned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.asked = 0

        async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
            self.asked += 1
            await self.cosigned
            await super().cosign(log, size, lines)

    async with gated(Slow) as (fw, node, slow):
        slow.open = True
        await publish(node, "a")
        fw.clock.advance(seconds=1)
        for _ in range(SPINS):
            if slow.asked:
                break
            await fw.relay_service.tick()
            await asyncio.sleep(0)
            node.nudge()
            node.engine._ask = True
        assert slow.asked == 1
        (sent,) = await publish(node, "b")
        await until(lambda: sent.settled)
        assert slow.asked == 1, "one round after the other"
        slow.cosigned.set_result(None)
        await fw.settle()
        assert node.engine.under_way() == []
