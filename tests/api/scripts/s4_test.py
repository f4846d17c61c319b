from rsc_share import Node
from rsc_share.messages import Indicator
from rsc_share.testing import Framework

async def my_gateway(node: Node) -> int:
    n = 0
    async with node.channel("main").subscribe(Indicator) as inbox:
        async for m in inbox:
            n += len(m.body.pattern)
            await m.done()
            break
    return n

async def test_suspended_neighbour_gets_nothing() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        await fw.suspend("LVA", by="EST")
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label="TLP:GREEN REL TO @members")
        await sent.receipt()
        await fw.settle()
        assert {o.member for o in sent.plan.withheld} == {"LVA"}
        assert await my_gateway(fw.node("FIN")) == 1
        report = await fw.audit()
        assert not report.findings and not report.unchecked
