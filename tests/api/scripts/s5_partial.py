from rsc_share import Channel, Draft, Message, Portion, Withheld
from rsc_share.messages import ThreatAssessment

async def send(channel: Channel) -> str:
    report = ThreatAssessment(title="Border crossing", text=[
        Portion("General warning.", "EST RESTRICTED REL TO @members"),
        Portion("Source detail.", "EST SECRET REL TO FIN")])
    draft = Draft(report, label="EST RESTRICTED REL TO @members", precedence="IMMEDIATE")
    for o in channel.plan(draft).outcomes:
        print(o.portion, o.member, o.code, o.rule)
    sent = await channel.publish(draft, must_reach=["FIN", "LVA"])
    receipt = await sent.receipt()
    async with sent.deliveries() as events:
        async for d in events:
            print(d.member, d.state)
            if d.state == "acknowledged":
                break
    await channel.recall(receipt.reference, reason="source compromised")
    return receipt.reference

async def read(message: Message[ThreatAssessment]) -> None:
    for item in message.body.text:
        match item:
            case Portion(text, label):
                print(label, text)
            case Withheld(index, originators):
                print(f"portion {index} withheld by {originators}")
                await message.request_release(index, reason="ongoing case 17/2026")
    await message.acknowledge()
