"""A framework of states in one process: a relay, one node for each member, and a clock in your hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rsc_share.audit.export import write_export
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.charter.rowtext import Restriction, restrict
from rsc_share.crypto.keystore import UNSAFE_FAST
from rsc_share.errors import LocalError
from rsc_share.messages import Body
from rsc_share.node.connect import register
from rsc_share.node.engine import Engine
from rsc_share.node.failures import KeepEvidence
from rsc_share.node.home import Home, Settings
from rsc_share.node.identity import Identity, World
from rsc_share.node.load import idle
from rsc_share.node.node import Node
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.notes import PQ_EVERY, LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.memory_blobs import MemoryBlobs
from rsc_share.session.port import RelayPort
from rsc_share.testing.auditing import Report, audit, export_source
from rsc_share.testing.clock import Clock, Dice
from rsc_share.testing.founding import HOST, OPERATOR, STATES, ChannelPlan, Founded, Plan, found
from rsc_share.testing.people import NodeKeys, Party
from rsc_share.testing.wire import RelayControl, Wire
from rsc_share.value import replace

ROUNDS = 200
"""Turns of every node after which a framework that never rests is a bug, not patience."""


class Framework:
    """Use `Framework.create`. Nothing moves by itself but what an `await` of yours waits for."""

    def __init__(self, founded: Founded, relay: Relay, store: MemoryStore, clock: Clock, folder: Path) -> None:
        self.founded, self.clock, self.relay_service, self.store = founded, clock, relay, store
        self.relay = RelayControl()
        self.folder = folder
        self._nodes: dict[str, Node] = {}
        self._count = 0
        self._connected = 0

    @classmethod
    def create(
        cls, *members: str, channel: str = "main", types: Iterable[type[Body]] = (), seed: int = 0
    ) -> AbstractAsyncContextManager[Framework]:
        """Found a framework of `members` with one channel, certify an officer for each, and wait until all is quiet.

        `types` are your own message types; they may be sent in the channel. The same `seed` gives the same keys.
        """
        own = tuple(types)
        families = tuple({kind.TYPE.rsplit("/", 2)[0] for kind in own})
        plan = Plan(members=members or STATES, channels=(_channel(channel, families),), seed=seed)
        return cls.of(plan, types=own)

    @classmethod
    @asynccontextmanager
    async def of(
        cls, plan: Plan, *, types: Iterable[type[Body]] = (), clock: Clock | None = None
    ) -> AsyncIterator[Framework]:
        """A framework founded by `plan`, running."""
        clock = clock or Clock()
        founded = found(plan, clock.now)
        store = MemoryStore()
        keys = LogKeys(*founded.log_keys)
        blobs = Blobs(MemoryBlobs(lambda: clock.now / 1000), clock, lambda: 1.0)
        relay = await Relay.open(
            store, host=HOST, framework_id=founded.framework_id, keys=keys, clock=clock, blobs=blobs
        )
        with TemporaryDirectory() as folder:
            framework = cls(founded, relay, store, clock, Path(folder))
            register("memory", framework._connect)
            async with relay:
                await relay.found(*founded.genesis())
                async with framework._network(), framework._running(tuple(types)):
                    yield framework

    def _network(self) -> AbstractAsyncContextManager[object]:
        """What stands between nodes and relay while the framework runs: here nothing."""
        return contextlib.nullcontext()

    async def _wire(self, identity: Identity, *dice: object) -> Wire:
        """A node's way to the relay."""
        return Wire(self.relay_service.connect(identity.node), identity.member, self.relay)

    @asynccontextmanager
    async def _running(self, types: tuple[type[Body], ...]) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for party in self.founded.parties.values():
                for keys in party.nodes:
                    node = await self._made(party, keys, types)
                    self._nodes[keys.name] = node
                    self.clock.listen(node.nudge)
            await self.settle()
            for data in self.founded.officers(self.clock.now):
                await self.relay_service.submit_object(data, {})
            await self.settle()
            for node in self._nodes.values():
                await stack.enter_async_context(node)
            await self.settle()
            yield

    async def _made(self, party: Party, keys: NodeKeys, types: tuple[type[Body], ...]) -> Node:
        identity = Identity(
            node=keys.name,
            charter_digest=self.founded.framework_id,
            signer=keys.signing,
            witness=keys.witness,
            witness_pq=keys.witness_pq,
            officers={party.officer_name: party.officer},
        )
        wire = await self._wire(identity, "first")
        world = World(self.clock, Dice(self.founded.plan.seed, keys.name), idle)
        directory = self.founded.charter.directory
        return Node(Engine(identity, directory, {HOST: wire}, world, self._evidence(keys.name)), types)

    def _evidence(self, node: str) -> KeepEvidence:
        def keep(code: str, parts: Mapping[str, bytes]) -> Path:
            self._count += 1
            folder = self.folder / f"{node.replace('/', '-')}-{self._count:03d}-{code}"
            folder.mkdir()
            for name, data in parts.items():
                (folder / name).write_bytes(data)
            return folder

        return keep

    # --- the parties

    def node(self, member: str) -> Node:
        """The node of a member (`EST`), or a node by its name (`EST/mod-1`)."""
        name = member if "/" in member else f"{member}/mod-1"
        if name not in self._nodes:
            raise LocalError(f"no node {name} here", advice=f"there are {', '.join(sorted(self._nodes))}")
        return self._nodes[name]

    def party(self, member: str) -> Party:
        """A member's keys: everything that is in its safe."""
        return self.founded.parties[member]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(self._nodes.values())

    async def move_out(self, member: str, path: Path, passphrase: bytes) -> None:
        """Stop the member's node here and write it as a directory that `Node.open` takes, in this same process.

        It is a new instance: it needs a prekey of its own, and the directory takes one in ten minutes, so the clock
        moves eleven.
        """
        self.clock.advance(seconds=660)
        await self.settle()
        node = self.node(member)
        await node.__aexit__()
        del self._nodes[node.name]
        party = self.founded.parties[node.member]
        keys = next(item for item in party.nodes if item.name == node.name)
        settings = Settings(
            node=node.name,
            charter_digest=self.founded.framework_id,
            directory=self.founded.charter.directory,
            relays={HOST: f"memory:{self.founded.framework_id.hex()[:16]}"},
            officers=(party.officer_name,),
        )
        secrets = {
            "signing": keys.signing,
            "witness": keys.witness,
            "witness-pq": keys.witness_pq,
            f"officer/{party.officer_name.partition('/')[2]}": party.officer,
        }
        Home.create(path, settings, secrets, passphrase, cost=UNSAFE_FAST)

    def host(self, node: Node) -> None:
        """Let a node opened from a directory take part in `settle` like the others, until `let_go`."""
        self._nodes[node.name] = node

    def let_go(self, node: Node) -> None:
        """It is closed, or it has crashed."""
        self._nodes.pop(node.name, None)

    async def _connect(self, host: str, address: str, identity: Identity) -> tuple[RelayPort, World]:
        if address != f"memory:{self.founded.framework_id.hex()[:16]}":
            raise LocalError(f"{address} is another framework's", advice="one framework in memory at a time")
        wire = await self._wire(identity, "moved")
        self._connected += 1  # a process that starts again does not repeat its randomness
        return wire, World(self.clock, Dice(self.founded.plan.seed, identity.node, "moved", self._connected), idle)

    # --- acts

    async def suspend(self, member: str, *, by: str | None = None) -> None:
        """`by` one member: it restricts its own material tonight, alone. Without: an amendment by everybody else."""
        if by is not None:
            await self.restrict(by, member)
            return
        charter = self.relay_service.view.charter
        members = {**charter.members, member: replace(charter.members[member], suspended=True)}
        signers = [code for code, held in charter.members.items() if code != member and held.role == "member"]
        await self.log(*self.founded.amended(charter, members, signers))

    async def restrict(self, by: str, member: str) -> None:
        """A restriction by `by`'s duty key: nothing of its own goes to `member` any more."""
        rows = (
            f'[[agreement]]\nid = "{by}-withholds-from-{member}"\neffect = "deny"\nfrom = ["{by}"]\nto = ["{member}"]\n'
        )
        made = Restriction(f"{by}-{member}", by, rows.encode(), self.clock.now)
        await self.log(restrict(made, self.founded.framework_id, self.party(by).duty))

    async def revoke(self, node: str, *, reason: str = "stolen") -> None:
        """A revocation of `EST/mod-1` by its member's duty key."""
        made = Revocation(node, "node", reason, self.clock.now)
        await self.log(revoke(made, self.founded.framework_id, self.party(node.partition("/")[0]).duty))

    async def log(self, found: bytes, bodies: dict[bytes, bytes] | None = None) -> None:
        """Put an object into the directory and let everybody see it."""
        await self.relay_service.submit_object(found, bodies or {})
        await self.settle()

    async def audit(self) -> Report:
        """Export everything, replay it as an auditor without a key would, anchored in what the nodes hold."""
        await self._close_books()
        checkpoints: dict[str, bytes] = {}
        for name, node in self._nodes.items():
            for log, note in node.engine.notes().items():
                checkpoints[f"{name}, {log}"] = note
        return await audit(self.relay_service, OPERATOR, self.founded.framework_id, checkpoints)

    async def export(self, out: Path) -> None:
        """Write the export an operator hands to an auditor into the new or empty folder `out`."""
        await self._close_books()
        write_export(await export_source(self.relay_service, OPERATOR), out)

    async def _close_books(self) -> None:
        """A log's post-quantum line may be ten seconds behind its head: an export waits for it."""
        await self.settle()
        self.clock.advance(seconds=PQ_EVERY / 1000)
        await self.settle()

    async def settle(self) -> None:
        """Return when nothing is in flight: every node has done all that can be done at this time of the clock."""
        for _ in range(ROUNDS):
            await self.relay_service.tick()
            moved = [await node.drain() for node in self._nodes.values()]
            moved += [await node.carry() for node in self._nodes.values()]
            await asyncio.sleep(0)
            if not any(moved):
                return
        raise LocalError("the framework does not come to rest")


def _channel(name: str, families: tuple[str, ...]) -> ChannelPlan:
    plan = ChannelPlan(name)
    return replace(plan, families=tuple(sorted({*plan.families, *families})))
