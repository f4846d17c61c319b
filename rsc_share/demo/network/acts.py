"""What happens over the network: start, share, be killed in the middle, count."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

from rsc_share.demo import texts
from rsc_share.demo.claim import Claim
from rsc_share.demo.inputs import Input, Inputs, Item
from rsc_share.demo.network.desks import Order
from rsc_share.demo.network.parts import Crossed, Started, Survived
from rsc_share.demo.network.troupe import Troupe
from rsc_share.demo.stage import CYBER, DISASTER, STATES, TERROR, others
from rsc_share.messages import Indicator, Portion

SERIES = 60
"""Messages of each node while processes are killed."""
WHILE_AWAY = 12
"""Messages that are acknowledged while no relay runs, before it is started again."""
_RELAY_GONE, _NODE_NEXT = SERIES // 2, SERIES * 5 // 6
"""Numbers in a series from which on one waits: for the relay to be dead, and for the node's turn. Nodes are so fast
that nothing would be left to be said otherwise."""
VICTIM = "EST"
LESS = "LTU"
GREEN = "TLP:GREEN REL TO @members"


async def start(troupe: Troupe) -> Started:
    await troupe.start_relay()
    await asyncio.to_thread(troupe.ground.nodes_dial, troupe.port)
    await asyncio.gather(*(troupe.start_node(member) for member in STATES))
    troupe.seated()
    await troupe.change.until(lambda: troupe.relay_state == "ready" and _all_connected(troupe))
    nodes, relay = troupe.nodes(), troupe.post()
    pids = {relay.pid, os.getpid(), *(node.pid for node in nodes)}
    return Started(
        digest=troupe.ground.founded.framework_id.hex(),
        address=f"wss://127.0.0.1:{troupe.port}",
        pin=troupe.ground.pin,
        relay=relay,
        nodes=nodes,
        claims=(
            Claim("the relay and the nodes are five processes besides this one", len(pids) == 6),
            Claim("every log is witnessed by a quorum and takes entries", troupe.relay_state == "ready"),
        ),
    )


def _all_connected(troupe: Troupe) -> bool:
    return all(seat.state == "connected" for seat in troupe.seats.values())


async def cross(troupe: Troupe, inputs: Inputs) -> Crossed:
    """Each by the state that publishes it in memory too; then wait until every reader's process has handed it out."""
    assessment = Order("assessment", TERROR, texts.ASSESSMENT, texts.EVERYBODY, "IMMEDIATE")
    work = {
        "FIN": list(_orders("stix", CYBER, inputs.stix, "FIN")),
        "LVA": list(_orders("cap", DISASTER, inputs.cap, "LVA")),
        "EST": [assessment],
    }
    await asyncio.gather(*(troupe.seats[member].send(orders) for member, orders in work.items()))
    await all_read(troupe)
    seen = json.loads(_body(troupe, LESS, "EST", assessment))
    given = ((inputs.stix.kind, len(work["FIN"])), (inputs.cap.kind, len(work["LVA"])), ("assessment in portions", 1))
    whole = [
        _body(troupe, reader, sender, order) == order.body.model_dump_json()
        for sender, orders in work.items()
        for order in orders
        for reader in others(sender)
        if order is not assessment
    ]
    words = [portion.value for portion in texts.ASSESSMENT.text if isinstance(portion, Portion)]
    full = [all(word in _body(troupe, code, "EST", assessment) for word in words) for code in ("LVA", "FIN")]
    return Crossed(
        given=given,
        less=LESS,
        seen=json.dumps(seen["text"][1], sort_keys=True),
        claims=(
            Claim("what the readers' processes hand out equals, field for field, what was imported", all(whole)),
            Claim("LVA and FIN read both portions of the assessment", all(full)),
            Claim(
                f"{LESS} reads the first portion and no word of the second",
                words[0] in json.dumps(seen) and words[1] not in json.dumps(seen),
            ),
        ),
    )


def _orders(name: str, channel: str, given: Input, member: str) -> Iterator[Order]:
    for number, item in enumerate(given.items):
        yield Order(f"{name}-{number:03d}", channel, item.body, _label(item, member))


def _label(item: Item, member: str) -> str:
    readers = ", ".join(others(member)) if item.marking == "TLP:RED" else "@members"
    return f"{item.marking} REL TO {readers}"


def _body(troupe: Troupe, reader: str, sender: str, order: Order) -> str:
    _, message = troupe.seats[sender].acknowledged[order.key]
    found: dict[str, Any] = troupe.seats[reader].read[order.channel].get(message, {})
    return str(found.get("body", "{}"))


async def all_read(troupe: Troupe) -> None:
    """Every acknowledged message was handed out at every other state."""
    await troupe.change.until(lambda: not missing(troupe))


def missing(troupe: Troupe) -> int:
    return sum(
        message not in troupe.seats[reader].read[channel]
        for sender, seat in troupe.seats.items()
        for channel, message in seat.acknowledged.values()
        for reader in others(sender)
    )


async def survive(troupe: Troupe) -> Survived:
    """Everybody sends; the relay is killed, later a node."""
    before = sum(len(seat.acknowledged) for seat in troupe.seats.values())
    received = sum(seat.received for seat in troupe.seats.values())
    gates = {number: asyncio.Event() for number in (_RELAY_GONE, _NODE_NEXT)}
    series = [asyncio.ensure_future(troupe.seats[member].send(_series(member), gates)) for member in STATES]
    try:
        everything = SERIES * len(STATES) * (len(STATES) - 1)
        await troupe.change.until(lambda: _received(troupe) - received >= everything // 4)
        away = await _relay_dies(troupe, gates[_RELAY_GONE])
        await troupe.change.until(lambda: _received(troupe) - received >= everything // 2)
        await _node_dies(troupe, gates[_NODE_NEXT])
        await asyncio.gather(*series)
        await all_read(troupe)
    finally:
        for task in series:
            task.cancel()
    troupe.told("everything that was acknowledged has been read by everybody")
    await troupe.change.until(lambda: troupe.at_rest and _all_connected(troupe))
    seats = troupe.seats.values()
    sent = sum(len(seat.acknowledged) for seat in seats) - before
    return Survived(
        events=tuple(troupe.events),
        sent=sent,
        away=away,
        again=sum(seat.again for seat in seats),
        seats=troupe.nodes(),
        relay=troupe.post(),
        claims=(
            Claim(
                f"nodes went on acknowledging while no relay ran ({away} messages)",
                away >= WHILE_AWAY,
            ),
            Claim(
                "a message whose acknowledgement was cut off and asked for again is the same message",
                all(not seat.contradictions for seat in seats) and sent == SERIES * len(STATES),
            ),
            Claim(f"all {sent} acknowledged messages reached all three other states", sent > 0 and not missing(troupe)),
        ),
    )


def _received(troupe: Troupe) -> int:
    return sum(seat.received for seat in troupe.seats.values())


def _acknowledged(troupe: Troupe) -> int:
    return sum(len(seat.acknowledged) for seat in troupe.seats.values())


def _series(member: str) -> list[Order]:
    made = []
    for number in range(SERIES):
        body = Indicator(stix_id=f"{member}-{number:03d}", pattern=f"[domain-name:value = '{member}-{number}.example']")
        made.append(Order(f"series-{number:03d}", CYBER, body, GREEN))
    return made


async def _relay_dies(troupe: Troupe, go_on: asyncio.Event) -> int:
    """SIGKILL; it comes back when the nodes have acknowledged some more. How many they did."""
    await troupe.kill_relay()
    before = _acknowledged(troupe)
    troupe.told(f"the relay was killed (SIGKILL) after {before} acknowledged messages")
    go_on.set()
    await troupe.change.until(lambda: _acknowledged(troupe) - before >= WHILE_AWAY)
    away = _acknowledged(troupe) - before
    troupe.told(f"{away} more were acknowledged while it was gone: they are on the nodes' disks")
    await troupe.start_relay()
    troupe.told("the relay serves again, from its store")
    return away


async def _node_dies(troupe: Troupe, go_on: asyncio.Event) -> None:
    seat = troupe.seats[VICTIM]
    before = len(seat.acknowledged)
    go_on.set()
    await troupe.change.until(lambda: len(seat.acknowledged) > before)
    await troupe.kill_node(VICTIM)
    troupe.told(f"{VICTIM}'s node was killed (SIGKILL) with {seat.received} messages received")
    await troupe.start_node(VICTIM)
    troupe.told(f"{VICTIM}'s node runs again, from its encrypted state")
