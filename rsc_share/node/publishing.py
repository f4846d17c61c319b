"""From drafts to what waits in the outbox of one channel: all of them are checked before the first is queued."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError, PolicyDenied
from rsc_share.node.attach import Attaching, attach, id_of
from rsc_share.node.compose import Composition, compose, items_of, refs_of
from rsc_share.node.desk import Host
from rsc_share.node.draft import Draft
from rsc_share.node.line import Line
from rsc_share.node.plan import WHY, ReleasePlan, why_not
from rsc_share.node.ticket import Ticket
from rsc_share.progress import Progress


class Publishing:
    """`place_of`: where the message stands that is quoted like this."""

    def __init__(self, node: Host, line: Line, place_of: Callable[[str], Ref]) -> None:
        self._node, self._line, self._place_of = node, line, place_of
        self._attaching = Attaching(node, line)

    def compose(self, draft: Draft) -> Composition:
        engine = self._node.engine
        return compose(draft, self._line.log, engine.trust.view, engine.identity, self._node.now())

    async def queue(self, drafts: Iterable[Draft], must_reach: frozenset[str], progress: Progress) -> list[Ticket]:
        """Queue all, or none: a ticket for each. What is queued is durable with the next commit."""
        made = [self.compose(draft) for draft in drafts]
        for composition in made:
            _check_reach(composition.plan, must_reach)
        self._check_keys(made)
        if any(composition.draft.attachments for composition in made):
            await self._attaching.prepare(made, progress)
            self._check_keys(made)  # others published meanwhile
        return [self._queue(composition) for composition in made]

    def _queue(self, made: Composition) -> Ticket:
        key, tickets = made.draft.key, self._line.tickets
        earlier = tickets.under(key) if key is not None else None
        if earlier is not None:
            return earlier[1]
        supersedes = self._place_of(made.draft.supersedes) if made.draft.supersedes else None
        world = self._node.engine.world
        ticket, items = items_of(made, refs_of(made.draft, supersedes), world.now(), world.random, id_of(made))
        attach(made, items)
        self._line.sending.outbox.add(items)
        if key is not None:
            tickets.name(key, made.digest, ticket, world.now())
        return ticket

    def _check_keys(self, made: Iterable[Composition]) -> None:
        """Raises `LocalError` where a key stands for another message already, here or in this very call."""
        known: dict[str, bytes] = {}
        for composition in made:
            key = composition.draft.key
            if key is None:
                continue
            earlier = self._line.tickets.under(key)
            if known.setdefault(key, earlier[0] if earlier else composition.digest) != composition.digest:
                raise LocalError(f"the key {key!r} was used for another message", advice="give every message its own")


def _check_reach(plan: ReleasePlan, wanted: frozenset[str]) -> None:
    missing = sorted(member for member in wanted if 0 not in plan.released_to.get(member, frozenset()))
    if missing:
        raise PolicyDenied(f"it would not reach {why_not(plan, missing)}", plan=plan, advice=WHY)
