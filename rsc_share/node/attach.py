"""Binding files to a message that is about to be queued: ids, keys and salts first, then a pass over each file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rsc_share import names
from rsc_share.crypto.blobs import Place
from rsc_share.crypto.bodies import SALT_SIZE
from rsc_share.node.attachments import KEY_SIZE, Attachment, Prepared, check_allowed, check_inline, prepare, wrap
from rsc_share.node.compose import Composition
from rsc_share.node.desk import Host
from rsc_share.node.line import Line
from rsc_share.node.outbox import Item
from rsc_share.progress import Progress
from rsc_share.rulebook.bodies import largest_body


class Attaching:
    """The attachments of one channel's compositions, between reading the files and queueing the message."""

    def __init__(self, node: Host, line: Line) -> None:
        self._node, self._line = node, line

    async def prepare(self, made: Iterable[Composition], progress: Progress) -> None:
        """Read every file, in a thread. Raises `LocalError` where one is not what it was or all do not fit."""
        loop = asyncio.get_running_loop()

        def tell(name: str, done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, name, done, total)

        for composition in made:
            draft = composition.draft
            known = draft.key is not None and self._line.tickets.under(draft.key) is not None
            if not draft.attachments or known:
                continue
            random, now = self._node.engine.world.random, self._node.now()
            message_id = names.uuid7(now, random(10))
            found = []
            for part, attachment in enumerate(draft.attachments, 1):
                found.append(await self._one(attachment, message_id, part, tell))
            wrapped = len(wrap(0, composition.pieces[0].payload, (item.told for item in found)))
            check_inline(wrapped, found, self._largest)
            composition.attached.append((message_id, tuple(found)))

    @property
    def _largest(self) -> int | None:
        return largest_body(self._node.engine.trust.view, self._line.log)

    async def _one(self, attachment: Attachment, message_id: bytes, part: int, tell: Progress) -> Prepared:
        check_allowed(attachment.name, attachment.size, self._largest)  # before it is read, and sealed it is larger
        engine = self._node.engine
        realm = engine.trust.view.channel_facts(self._line.log, self._node.now()).realm
        place = Place(engine.identity.charter_digest, self._line.log, realm, engine.identity.node, message_id, part)
        key, salt = engine.world.random(KEY_SIZE), engine.world.random(SALT_SIZE)
        return await asyncio.to_thread(prepare, attachment, place, key, salt, tell)


def id_of(made: Composition) -> bytes | None:
    """The id that the attachments are bound to."""
    return made.attached[0][0] if made.attached else None


def attach(made: Composition, items: Iterable[Item]) -> None:
    """Give portion 0 its attachments: its readers are theirs."""
    for item in items:
        if item.portion == 0 and made.attached:
            _, item.attachments = made.attached[0]
            item.payload = wrap(0, made.pieces[0].payload, (found.told for found in item.attachments))
            item.uploaded = not item.blobs
