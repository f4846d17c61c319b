"""The outbox of one log on disk: items, their payloads, where each stands, and the signed bytes without an answer."""

from __future__ import annotations

from rsc_share.node.attachments import Prepared
from rsc_share.node.outbox import Item, Sent
from rsc_share.node.records.outgoing import item_wire, read_item, read_sent, sent_wire, ticket_id
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.tickets import Tickets

QUEUED, KEPT = "queued", "kept"


class OutboxBook:
    """A `Book` in a store.

    ITEM and PAYLOAD are written once and dropped when nothing needs them; MARK says where an item stands. An item with
    a SENT row is in flight, whatever its mark says.
    """

    def __init__(self, shelf: Shelf, tickets: Tickets) -> None:
        self._shelf, self._tickets = shelf, tickets
        self.queued: list[Item] = []
        self.in_flight: list[Sent] = []
        self.kept: dict[bytes, Item] = {}
        self._first, self._next = 0, 0
        self._written: set[bytes] = set()
        self._load()

    def _load(self) -> None:
        items = {key: read_item(key, value, self._tickets.get(ticket_id(value))) for key, value in self._items()}
        for item_id, (payload, salt, attachments) in self._shelf.rows(Room.PAYLOAD):
            item = items[item_id]
            item.payload, item.salt = payload, salt
            item.attachments = tuple(map(Prepared.from_wire, attachments))
            item.uploaded = not item.blobs
        self._written = set(items)
        sent = sorted(self._shelf.rows(Room.SENT), key=lambda row: int(row[1][2]))
        self.in_flight = [read_sent(digest, value, items[value[0]]) for digest, value in sent]
        flying = {row.item.id for row in self.in_flight}
        waiting = []
        for item_id, (order, state, digest, nodes) in self._shelf.rows(Room.MARK):
            item = items[item_id]
            if state == KEPT:
                self.kept[digest], item.nodes = item, tuple(nodes)
            else:
                self._first, self._next = min(self._first, order), max(self._next, order + 1)
                waiting.append((order, item))
        waiting.sort(key=lambda row: row[0])
        self.queued = [item for _, item in waiting if item.id not in flying]

    def _items(self) -> list[tuple[bytes, list[object]]]:
        return self._shelf.rows(Room.ITEM)

    def added(self, item: Item) -> None:
        self._write(item)
        self._shelf.put(Room.MARK, item.id, [self._next, QUEUED, b"", []])
        self._next += 1

    def first(self, item: Item) -> None:
        self._first -= 1
        self._shelf.put(Room.MARK, item.id, [self._first, QUEUED, b"", []])

    def _write(self, item: Item) -> None:
        if item.ticket is not None:
            self._tickets.keep(item.ticket)
        self._shelf.put(Room.ITEM, item.id, item_wire(item))
        if item.payload:
            attachments = [found.wire() for found in item.attachments]
            self._shelf.put(Room.PAYLOAD, item.id, [item.payload, item.salt, attachments])
        self._written.add(item.id)

    def signed(self, sent: Sent) -> None:
        if sent.item.id not in self._written:  # a grant was never queued
            self._write(sent.item)
        self._shelf.put(Room.SENT, sent.header_hash, sent_wire(sent))

    def answered(self, sent: Sent) -> None:
        self._shelf.delete(Room.SENT, sent.header_hash)

    def kept_as(self, sent: Sent) -> None:
        self._shelf.put(Room.MARK, sent.item.id, [sent.seq, KEPT, sent.header_hash, list(sent.item.nodes)])

    def emptied(self, item: Item) -> None:
        self._shelf.delete(Room.PAYLOAD, item.id)

    def dropped(self, item: Item) -> None:
        for room in (Room.ITEM, Room.PAYLOAD, Room.MARK):
            self._shelf.delete(room, item.id)
        self._written.discard(item.id)
