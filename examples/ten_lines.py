"""Say something to two neighbours, one of whom may read only half of it.

    python examples/ten_lines.py

The ten lines are `warn`. A real node is opened with

    async with Node.open("/var/lib/rsc/est", unlock=Unlock.file("/run/secrets/rsc")) as node:
        await warn(node)

and here it comes from a framework in memory, so that the file runs anywhere.
"""

from __future__ import annotations

import asyncio

from rsc_share import Node, Portion
from rsc_share.messages import ThreatAssessment
from rsc_share.testing import Framework


async def warn(node: Node) -> str:
    channel = node.channel("main")
    report = ThreatAssessment(
        title="Attempt on a ferry terminal",
        text=[
            Portion("Check vehicles that board late.", "REGIONAL RESTRICTED REL TO @members"),
            Portion("A crew list names two people.", "REGIONAL SECRET REL TO FIN"),
        ],
    )
    sent = await channel.publish(report, label="REGIONAL RESTRICTED REL TO @members", must_reach=["FIN"])
    return (await sent.receipt()).reference


async def read(node: Node) -> ThreatAssessment:
    async with node.channel("main").subscribe(ThreatAssessment, consumer="case-db") as inbox:
        message = await anext(inbox)  # or `async for`: verified, decrypted, typed
        await message.done()
        return message.body


async def main() -> None:
    async with Framework.create("EST", "LVA", "FIN") as framework:
        print("sent as", await warn(framework.node("EST")))
        await framework.settle()
        for member in ("FIN", "LVA"):
            body = await read(framework.node(member))
            for number, text in enumerate(body.text, 1):
                print(member, number, text.value if isinstance(text, Portion) else f"withheld by {text.originators}")


if __name__ == "__main__":
    asyncio.run(main())
