"""When this node says what it holds, and the entry that says it."""

from __future__ import annotations

from rsc_share import names
from rsc_share.charter.parameters import Parameters
from rsc_share.crypto.bodies import received_commitment
from rsc_share.envelope.contents import HeartbeatContent
from rsc_share.node.identity import Random
from rsc_share.node.outbox import Item
from rsc_share.node.store.late import Late
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.session.frames import Statement

DAY = 86_400_000
GOOD = ("stored", "opened")


class Heartbeat:
    """Per sending node the newest entry held, and what changed since the last heartbeat.

    Heartbeats and their arrival never count as change: two nodes would answer each other for ever (I12).
    """

    def __init__(self, log: str, node: str, random: Random, shelf: Shelf) -> None:
        self._log, self._node, self._random, self._shelf = log, node, random, shelf
        self._changed: dict[str, tuple[bytes, str]] = {}
        self._flash = False
        self._last: int | None = None
        self._row = Late(shelf, self._save)
        found = shelf.get(Room.HEARTBEAT, 0)
        if found is not None:
            changed, self._flash, self._last = found
            self._changed = {sender: (digest, state) for sender, digest, state in changed}

    def _save(self) -> None:
        changed = [[sender, digest, state] for sender, (digest, state) in sorted(self._changed.items())]
        self._shelf.put(Room.HEARTBEAT, 0, [changed, self._flash, self._last])

    def held(self, sender: str, header_hash: bytes, state: str, *, flash: bool = False) -> None:
        """An entry of `sender` is here in `state`. A bad state stays until it has been said."""
        current = self._changed.get(sender)
        if current is not None and current[1] not in GOOD and state in GOOD:
            return
        self._changed[sender] = (header_hash, state)
        self._flash = self._flash or flash
        self._row.touch()

    def due(self, now: int, parameters: Parameters) -> bool:
        if self._last is None or self._flash:
            return True
        waited = now - self._last
        return waited >= DAY or (bool(self._changed) and waited >= parameters.heartbeat)

    def compose(self, now: int) -> Item:
        """The heartbeat entry; what it says counts as said."""
        rows, statements = [], []
        for sender in sorted(self._changed):
            digest, state = self._changed[sender]
            salt = self._random(16)
            commitment = received_commitment(
                log=self._log, receiver=self._node, sender=sender, header_hash=digest, state=state, salt=salt
            )
            rows.append((sender, commitment))
            statements.append(Statement(salt, digest, state))
        self._changed, self._flash, self._last = {}, False, now
        self._row.touch()
        return Item(
            "heartbeat",
            names.uuid7(now, self._random(10)),
            precedence="ROUTINE",
            content=HeartbeatContent(tuple(rows)),
            statements=tuple(statements),
        )
