"""The outbox of one log on disk: items, their payloads, and the signed bytes without an answer."""

from __future__ import annotations

from rsc_share.node.attachments import Prepared
from rsc_share.node.outbox import Item, Sent
from rsc_share.node.records.outgoing import item_wire, read_item, read_sent, sent_wire, ticket_id
from rsc_share.node.store.late import Late
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.tickets import Tickets

FLIGHT_BYTES = 4 << 20
"""What is in flight lies in rows of about so many bytes."""


class OutboxBook:
    """A `Book` in a store.

    ITEM and PAYLOAD are written once. ITEM begins with its place in the queue and goes when the item is logged, PAYLOAD
    goes when nothing needs it any more. An item in a SENT row is in flight, all others wait.
    """

    def __init__(self, shelf: Shelf, tickets: Tickets) -> None:
        self._shelf, self._tickets = shelf, tickets
        self.queued: list[Item] = []
        self.in_flight: list[Sent] = []
        self._first, self._next = 0, 0
        self._written: set[bytes] = set()
        self._flying: list[Sent] = []
        self._late = Late(shelf, self._write_flight)
        self._flight_rows = 0
        self._load()

    def _load(self) -> None:
        items: dict[bytes, tuple[int, Item]] = {}
        for key, (order, *value) in self._shelf.rows(Room.ITEM):
            items[key] = order, read_item(key, value, self._tickets.get(ticket_id(value)))
            self._load_payload(items[key][1])
        self._written = set(items)
        flights = self._shelf.rows(Room.SENT)
        self._flight_rows = len(flights)
        self.in_flight = [read_sent(value, items[value[0]][1]) for _, run in flights for value in run]
        self.in_flight.sort(key=lambda sent: sent.seq)
        leaving = {id(sent.item) for sent in self.in_flight}
        waiting = sorted((row for row in items.values() if id(row[1]) not in leaving), key=lambda row: row[0])
        self.queued = [item for _, item in waiting]
        self._first, self._next = min([0, *(o for o, _ in waiting)]), max([0, *(o + 1 for o, _ in items.values())])

    def _load_payload(self, item: Item) -> None:
        found = self._shelf.get(Room.PAYLOAD, item.id)
        if found is not None:
            item.payload, item.salt, attachments = found
            item.attachments = tuple(map(Prepared.from_wire, attachments))
            item.uploaded = not item.blobs

    def added(self, item: Item) -> None:
        self._write(item, self._next)
        self._next += 1

    def first(self, item: Item) -> None:
        self._first -= 1
        self._shelf.put(Room.ITEM, item.id, [self._first, *item_wire(item)])

    def _write(self, item: Item, order: int) -> None:
        if item.ticket is not None:
            self._tickets.keep(item.ticket)
        self._shelf.put(Room.ITEM, item.id, [order, *item_wire(item)])
        if item.payload:
            attachments = [found.wire() for found in item.attachments]
            self._shelf.put(Room.PAYLOAD, item.id, [item.payload, item.salt, attachments])
        self._written.add(item.id)

    def signed(self, sent: Sent) -> None:
        if sent.item.id not in self._written:  # a grant was never queued
            self._write(sent.item, self._next)

    def flying(self, in_flight: list[Sent]) -> None:
        self._flying = in_flight
        self._late.touch()

    def _write_flight(self) -> None:
        runs: list[list[object]] = []
        room = 0
        for sent in self._flying:
            size = sum(map(len, sent.submission.bodies)) + len(sent.submission.header)
            if not runs or room < size:
                runs.append([])
                room = FLIGHT_BYTES
            runs[-1].append(sent_wire(sent))
            room -= size
        for n, run in enumerate(runs):
            self._shelf.put(Room.SENT, n, run)
        for n in range(len(runs), self._flight_rows):
            self._shelf.delete(Room.SENT, n)
        self._flight_rows = len(runs)

    def logged(self, item: Item) -> None:
        self._shelf.delete(Room.ITEM, item.id)
        self._written.discard(item.id)

    def emptied(self, item_id: bytes) -> None:
        self._shelf.delete(Room.PAYLOAD, item_id)

    def dropped(self, item: Item) -> None:
        self.logged(item)
        self.emptied(item.id)
