"""One session as a witness: what it is offered, and what is taken from it. Only verified lines are ever kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsc_share.crypto.signing import verify
from rsc_share.envelope.parts import Head
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint, checkpoint_text
from rsc_share.log.note import NoteSignature, parse_signatures
from rsc_share.relay.access import Access
from rsc_share.relay.live import LiveLog, State
from rsc_share.relay.store.protocol import Note
from rsc_share.relay.witnessing import RETRY
from rsc_share.rulebook.witnesses import node_keys, verify_lines
from rsc_share.session.frames import Offer
from rsc_share.session.port import NOTHING, Shown

MAX_LINES = 4


class Cosigning:
    """Offers to one node. It remembers what it handed out, so that no node is woken again and again for one offer."""

    def __init__(self, access: Access) -> None:
        self._access, self._relay = access, access.relay
        self._handed: dict[str, tuple[int, int]] = {}
        self._told: set[str] = set()

    async def offers(self, heads: Mapping[str, int], known: Shown = NOTHING) -> list[Offer]:
        now, node = self._relay.now(), self._access.node
        offers = []
        for origin, log in self._access.visible().items():
            if not await self._holds(log, known.get(origin)):
                continue
            if not self._access.witnesses(log):
                self._relay.recover(log)
                continue
            head = heads.get(origin, 0)
            log.witnessing.heard(node, head, log.size)
            if head == 0:
                log.witnessing.begins(node, self._access.member)
            self._relay.recover(log)
            note = self._target(log, now)
            if note is None or head > note.size:
                continue
            self._handed[origin] = (note.size, now)
            proof = tuple(await log.tree.consistency(head, note.size))
            offers.append(Offer(origin, head, log.note(note.size), now, proof))
        return offers

    async def _holds(self, log: LiveLog, head: Head | None) -> bool:
        """Whether this log goes on: what it signed, and somebody was shown, is a prefix of what is here.

        Only the log's own signature counts: no node can stop a log, or keep it waiting, by inventing a tree. Looked at
        once in a session, and again where a node names more than there is. Raises `RemoteError` (`bad-signature`).
        """
        if log.state is State.STOPPED:
            return False
        if head is not None and (head.size > log.size or log.origin not in self._told):
            verify(log.keys.ed25519.public, checkpoint_text(log.origin, head.size, head.root), head.signature)
            if head.size > log.size or await log.tree.root(head.size) != head.root:
                self._relay.rolled_back(log, self._access.node, head)
                return False
        self._told.add(log.origin)
        log.witnessing.said(self._access.node)
        return True

    def _target(self, log: LiveLog, now: int) -> Note | None:
        """The checkpoint this node should cosign now, if there is one that its cosignature counts for."""
        note = log.offered(self._relay.quorum_of(log.origin, log.witnessing.target), now)
        interval = self._relay.view.parameters.lag // 4
        if note is None or not log.witnessing.due(self._access.node, now, interval):
            return None
        return note if self._access.counts(log, note.size) else None

    def waiting(self, log: LiveLog, now: int) -> bool:
        """Whether an offer is there that this node has not been handed, or did not answer for a while."""
        note = self._target(log, now) if self._access.witnesses(log) else None
        if note is None:
            return False
        size, time = self._handed.get(log.origin, (-1, 0))
        return size != note.size or now - time >= RETRY

    async def cosign(self, origin: str, size: int, lines: Sequence[bytes]) -> None:
        log, now = self._access.log(origin), self._relay.now()
        if size not in log.notes:
            return  # a round that is over: the next offer asks again
        if len(lines) > MAX_LINES:
            raise RemoteError(f"{len(lines)} lines for one checkpoint; at most {MAX_LINES}")
        view = self._relay.counting_view(origin, size)
        found = [signature for line in lines for signature in parse_signatures(line)]
        if len(found) > MAX_LINES:  # or one call would have a relay verify a thousand
            raise RemoteError(f"{len(found)} signatures for one checkpoint; at most {MAX_LINES}")
        mine = node_keys(view, origin, now, self._access.node)
        verified = verify_lines(found, Checkpoint(origin, size, log.notes[size].root), mine)
        if any(int.from_bytes(line.blob[:8], "big") * 1000 > now + view.parameters.skew for line in verified):
            raise RemoteError("a cosignature dated in the future would be fresh for ever", code="clock")
        if verified:
            new = _newer(verified, log.notes[size])  # what is held already costs no write, however often it comes
            note = await log.cosigned(size, new) if new else log.notes[size]
            await self._relay.cosigned(log, self._access.node, note)


def _newer(lines: Sequence[NoteSignature], note: Note) -> list[NoteSignature]:
    """Cosignatures that are later than those of the same key that a note has. Each begins with its time."""
    held = {(line.name, line.key_id): line.blob[:8] for line in note.lines}
    return [line for line in lines if held.get((line.name, line.key_id), b"") < line.blob[:8]]
