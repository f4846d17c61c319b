"""A message type of your own. It travels, is labelled, checked and audited like the shipped ones.

python examples/own_type.py
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Literal

from rsc_share import Body, Portion, Withheld
from rsc_share.testing import Framework


class DroneSighting(Body):
    """`ee.example.drone` is the family: a charter says which channels carry it."""

    TYPE: ClassVar[str] = "ee.example.drone/sighting/1"

    heading: int
    kind: Literal["fixed-wing", "rotary"]
    sensor: Portion[str] | Withheld


async def main() -> None:
    async with Framework.create("EST", "LVA", "FIN", channel="air", types=[DroneSighting]) as framework:
        sighting = DroneSighting(
            heading=270, kind="rotary", sensor=Portion("passive array 3", "REGIONAL SECRET REL TO FIN")
        )
        channel = framework.node("EST").channel("air")
        await (await channel.publish(sighting, label="REGIONAL RESTRICTED REL TO @members")).receipt()
        await framework.settle()
        for member in ("FIN", "LVA"):
            async with framework.node(member).channel("air").subscribe(DroneSighting) as inbox:
                message = await anext(inbox)
                match message.body:
                    case DroneSighting(heading=heading, sensor=Portion(value)):
                        print(member, heading, value)
                    case DroneSighting(heading=heading, sensor=Withheld()):
                        print(member, heading, "sensor withheld")
                await message.done()


if __name__ == "__main__":
    asyncio.run(main())
