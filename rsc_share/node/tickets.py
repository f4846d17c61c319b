"""The tickets of one log by id, and the keys under which their messages were published.

A ticket is in memory while somebody holds it (an item that waits, a caller, the last ones asked for) and nowhere
twice; otherwise it is read from the store when it is referred to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakValueDictionary

from rsc_share.envelope.parts import Ref
from rsc_share.node.records.tickets import place_wire, read_place, read_ticket, ticket_wire
from rsc_share.node.store.ledger import Ledger
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered, Place, Ticket
from rsc_share.recent import Recent

Placed = tuple[bytes, int, Place]
"""Message id, portion, and where it stands."""
REMEMBERED: Final = 256
"""Tickets in memory that nobody else holds. Of all others 16 bytes are: index and number of each entry."""
FORGOTTEN = "keys-forgotten"
_INDEX, _SEQ = 0, 1


def _nothing_stated(ticket: Ticket) -> Iterable[Delivered]:
    return ()


class Tickets:
    """Writes down every change of a ticket that it keeps."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._live: WeakValueDictionary[bytes, Ticket] = WeakValueDictionary()
        self._logged: WeakValueDictionary[int, Ticket] = WeakValueDictionary()
        """By the number of an entry."""
        self._recent = Recent[bytes, Ticket](REMEMBERED)
        self._places = Ledger[Placed](shelf, Room.PLACE, 2, lambda row: (row[2].index, row[2].seq), _placed_wire)
        self._named = Ledger[tuple[str, int]](shelf, Room.NAMED, 1, lambda row: (row[1],), lambda row: row[0])
        self.stated: Callable[[Ticket], Iterable[Delivered]] = _nothing_stated
        """What recipients have said of the message of a ticket that is read, oldest first."""

    def keep(self, ticket: Ticket) -> None:
        """Write it down, now and whenever it changes."""
        if ticket.id not in self._live:
            self._watch(ticket)
            self._save(ticket)

    def _watch(self, ticket: Ticket) -> None:
        self._live[ticket.id] = ticket
        ticket.changed, ticket.placed = self._save, self._save_place
        self._recent.keep(ticket.id, ticket)

    def _save(self, ticket: Ticket) -> None:
        self._shelf.put(Room.TICKET, ticket.id, ticket_wire(ticket))

    def _save_place(self, ticket: Ticket, portion: int, place: Place) -> None:
        ticket.numbers.append(self._places.add((ticket.id, portion, place)))
        self._logged[place.seq] = ticket
        self._save(ticket)

    def get(self, message_id: bytes | None) -> Ticket | None:
        if message_id is None:
            return None
        found = self._live.get(message_id)
        return self._read(message_id) if found is None else found

    def _read(self, message_id: bytes) -> Ticket | None:
        value = self._shelf.get(Room.TICKET, message_id)
        if value is None:
            return None
        ticket = read_ticket(message_id, value)
        for number in ticket.numbers:
            _, portion, place = self._places.value(number)
            ticket.places[portion] = found = read_place(place)
            self._logged[found.seq] = ticket
        for step in self.stated(ticket):
            ticket.remember(step)
        ticket.history.sort(key=lambda step: step.since)
        self._watch(ticket)
        return ticket

    def held(self, seq: int) -> Ticket | None:
        """The ticket of our entry of a number, if it is in memory."""
        return self._logged.get(seq)

    # --- by where their entries stand

    def at(self, place: Ref) -> Ticket | None:
        """The ticket of our entry at a place."""
        for number in self._places.find(_INDEX, place.index):
            message_id, _, found = self._places.value(number)
            if read_place(found).header_hash == place.header_hash:
                return self.get(message_id)
        return None

    def numbered(self, seq: int) -> Place | None:
        """Where our entry with this sequence number stands."""
        number = next(self._places.find(_SEQ, seq), None)
        return None if number is None else read_place(self._places.value(number)[2])

    # --- keys: a rerun is the same message

    def under(self, key: str) -> tuple[bytes, Ticket] | None:
        """The digest of what was published under a key, and its ticket."""
        found = self._shelf.get(Room.KEY, key)
        ticket = None if found is None else self.get(found[1])
        return None if ticket is None else (found[0], ticket)

    def name(self, key: str, digest: bytes, ticket: Ticket, now: int) -> None:
        self._shelf.put(Room.KEY, key, [digest, ticket.id, now])
        self._named.add((key, now))

    def forget_keys(self, before: int) -> None:
        """Keys given before a time (ms): OUTBOX_AGE is over, nobody reruns that."""
        number = begun = self._shelf.get(Room.META, FORGOTTEN) or 0
        while number < len(self._named) and self._named.record(number)[0] < before:
            self._shelf.delete(Room.KEY, self._named.value(number))
            number += 1
        if number > begun:
            self._shelf.put(Room.META, FORGOTTEN, number)


def _placed_wire(row: Placed) -> list[Any]:
    message_id, portion, place = row
    return [message_id, portion, place_wire(place)]
