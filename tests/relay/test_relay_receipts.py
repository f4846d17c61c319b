"""A sender gets a receipt that it can check with nothing but its own bytes, the stamp and the log key."""

from __future__ import annotations

from relay_world import CT, EST, FIN, LVA, NODES, head_of, log_keys, rebuilt

from rsc_share.log.checkpoint import Checkpoint, verify_checkpoint
from rsc_share.relay.live import State
from rsc_share.session.frames import Bare, Full, Logged


async def test_message_is_logged_and_read_by_its_audience_only(world):
    pen = world.pen(EST)
    grant, message = pen.grant(FIN), pen.message(FIN)
    outcomes = await world.submit(EST, grant, message)
    assert [type(outcome) for outcome in outcomes] == [Logged, Logged], outcomes
    raw = [rebuilt(*pair) for pair in zip((grant, message), outcomes, strict=True)]
    head = head_of(outcomes[1].note)
    verify_checkpoint(Checkpoint(CT, head.size, head.root), head.signature, log_keys().ed25519.public)

    tail = await world.ports[FIN].read(CT, 0, 100)
    assert [item.entry for item in tail.items] == raw
    assert [len(item.bodies) for item in tail.items] == [1, 1]
    assert all(isinstance(item, Bare) for item in (await world.ports[LVA].read(CT, 0, 100)).items)
    own = (await world.ports[EST].read(CT, 0, 100)).items
    assert own == tuple(Full(entry, None, (), ()) for entry in raw)


async def test_every_log_is_ready_after_k_witnesses(world):
    assert set(world.relay.states().values()) == {State.READY}
    for node in NODES:
        assert (await world.ports[node].logs()).keys() == world.relay.logs.keys()
