"""Keys that open what others sent: this node's prekeys, and the grant keys sealed to them."""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from typing import Any

from rsc_share.charter.prekey import Prekey as PrekeyObject
from rsc_share.charter.prekey import publish_prekey
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import open_part
from rsc_share.crypto.sealing import Prekey, grant_info, granted_in, open_key
from rsc_share.crypto.signing import Signer
from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.header import Header
from rsc_share.errors import RemoteError
from rsc_share.node.attachments import Told, unwrap
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.value import Value

_Grant = tuple[str, bytes]
"""Its sender, and its id."""


class Opened(Value, frozen=True):
    """One entry's payload, as far as it opened. `state` is what the heartbeat says: stored, bad-grant, bad-part, ..."""

    state: str
    portion: int = 0
    payload: bytes = b""
    salt: bytes = b""
    told: tuple[Told, ...] = ()

    def __repr__(self) -> str:
        return f"Opened({self.state}, portion={self.portion}, {len(self.payload)} bytes)"


class Keys:
    """Prekey private halves by id, grant keys by (sender, grant id). Neither is in any backup.

    Prekeys are in the store until the deletion rule lets them go. Of a grant the store keeps what the log shows anyway,
    the key sealed to a prekey of ours: with the prekey's deletion it closes for good, here as everywhere.
    """

    def __init__(self, node: str, framework_id: bytes, shelf: Shelf) -> None:
        self._node, self._framework_id, self._shelf = node, framework_id, shelf
        self._prekeys: dict[bytes, tuple[Prekey, int]] = {}
        self._unpublished: dict[bytes, bytes] = {}
        self._grants: dict[_Grant, bytes] = {}
        self._aging: dict[str, deque[tuple[int, _Grant]]] = {}
        """By log, when (ms) each of its grants was logged, oldest first. No log's time says anything of another's: this
        node may be hours behind in one of them, and its relay may say what time it likes."""
        self._load()

    def _load(self) -> None:
        for key_id, (secret, made, found) in self._shelf.rows(Room.PREKEY):
            self._prekeys[key_id] = (Prekey.from_bytes(secret), made)
            if found is not None:
                self._unpublished[key_id] = found
        for (sender, grant_id), (key_id, sealed, info, logged_at) in sorted(self._shelf.rows(Room.GRANT), key=_logged):
            if key_id in self._prekeys:
                gk = open_key(self._prekeys[key_id][0], sealed, info)
                self._hold(granted_in(info), (sender, grant_id), gk, logged_at)

    def _hold(self, log: str, grant: _Grant, gk: bytes, logged_at: int) -> None:
        self._grants[grant] = gk
        self._aging.setdefault(log, deque()).append((logged_at, grant))

    def new_prekey(self, signer: Signer, now: int, secret: bytes) -> None:
        """Make a prekey from 96 fresh random bytes. `unpublished` has the object until the directory has it."""
        prekey = Prekey.from_bytes(secret)
        found = publish_prekey(PrekeyObject(self._node, prekey.public, now), self._framework_id, signer)
        self._prekeys[prekey.id], self._unpublished[prekey.id] = (prekey, now), found
        self._shelf.put(Room.PREKEY, prekey.id, [secret, now, found])

    def ids(self) -> tuple[bytes, ...]:
        """Of all prekeys whose private half is here."""
        return tuple(self._prekeys)

    @property
    def unpublished(self) -> bytes | None:
        """The object of the newest prekey, if the directory does not show it yet."""
        return next(reversed(self._unpublished.values()), None)

    def published(self) -> None:
        """The directory has it: kept until then, for a prekey nobody can find is one nobody can seal to."""
        for key_id in self._unpublished:
            prekey, made = self._prekeys[key_id]
            self._shelf.put(Room.PREKEY, key_id, [prekey.to_bytes(), made, None])
        self._unpublished.clear()

    def newest_prekey(self) -> int | None:
        """When (ms) the newest one was made."""
        return max((made for _, made in self._prekeys.values()), default=None)

    def forget(self, *, superseded_before: int, made_before: int) -> int:
        """Delete private halves: forward secrecy begins here (A6). The number deleted.

        `superseded_before`: every log this node reads has been verified up to an entry LAG after a newer prekey made
        before this time was logged. `made_before`: PREKEY_MAX is over, whatever the logs say.
        """
        newest = max((made for _, made in self._prekeys.values() if made <= superseded_before), default=0)
        dead = [key for key, (_, made) in self._prekeys.items() if made < newest or made < made_before]
        for key in dead:
            del self._prekeys[key]
            self._unpublished.pop(key, None)
            self._shelf.delete(Room.PREKEY, key)
        if dead:
            self._drop_grants(set(dead))
        return len(dead)

    def _drop_grants(self, prekeys: set[bytes]) -> None:
        """What is sealed to a deleted prekey opens no more; in memory a key in use lives on for its hour."""
        for key, (key_id, *_) in self._shelf.rows(Room.GRANT):
            if key_id in prekeys:
                self._shelf.delete(Room.GRANT, key)

    def __len__(self) -> int:
        return len(self._prekeys)

    def learn_grant(self, view: DirectoryView, header: Header, realm: str, sealed: bytes | None, logged_at: int) -> str:
        """Take the grant key of an admitted grant entry; the state to report: stored, bad-grant or body-missing.

        Old keys of this log go by its time: a node that was away for hours still reads what was granted then.
        """
        content = header.content
        if not isinstance(content, GrantContent):
            return "bad-grant"
        mine = next((row for row in content.nodes if row[0] == self._node), None)
        held = self._prekeys.get(mine[1]) if mine is not None else None
        if mine is None or held is None:
            return "bad-grant"
        if sealed is None or digest(sealed) != mine[2]:
            return "body-missing"
        info = grant_info(
            framework_id=self._framework_id,
            log=header.log,
            realm=realm,
            sender=header.sender,
            grant_id=header.id,
            node=self._node,
            prekey_id=mine[1],
            check=content.check,
        )
        try:
            gk = open_key(held[0], sealed, info)
        except RemoteError:
            return "bad-grant"
        self._hold(header.log, (header.sender, header.id), gk, logged_at)
        self._shelf.put(Room.GRANT, [header.sender, header.id], [mine[1], sealed, info, logged_at])
        self._outlived(header.log, logged_at - view.parameters.grant_life - view.parameters.lag)
        return "stored"

    def _outlived(self, log: str, dead: int) -> None:
        """Forget the grants of a log up to a time of it."""
        aging = self._aging[log]
        while aging and aging[0][0] <= dead:
            _, grant = aging.popleft()
            self._grants.pop(grant, None)
            self._shelf.delete(Room.GRANT, list(grant))

    def open(self, header: Header, realm: str, body: bytes | None) -> Opened:
        """The payload of a message entry. `body`: what hashes to the digest of part 0, None where that did not come.

        The commitment is recomputed: AES-GCM alone does not commit.
        """
        if header.grant is None or (header.sender, header.grant) not in self._grants:
            return Opened("bad-grant")
        part = header.parts[0]
        if body is None:
            return Opened("body-missing")
        gk = self._grants[header.sender, header.grant]
        try:
            salt, content = open_part(
                gk,
                body,
                part.commit,
                framework_id=self._framework_id,
                log=header.log,
                realm=realm,
                sender=header.sender,
                id=header.id,
                part=0,
            )
            portion, payload, told = unwrap(content)
        except RemoteError:
            return Opened("bad-part")
        if len(told) != len(header.parts) - 1:
            return Opened("bad-part")  # a part that nothing is said of, or a name without a part
        return Opened("stored", portion, payload, salt, told)


def _logged(row: tuple[Any, Any]) -> int:
    """When (ms) the grant in a row of the store was logged."""
    logged_at: int = row[1][3]
    return logged_at


def digest(body: bytes) -> bytes:
    return sha256(body).digest()
