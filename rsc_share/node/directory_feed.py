"""Following the directory: its entries, the bodies its charters name, and what concerns this node's own member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

from rsc_share import names
from rsc_share.charter.certificate import read_certificate
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.revocation import read_revocation
from rsc_share.errors import Misbehaviour, RemoteError
from rsc_share.node.alarms import Alarms
from rsc_share.node.identity import Identity, World
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.trust import Trust, needed, object_of
from rsc_share.session.frames import Full, Tail
from rsc_share.session.port import Feed

READ_LIMIT = 256


class DirectoryFeed:
    """Keeps `trust` up to date from a port. `stop` is called with the proof when the directory log has cheated."""

    def __init__(
        self,
        log: str,
        identity: Identity,
        world: World,
        trust: Trust,
        alarms: Alarms,
        stop: Callable[[Misbehaviour, Mapping[str, bytes]], None],
        shelf: Shelf,
    ) -> None:
        self._log, self._identity, self._world = log, identity, world
        self._trust, self._alarms, self._stop, self._shelf = trust, alarms, stop, shelf
        self.confirmed: bytes = shelf.get(Room.META, "confirmed") or b""
        """The newest note that k members cosigned."""
        self.forbidden: dict[str, int] = dict(shelf.rows(Room.PENDING))
        """Nodes whose revocation reached us before the log shows it, and when (ms): obeyed at once (I16)."""
        signers = (identity.signer, identity.witness, identity.witness_pq, *identity.officers.values())
        self._own_keys = frozenset(signer.public.key_id for signer in signers)

    async def follow(self, port: Feed) -> bool:
        """Take what is new. True if something was. Raises `Misbehaviour`, `RemoteError`, `Refused` (body-missing)."""
        moved = False
        while (tail := await port.read(self._log, self._trust.size, READ_LIMIT)) is not None:
            before = self._trust.witnessed, self._trust.confirmed_at
            try:
                await self._take(port, tail)
            except Misbehaviour as error:
                self._stop(error, {"note": tail.note})
                raise
            if not tail.items:
                moved = moved or (self._trust.witnessed, self._trust.confirmed_at) != before
                break
            moved = True
        return await self._confirm(port) or moved

    async def _confirm(self, port: Feed) -> bool:
        note = await port.witnessed(self._log) if self._trust.size else None
        if note is None or note == self.confirmed:
            return False
        try:
            moved = self._trust.confirm(note, self._world.now())
        except Misbehaviour as error:
            self._stop(error, {"note": note})
            raise
        self.confirmed = note
        self._shelf.put(Room.META, "confirmed", note)
        return moved

    async def _take(self, port: Feed, tail: Tail) -> None:
        """Entry by entry: a relay may name megabytes of bodies in each, and it need not be one that proves anything.
        What an entry says of this node's own member is told even where the next one cannot be read."""
        now, trust = self._world.now(), self._trust
        first = next((item.entry for item in tail.items if isinstance(item, Full)), None)
        bodies = {} if first is None else await self._bodies_of(port, object_of(first))
        for number, raw in enumerate(trust.verify(tail, bodies, now)):
            found = object_of(raw)
            bodies = await self._bodies_of(port, found) if number else bodies
            trust.add(raw, bodies)
            self._watch_own(found, now)
            self._tell_voids(now)
            if bodies:
                await self._shelf.store.commit()  # or they are all in memory until the turn ends
        trust.end(tail, now)

    async def _bodies_of(self, port: Feed, found: bytes) -> dict[bytes, bytes]:
        bodies: dict[bytes, bytes] = {}
        for _ in range(2):  # the text, once it is here, names the policy bundle
            missing = [digest for digest in needed(found, bodies) if digest not in bodies]
            if missing:
                fetched = await port.bodies(self._log, missing)
                came = {sha256(body).digest(): body for body in fetched.values()}
                bodies.update({digest: came[digest] for digest in missing if digest in came})
        return bodies

    def _tell_voids(self, now: int) -> None:
        for index, code, why in self._trust.voids:
            what = f"entry {index} of {self._log} is void: {why}"
            self._alarms.raise_("void-entry", f"{self._log}/{index}", what, now, refused=code)
        self._trust.voids.clear()

    def _watch_own(self, raw: bytes, now: int) -> None:
        """Somebody certified a node of our member: perhaps our authority, perhaps a thief of its key (A16)."""
        name, keys = certified(raw)
        if names.member_of(name) == self._identity.member and not keys <= self._own_keys:
            what = f"the directory has a new certificate for {name}: ask your authority"
            key = f"{name}/{sha256(raw).hexdigest()[:16]}"
            self._alarms.raise_("unexpected-certificate", key, what, now, node=name)

    def obey(self, found: bytes) -> None:
        """A restrictive act that came by another way than the log. Raises `RemoteError` if it does not verify."""
        now = self._world.now()
        self._trust.directory.restrictive(found, now)
        parsed = UnverifiedObject.parse(found)
        if parsed.kind == "revocation":
            name = read_revocation(parsed.content).name
            self._shelf.put(Room.PENDING, name, self.forbidden.setdefault(name, now))
            what = f"{name} is revoked; the log does not show it yet"
            self._alarms.raise_("pending-revocation", name, what, now)

    def watch_pending(self) -> None:
        """What we obey and the directory does not show within LAG is the relay's doing, or its absence."""
        now, view = self._world.now(), self._trust.view
        for name, since in list(self.forbidden.items()):
            if not view.is_active(name, now):
                del self.forbidden[name]
                self._shelf.delete(Room.PENDING, name)
            elif now - since > view.parameters.lag:
                self._alarms.raise_("unlogged", name, f"the directory does not show the revocation of {name}", now)


def certified(raw: bytes) -> tuple[str, frozenset[bytes]]:
    """Whom a certificate object is for, and the ids of its keys; nobody for another object or a broken one."""
    try:
        found = UnverifiedObject.parse(raw)
        read = read_certificate(found.content) if found.kind == "certificate" else None
    except RemoteError:
        return "", frozenset()
    return (read.name, frozenset(key.key_id for key in read.keys)) if read is not None else ("", frozenset())
