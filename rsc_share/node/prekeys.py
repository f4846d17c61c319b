"""When a node publishes another prekey, and when the old ones are gone for good."""

from __future__ import annotations

from collections.abc import Iterable

from rsc_share.crypto.sealing import PREKEY_SECRET_SIZE
from rsc_share.node.identity import Identity, World
from rsc_share.node.keys import Keys
from rsc_share.node.line import Line
from rsc_share.node.store.protocol import Store
from rsc_share.node.trust import Trust
from rsc_share.session.port import RelayPort


class Prekeys:
    """Rotates by the charter's parameters."""

    def __init__(self, identity: Identity, world: World, trust: Trust, keys: Keys, store: Store) -> None:
        self._identity, self._world, self._trust, self._keys, self._store = identity, world, trust, keys, store

    async def rotate(self, port: RelayPort, lines: Iterable[Line]) -> bool:
        """Publish one where that is due, over the directory's `port`. True if it was."""
        found = self._due()
        if found is None:
            return False
        await self._store.commit()
        await port.submit_object(found, {})
        self._keys.published()
        now, parameters = self._world.now(), self._trust.view.parameters
        # A log's time is its relay's word: dated ahead, it would close what senders seal to in good faith.
        settled = min(_read_up_to(lines), now) - 2 * parameters.lag
        self._keys.forget(superseded_before=settled, made_before=now - parameters.prekey_max)
        return True

    def _due(self) -> bytes | None:
        """One that was made and is not published yet; a new one where the newest has lived its time."""
        now, newest = self._world.now(), self._keys.newest_prekey()
        if self._keys.unpublished is None:
            if newest is not None and now - newest < self._trust.view.parameters.prekey_life:
                return None
            self._keys.new_prekey(self._identity.signer, now, self._world.random(PREKEY_SECRET_SIZE))
        return self._keys.unpublished


def _read_up_to(lines: Iterable[Line]) -> int:
    """The log time (ms) up to which every log of this node has been read: nothing older can still name a prekey. One
    that is closed and read to its end names none any more, and its last time would hold all prekeys for ever."""
    lasts = [line.follower.last for line in lines if not line.over]
    return min((last.logged_at if last is not None else 0 for last in lasts), default=0)
