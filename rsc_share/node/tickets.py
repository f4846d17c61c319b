"""The tickets of one log by id, and the keys under which their messages were published."""

from __future__ import annotations

from typing import Any

from rsc_share.node.records.tickets import place_wire, read_place, read_ticket, ticket_wire
from rsc_share.node.store.late import Runs
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Place, Ticket

Placed = tuple[bytes, int, Place]
"""Message id, portion, and where it stands."""


class Tickets:
    """Writes down every change of a ticket that it keeps."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[bytes, Ticket] = {}
        self._keys: dict[str, tuple[bytes, bytes]] = {}
        for message_id, value in shelf.rows(Room.TICKET):
            self._watch(read_ticket(message_id, value))
        self._places = Runs[Placed](shelf, Room.PLACE, lambda row: row[2].index, _placed_wire)
        for message_id, portion, value in self._places.values():
            self._held[message_id].places[portion] = read_place(value)
        for key, (digest, message_id, _) in shelf.rows(Room.KEY):
            self._keys[key] = (digest, message_id)

    def keep(self, ticket: Ticket) -> None:
        """Write it down, now and whenever it changes."""
        if ticket.id not in self._held:
            self._watch(ticket)
            self._save(ticket)

    def _watch(self, ticket: Ticket) -> None:
        self._held[ticket.id] = ticket
        ticket.changed, ticket.placed = self._save, self._save_place

    def _save(self, ticket: Ticket) -> None:
        self._shelf.put(Room.TICKET, ticket.id, ticket_wire(ticket))

    def _save_place(self, ticket: Ticket, portion: int, place: Place) -> None:
        self._places.add((ticket.id, portion, place))

    def get(self, message_id: bytes | None) -> Ticket | None:
        return None if message_id is None else self._held.get(message_id)

    def all(self) -> tuple[Ticket, ...]:
        return tuple(self._held.values())

    # --- keys: a rerun is the same message

    def under(self, key: str) -> tuple[bytes, Ticket] | None:
        """The digest of what was published under a key, and its ticket."""
        found = self._keys.get(key)
        return None if found is None else (found[0], self._held[found[1]])

    def name(self, key: str, digest: bytes, ticket: Ticket, now: int) -> None:
        self._keys[key] = (digest, ticket.id)
        self._shelf.put(Room.KEY, key, [digest, ticket.id, now])

    def forget_keys(self, before: int) -> None:
        """Keys given before a time (ms): OUTBOX_AGE is over, nobody reruns that."""
        for key, (_, _, given) in self._shelf.rows(Room.KEY):
            if given < before:
                self._keys.pop(key, None)
                self._shelf.delete(Room.KEY, key)


def _placed_wire(row: Placed) -> list[Any]:
    message_id, portion, place = row
    return [message_id, portion, place_wire(place)]
