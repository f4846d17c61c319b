"""The framework's own flows, over TLS on loopback instead of function calls."""

from __future__ import annotations

from rsc_share.messages import Indicator
from rsc_share.testing.loopback import LoopbackFramework

GREEN = "TLP:GREEN REL TO @members"


async def test_a_message_crosses_the_network_and_is_quoted_by_its_number() -> None:
    async with LoopbackFramework.create("EST", "LVA", "FIN", seed=7) as fw:
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        receipt = await sent.receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
            message = await anext(inbox)
            assert message.reference == receipt.reference
            assert message.body.pattern == "p"
        assert not [alarm for node in fw.nodes for alarm in node.alarms]
