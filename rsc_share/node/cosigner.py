"""When this node cosigns what: offers as they come, some of them put off, and what is on disk before a line leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rsc_share.envelope.parts import Head
from rsc_share.errors import Misbehaviour, RemoteError, RscError, StorageError, Unavailable
from rsc_share.log.note import parse_signatures
from rsc_share.node.alarms import Alarms
from rsc_share.node.follower import Follower
from rsc_share.node.identity import Identity, World
from rsc_share.node.line import Line
from rsc_share.node.store.protocol import Store
from rsc_share.node.told import Told
from rsc_share.node.trust import Trust
from rsc_share.node.witness import Reader, Witness
from rsc_share.session.frames import Offer
from rsc_share.session.port import Feed, RelayPort

Accuse = Callable[[str, Misbehaviour, Mapping[str, bytes]], None]
"""Called with the log, what it did, and the bytes that prove it."""


class Cosigner:
    """Answers for every log this node reads. `pause`: seconds until an offer that was put off is due."""

    def __init__(
        self,
        identity: Identity,
        world: World,
        directory: str,
        trust: Trust,
        lines: Mapping[str, Line],
        witness: Witness,
        alarms: Alarms,
        store: Store,
        accuse: Accuse,
    ) -> None:
        self._identity, self._world, self._directory = identity, world, directory
        self._trust, self._lines = trust, lines
        self._witness, self._alarms, self._store, self._accuse = witness, alarms, store, accuse
        self._put_off: dict[str, dict[str, Offer]] = {}
        """Offers that came too soon after the one before, by host and log."""
        self.pause: float | None = None
        self._waited = False
        """Whether a pause is over by the clock of the loop: that of the world may stand still, or be set back."""

    def waited(self) -> None:
        """The pause is over: what was put off is due."""
        self._waited = True

    async def round(self, ports: Mapping[str, RelayPort], feeds: Mapping[str, Feed], gap: int) -> bool:
        """Ask for offers and answer what is due; True if anything was. `gap`: ms between two lines for one log.

        Raises what the first relay that failed raised, once all others have been asked: what one relay of a framework
        does is no reason to cosign nothing at another. One that is only away hides nothing that another did.
        """
        self.pause = None
        moved, failed = False, None
        for host, port in ports.items():
            try:
                moved = await self._at(host, port, feeds[host], gap) or moved
            except StorageError:
                raise  # nothing leaves here any more
            except RscError as error:
                failed = error if failed is None or isinstance(failed, Unavailable) else failed
        self._waited = False
        if failed is not None:
            raise failed
        return moved

    async def _at(self, host: str, port: RelayPort, feed: Feed, gap: int) -> bool:
        """Ask one relay, and answer it."""
        moved = False
        offers = await feed.offers(self._witness.sizes(), self._shown(host))
        found = {**self._put_off.pop(host, {}), **{offer.log: offer for offer in offers}}
        for offer in found.values():
            if not self._too_soon(host, offer, gap):
                moved = await self._answer(port, offer) or moved
        return moved

    def due(self, feeds: Mapping[str, Feed], gap: int) -> bool:
        """Whether a round would do anything: ask, answer what news have brought, or what was put off until now."""
        if any(not isinstance(feed, Told) or feed.offered for feed in feeds.values()):
            return True
        put_off = [offer for offers in self._put_off.values() for offer in offers.values()]
        return any(not self._wait(offer, gap) for offer in put_off)

    def _wait(self, offer: Offer, gap: int) -> int:
        """ms for which an offer is put off."""
        wait = self._witness.last(offer.log) + gap - self._world.now()
        # A clock that was set back must not put it off for hours.
        return wait if 0 < wait <= gap and not self._waited else 0

    def _too_soon(self, host: str, offer: Offer, gap: int) -> bool:
        """Whether an offer waits because its log was cosigned a moment ago. It is kept: nobody makes it again."""
        wait = self._wait(offer, gap)
        if not wait:
            return False
        self._put_off.setdefault(host, {})[offer.log] = offer
        self.pause = min(wait / 1000, self.pause or wait / 1000)
        return True

    def _shown(self, host: str) -> dict[str, Head]:
        """The largest tree that each log of a relay has signed, as far as this node was shown."""
        newest = {self._directory: self._trust.newest.head}
        newest |= {log: line.follower.newest.head for log, line in self._lines.items()}
        return {log: head for log, head in newest.items() if head is not None and log.partition("/")[0] == host}

    async def _answer(self, port: RelayPort, offer: Offer) -> bool:
        """Cosign one offer. A bad one is told, and does not keep the others from being answered."""
        now = self._world.now()
        if self._trust.directory.size == 0:
            return False
        view = self._trust.directory.at(self._trust.directory.size)
        if not view.is_active(self._identity.node, now):
            return False
        reader = self._reader(offer.log)
        try:
            lines = self._witness.answer(offer, view, reader, now)
        except Misbehaviour as error:
            self._accuse(offer.log, error, {"note": offer.note})
            return False
        except RemoteError as error:
            self._alarms.raise_(error.code, offer.log, error.what, now)
            return False
        if lines:
            size = self._witness.heads[offer.log].size
            if isinstance(reader, Follower):
                reader.cosigned(size)
            # Another tree after a crash would be a fork in our name: the head is on disk before the line leaves.
            await self._store.commit()
            await port.cosign(offer.log, size, [parse_signatures(item)[0].line() for item in lines])
        return bool(lines)

    def _reader(self, log: str) -> Reader | None:
        """Every directory witness reads the directory; other logs are read by who takes part in them."""
        if log == self._directory:
            return self._trust
        line = self._lines.get(log)
        return line.follower if line is not None else None
