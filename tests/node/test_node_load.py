"""Whether a process is busy, by its own clock and that of its processor."""

from __future__ import annotations

from node_world import GREEN, indicator

from rsc_share.node.load import BUSY, WINDOW, Load, idle
from rsc_share.testing import Framework


class Times:
    """Two clocks in one hand."""

    def __init__(self) -> None:
        self.now = self.used = 0.0

    def pass_(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.used += seconds * share


def test_a_process_is_busy_by_what_it_used_lately() -> None:
    times = Times()
    load = Load(lambda: times.now, lambda: times.used)
    assert not load(), "nothing is known yet"
    times.pass_(1.01 * WINDOW, BUSY + 0.1)
    assert load()
    times.pass_(WINDOW / 2, 0.0)
    assert load(), "not a moment, but a tenth of a second"
    times.pass_(1.01 * WINDOW, 0.0)
    assert not load()
    times.pass_(1.01 * WINDOW, 2.5)
    assert load(), "other threads of its count, too"
    times.pass_(60.0, 0.01)
    assert not load()


def test_an_idle_process_is_never_busy() -> None:
    assert not idle()


async def test_where_much_is_done_messages_go_together() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = fw.node("EST")
        line = node.channel("main").line
        assert line._slice is not None
        busy = type(node.engine.world)(node.engine.world.now, node.engine.world.random, lambda: True)
        line._world = line.sending._world = busy
        assert line._slice is None, "all of its own entries at once"
        sent = [await node.channel("main").publish(indicator(f"m{n}"), label=GREEN) for n in range(5)]
        assert not line.sending.runs or not line.sending._ready_to_sign(node.engine.trust.view, node.now())
        await fw.settle()
        assert all(found.settled for found in sent)
