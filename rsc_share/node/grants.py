"""Key hand-outs: one grant key for each audience, in memory only, at most GRANT_LIFE old."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.sealing import grant_check, grant_info, seal_key
from rsc_share.envelope.contents import GrantContent
from rsc_share.node.identity import Random
from rsc_share.node.outbox import Item


@dataclass(frozen=True, slots=True)
class Grant:
    """A live grant key and the entry that handed it out. `made_at` is when this node composed it (ms)."""

    id: bytes
    nodes: tuple[str, ...]
    made_at: int
    gk: bytes = field(repr=False)


class Grants:
    """This process's grants of one log. A new process has none: it makes new ones."""

    def __init__(self, log: str, sender: str, random: Random) -> None:
        self._log, self._sender, self._random = log, sender, random
        self._live: dict[tuple[str, ...], Grant] = {}

    def get(self, nodes: tuple[str, ...], now: int, life: int) -> Grant | None:
        """A grant for exactly this audience with a quarter of its life left: entries wait a while before logging."""
        grant = self._live.get(nodes)
        return grant if grant is not None and now < grant.made_at + life * 3 // 4 else None

    def drop(self, grant_id: bytes) -> None:
        """Forget a grant that was refused or died."""
        self._live = {nodes: grant for nodes, grant in self._live.items() if grant.id != grant_id}

    def make(self, nodes: tuple[str, ...], view: DirectoryView, realm: str, now: int) -> tuple[Grant, Item]:
        """A new key for `nodes`, sealed to each one's newest prekey in `view`, and the entry that says so."""
        grant = Grant(names.uuid7(now, self._random(10)), nodes, now, self._random(32))
        check, rows, bodies = grant_check(grant.gk), [], []
        for node in nodes:
            prekey = view.prekey(node, now)
            if prekey is None:
                continue  # it ran out since the audience was taken; the rulebook will say under-granted, and we redo
            info = grant_info(
                framework_id=view.framework_id,
                log=self._log,
                realm=realm,
                sender=self._sender,
                grant_id=grant.id,
                node=node,
                prekey_id=prekey.id,
                check=check,
            )
            sealed = seal_key(prekey.public, grant.gk, info)
            rows.append((node, prekey.id, sha256(sealed).digest()))
            bodies.append(sealed)
        self._live[nodes] = grant
        item = Item(
            "grant",
            grant.id,
            content=GrantContent(tuple(rows), check),
            bodies=tuple(bodies),
            nodes=tuple(row[0] for row in rows),
        )
        return grant, item
