"""A relay and four nodes, each a process, over TLS and on their disks; any of them may be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli_world import Founders
from fault_child import PATIENCE, Child
from fault_heard import Heard
from fault_netns import Namespace
from fault_proxy import Proxy
from relay_process import DURABLE, PROGRAM, folder_of, home_of

LAG = 8
"""Seconds, of the hasty framework: what others do in ten minutes."""
CHANNEL = "counter-terrorism"
CODES = ("EST", "FIN", "LVA", "SWE")
NODE = str(Path(__file__).with_name("fault_node.py"))


class World:
    """Use `world`. `rates`: messages a second by member; `log`: events of the relay over all its lives."""

    def __init__(self, founders: Founders, folder: Path, dice: random.Random, rates: Mapping[str, int]) -> None:
        self.founders, self.folder, self.dice, self.rates = founders, folder, dice, dict(rates)
        self.heard = {code: Heard() for code in CODES}
        self.readers: frozenset[str] = frozenset(CODES)
        """Whom messages are for: what is not for a node costs it a hash, and this machine is one for all of them."""
        self.log: list[dict[str, Any]] = []
        self.children: dict[str, Child] = {}
        self.homes: dict[str, Path] = {}
        self.relay_folder = folder
        self.program = ["-c", PROGRAM]
        """How the relay is run: tests that take its syncs away have another way."""
        self.environment: dict[str, str] = {}
        self.prefixes: dict[str, Sequence[str]] = {}
        """What some nodes are run by: in a namespace of their own."""
        self.port = self.health = 0
        self._news = asyncio.Event()

    # --- waiting

    async def until(self, true: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> None:
        """Until what was heard makes it true. Fails if that takes too long, or a child has ended by itself."""
        try:
            async with asyncio.timeout(patience):
                while not true():
                    assert not any(child.failed for child in self.children.values()), self.errors()
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 1.0)  # a death is no news
                    await asyncio.sleep(0.002)  # lines come in hundreds
        except TimeoutError:
            raise AssertionError(f"never {what}: {self.errors()}") from None

    def errors(self) -> str:
        texts = [f"{path.name}: {path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.err"))]
        heard = {
            code: (h.lives, len(h.acked), len(h.receipts), len(h.done), h.stopped, h.wrong)
            for code, h in self.heard.items()
        }
        return f"{heard} {self.log[-3:]} " + "\n".join(texts)

    def hears(self, hear: Callable[[str], None]) -> Callable[[str], None]:
        def heard(line: str) -> None:
            hear(line)
            self._news.set()

        return heard

    # --- life and death

    async def start_relay(self, *more: object) -> None:
        before = len(self.log)
        command = [*self.program, "relay", "run", str(self.relay_folder / "relay.toml"), *map(str, more)]
        hear = self.hears(lambda line: self.log.append(json.loads(line)))
        errors = self.folder / "relay.err"
        self.children["relay"] = await Child.started(command, hear, errors, self.environment)
        await self.until(lambda: self._told("serving", before) is not None, "serving")
        serving, health = self._told("serving", before), self._told("health", before)
        assert serving is not None
        assert health is not None
        self.port, self.health = serving["port"], health["port"]

    def _told(self, name: str, since: int) -> dict[str, Any] | None:
        return next((event for event in self.log[since:] if event["event"] == name), None)

    async def start_node(self, code: str, *, opened: bool = True) -> None:
        heard = self.heard[code]
        lives = heard.lives
        to = "@members" if self.readers == frozenset(CODES) else ", ".join(sorted(self.readers))
        numbers = (heard.waiting, heard.first, self.rates.get(code, 0), to)
        command = [NODE, str(self.homes[code]), str(self.founders.secret), CHANNEL, *map(str, numbers)]
        self.children[code] = await Child.started(
            command,
            self.hears(heard.hear),
            self.folder / f"{code}.err",
            self.environment,
            self.prefixes.get(code, ()),
        )
        if opened:
            # A node reads all there is before it opens: on a slow machine that can be minutes.
            await self.until(lambda: heard.lives > lives, f"open: {code}", patience=5 * PATIENCE)

    async def kill(self, who: str) -> None:
        await self.children[who].kill()

    async def restart(self, who: str) -> None:
        await (self.start_relay() if who == "relay" else self.start_node(who))

    def counts(self) -> tuple[float, int, int]:
        """The time, and how many messages were acknowledged by `publish`, and by a receipt, so far."""
        heard = self.heard.values()
        now = asyncio.get_running_loop().time()
        return now, self.published, sum(len(h.receipts) for h in heard)

    def settled(self) -> int:
        """Acknowledgements of every kind so far."""
        return sum(len(h.acked) + len(h.receipts) + len(h.done) for h in self.heard.values())

    @property
    def published(self) -> int:
        """Messages acknowledged by `publish`."""
        return sum(len(heard.acked) for heard in self.heard.values())

    async def some(self, count: int) -> None:
        """So many more acknowledgements, and then a moment that nobody chose."""
        wanted = self.settled() + count
        await self.until(lambda: self.settled() >= wanted, f"{count} more acknowledgements")
        await asyncio.sleep(self.dice.uniform(0, 0.06))  # where in its work it dies is for the dice to say

    async def wind_up(self) -> None:
        """Nobody publishes any more; everything is logged and everywhere; everybody ends in peace."""
        for code in CODES:
            self.children[code].signal(signal.SIGUSR1)
        patience = 5 * PATIENCE
        await self.until(lambda: all(self.heard[code].idle for code in CODES), "idle", patience=patience)
        await self.until(lambda: all(self._has_all(code) for code in CODES), "everything everywhere", patience=patience)
        for who in (*CODES, "relay"):
            self.children[who].signal(signal.SIGTERM)
            assert await self.children[who].ended() == 0, self.errors()

    def _has_all(self, code: str) -> bool:
        """Whether a node was given as many as the others have receipts for. What it was killed in the middle of saying
        `done` about may be done, and not come again."""
        if code not in self.readers:
            return True
        due = sum(len(heard.receipts) for sender, heard in self.heard.items() if sender != code)
        return sum(map(len, self.heard[code].given.values())) >= due

    async def end(self) -> None:
        for child in self.children.values():
            await child.kill()


async def ask(made: World, path: str) -> str:
    """What the relay says on its health port."""

    def get() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", made.health, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(get)


def fixed_ports(world: World) -> None:
    """The relay comes back where it was."""
    config = world.relay_folder / "relay.toml"
    text = re.sub(r'listen = "(.*):0"', rf'listen = "\1:{world.port}"', config.read_text())
    config.write_text(text)


@asynccontextmanager
async def world(
    founders: Founders,
    folder: Path,
    seed: object,
    rates: Mapping[str, int],
    *,
    program: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
    at: Mapping[str, Path] | None = None,
    settings: Mapping[str, str] | None = None,
    through: tuple[Proxy | Namespace, Collection[str]] | None = None,
    readers: Collection[str] = CODES,
) -> AsyncIterator[World]:
    """Founded and flowing. `at`: where the folders of some are; `settings`: replacements in `relay.toml`; `through`: a
    line for some of the nodes that the test can cut; `readers`: whom messages are for."""
    at = at or {}
    made = World(founders, folder, random.Random(f"{seed}"), rates)  # noqa: S311 - for moments, not for keys
    made.readers = frozenset(readers)
    made.program, made.environment = program or made.program, dict(environment or {})
    proxy, behind = through or (Proxy(), ())
    made.prefixes = dict.fromkeys(behind, tuple(proxy.prefix))
    there = {'listen = "127.0.0.1:0"': f'listen = "{proxy.address}:0"'}
    made.relay_folder = folder_of(founders, at.get("relay", folder), **DURABLE, **there, **(settings or {}))
    try:
        await made.start_relay("--found", founders.packet)
        fixed_ports(made)
        line = await proxy.start(made.port) if behind else 0
        for code in CODES:
            port = line if code in behind else made.port
            made.homes[code] = home_of(founders, at.get(code, folder), code, port, address=proxy.address)
        await asyncio.gather(*(made.start_node(code) for code in CODES))
        await made.some(8)
        yield made
    except BaseException as error:
        error.add_note(f"seed {seed!r}")
        raise
    finally:
        await made.end()


def copied(what: Path, to: Path) -> None:
    """Replace a folder by a copy of another one."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(what, to)
