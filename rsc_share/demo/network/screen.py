"""The networked half on a terminal: a table that moves while processes run, plain lines where nothing can move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rsc_share.demo.network import parts
from rsc_share.demo.network.parts import Post, Seat
from rsc_share.demo.network.troupe import Troupe

GOOD, WITHHELD, WRONG, QUIET = "green", "yellow", "bold red", "dim"
_STYLES = {"connected": GOOD, "ready": GOOD, "killed": WRONG}
PER_SECOND = 8


def table(nodes: tuple[Seat, ...], relay: Post) -> Table:
    """One line for each process."""
    found = Table(box=None, pad_edge=False, header_style=QUIET)
    for name in ("process", "pid", "sent", "logged", "received", "state"):
        found.add_column(name, no_wrap=True, justify="left" if name in ("process", "state") else "right")
    for seat in nodes:
        cells = (seat.member, *map(str, (seat.pid, seat.sent, seat.logged, seat.received)))
        found.add_row(*cells, Text(seat.state, style=_STYLES.get(seat.state, WITHHELD)))
    said = f"{relay.size} entries, {relay.witnessed} witnessed"
    state = Text(relay.state, style=_STYLES.get(relay.state, WITHHELD)).append(f"  {said}", style=QUIET)
    found.add_row("relay", str(relay.pid), "", "", "", state)
    return found


class _Moving:
    """Rendered again whenever the screen is drawn."""

    def __init__(self, troupe: Troupe) -> None:
        self._troupe = troupe

    def __rich__(self) -> RenderableType:
        return table(self._troupe.nodes(), self._troupe.post())


@contextmanager
def watching(console: Console, troupe: Troupe) -> Iterator[None]:
    """While the processes run: the table on a terminal, and each event in a line as it happens."""

    def line(sentence: str) -> None:
        console.print(Text(f"       {sentence}", style=WRONG if "killed" in sentence else QUIET), soft_wrap=True)

    troupe.listener = line
    try:
        if not console.is_terminal or console.is_dumb_terminal:
            yield
            return
        with Live(_Moving(troupe), console=console, refresh_per_second=PER_SECOND, transient=True):
            yield
    finally:
        troupe.listener = None


@singledispatch
def lines(part: object) -> Iterator[RenderableType]:
    raise TypeError(f"nothing is known about {type(part).__name__}")


def _groups(digest: str) -> str:
    return " ".join(digest[i : i + 8] for i in range(0, len(digest), 8))


@lines.register
def _(part: parts.Started) -> Iterator[RenderableType]:
    yield f"the relay keeps an SQLite store and serves {part.address}, TLS 1.3"
    yield f"TLS pin, from the charter  {_groups(part.pin)[:35]} ..."
    yield table(part.nodes, part.relay)


@lines.register
def _(part: parts.Crossed) -> Iterator[RenderableType]:
    yield "; ".join(f"{what}: {n} message{'' if n == 1 else 's'}" for what, n in part.given)
    yield Text(f"{part.less} is handed {part.seen} in place of the second portion", style=WITHHELD)


@lines.register
def _(part: parts.Survived) -> Iterator[RenderableType]:
    yield f"{part.sent} messages sent, {part.away} of them acknowledged while no relay ran"
    yield f"{part.again} were handed out twice: the node was killed before it heard that they were done"
    yield table(part.seats, part.relay)


@lines.register
def _(part: parts.Counted) -> Iterator[RenderableType]:
    yield ", ".join(f"{name} {n} entries" for name, n in part.logs)
    yield Text(part.first_line, style=GOOD if part.exit_code == 0 else WRONG)
    yield from (Text(line, style=WITHHELD) for line in part.findings[:4])
