"""A FLASH behind what the relay did not take, over TLS: the run that carries it must not be cut in two."""

from __future__ import annotations

from rsc_share.messages import Indicator
from rsc_share.node.net import port
from rsc_share.relay.room import Room
from rsc_share.session.frames import Submission
from rsc_share.testing.founding import HOST
from rsc_share.testing.loopback import LoopbackFramework

GREEN = "TLP:GREEN REL TO @members"


async def test_flash_passes_more_routine_than_one_call_usually_takes() -> None:
    async with LoopbackFramework.create("EST", "LVA", "FIN") as fw:
        node = fw.node("EST")
        channel = node.channel("main")
        fw.relay_service.room = lambda: Room.CRITICAL
        fw.relay.cut_off("EST")
        for n in range(64):
            await channel.publish(Indicator(pattern=str(n) * 30_000, stix_id="i"), label=GREEN)
        fw.relay.reconnect("EST")
        await fw.settle()
        flying = [sent.submission for sent in channel.line.sending.outbox.in_flight]
        assert sum(len(body) for sent in flying for body in sent.bodies) > port.RUN_BYTES
        flash = await channel.publish(Indicator(pattern="f", stix_id="i"), label=GREEN, precedence="FLASH")
        await fw.settle()
        assert flash.settled
        assert not channel.line.sending.outbox.in_flight


async def test_a_run_waits_in_the_queue_of_its_most_urgent_entry() -> None:
    async with LoopbackFramework.create("EST", "LVA", "FIN") as fw:
        heard: list[str] = []
        wire = fw.node("EST").engine.ports[HOST].net
        call = wire._link.call

        async def listening(name: str, body: bytes, rank: str) -> bytes:
            if name == "submit":
                heard.append(rank)
            return await call(name, body, rank)

        wire._link.call = listening
        channel = fw.node("EST").channel("main")
        await channel.publish(Indicator(pattern="f", stix_id="i"), label=GREEN, precedence="FLASH")
        await fw.settle()
        assert "FLASH" in heard, "though its grant is in front of it"
    unread = Submission(b"no header", b"", (), (), ())
    assert port.rank([unread]) == "ROUTINE"
