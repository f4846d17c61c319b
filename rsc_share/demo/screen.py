"""The run on a terminal. Green: as it should be. Yellow: withheld by a rule. Red: somebody cheated, or a claim failed.

Only values from `parts` are shown. What colour says, a word says too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import singledispatchmethod
from pathlib import Path
from shlex import quote

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rsc_share.audit import layout
from rsc_share.demo import parts
from rsc_share.demo.inspection import MEMBER
from rsc_share.demo.network import screen as network
from rsc_share.demo.network.parts import Counted, Crossed, Started, Survived
from rsc_share.demo.network.troupe import Troupe
from rsc_share.demo.parts import Cell, Part, Row

GOOD, WITHHELD, WRONG, QUIET = "green", "yellow", "bold red", "dim"
STEPS = 12
NETWORK_STEPS = 4
WIDE = 100
"""Columns from which a label stands on one line of the table."""
MANY = 4
"""Lines of a list that the screen shows; how many more there are it says, and the JSON summary has all."""


def printable(text: str) -> str:
    """Text of others on a terminal: control characters spelt out."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def groups(digest: str) -> str:
    """Hex in groups of eight, as people read a digest to each other."""
    return " ".join(digest[i : i + 8] for i in range(0, len(digest), 8))


class Screen:
    """A `Telling`: prints each step when it is over."""

    def __init__(self, console: Console, steps: int = STEPS) -> None:
        self.console, self._steps = console, steps
        self._step = 0

    def begin(self) -> None:
        self.console.print(
            Text("rsc_share demonstration", style="bold"),
            Text("Four fictional states, keys made for this run, a clock that the run moves itself."),
            Text("Nothing here is approved by anyone for classified information.", style=WITHHELD),
            sep="\n",
        )

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(what):
            yield

    def watching(self, troupe: Troupe) -> AbstractContextManager[None]:
        return network.watching(self.console, troupe)

    def say(self, text: str) -> None:
        self.console.print(Text(f"\n{text}", style="bold"), soft_wrap=True)

    def part(self, part: Part) -> None:
        self._step += 1
        head = Text(f"\n{self._step:>2}/{self._steps}  ", style=QUIET).append(part.title, style="bold")
        self.console.print(head)
        for line in self.show(part):
            self.console.print(Padding(line, (0, 0, 0, 7), expand=False))
        self.console.print(Padding(_claims(part), (0, 0, 0, 7), expand=False))

    def end(self, done: tuple[Part, ...], out: Path, other: Path | None, program: str, seconds: float) -> None:
        wrong = parts.failed(done)
        count = sum(len(part.claims) for part in done)
        said = f"{count} claims checked, {len(wrong)} failed" if wrong else f"all {count} claims hold"
        self.console.print(Text(f"\n{said}; {seconds:.1f} s", style=WRONG if wrong else f"bold {GOOD}"))
        digest = next((part.digest for part in done if isinstance(part, parts.Founding)), "")
        self.console.print(Text(f"{out}/report.html       the auditor's report, for a browser"), soft_wrap=True)
        if other is not None:
            self.console.print(Text(f"{other}/report.html       of the relay that was killed"), soft_wrap=True)
        held = quote(f"{out}/{layout.CHECKPOINTS}{MEMBER}")
        command = f"{program} audit replay {quote(str(out))} --charter-digest {digest} --checkpoint {held}"
        self.console.print(Text(command), soft_wrap=True)
        hint = f"  ends with 0; without what {MEMBER} handed over itself, with 3: checked against itself only"
        self.console.print(Text(hint, style=QUIET), soft_wrap=True)

    # --- one method for each kind of part

    @singledispatchmethod
    def show(self, part: object) -> Iterator[RenderableType]:
        raise TypeError(f"nothing is known about {type(part).__name__}")

    @show.register(Started)
    @show.register(Crossed)
    @show.register(Survived)
    @show.register(Counted)
    def _(self, part: object) -> Iterator[RenderableType]:
        yield from network.lines(part)

    @show.register
    def _(self, part: parts.Founding) -> Iterator[RenderableType]:
        yield f"framework {part.framework}; channels {', '.join(part.channels)}"
        yield f"charter digest  {groups(part.digest)[:35]}\n                {groups(part.digest)[36:]}"
        table = Table(box=None, pad_edge=False, header_style=QUIET)
        for name in ("state", "node", "may read up to", "authority key"):
            table.add_column(name)
        for seat in part.seats:
            table.add_row(seat.member, seat.node, seat.limit, f"{seat.authority[:16]}...")
        yield table
        yield f"{part.operator} runs the relay {part.host}; {part.witnesses_needed} states must witness a checkpoint"

    @show.register
    def _(self, part: parts.Published) -> Iterator[RenderableType]:
        left = f", {part.found - part.messages} more left out" if part.found > part.messages else ""
        yield Text(printable(f"from {part.source}: {part.messages} message{'' if part.messages == 1 else 's'}{left}"))
        yield from _sent(part.rows)
        yield from _list([f"not carried: {line}" for line in part.lost], QUIET)

    @show.register
    def _(self, part: parts.Assessed) -> Iterator[RenderableType]:
        yield from _sent(part.rows)
        yield Text(f"{part.less} sees: {part.seen}", style=WITHHELD)

    @show.register
    def _(self, part: parts.Restricted) -> Iterator[RenderableType]:
        yield f"{part.by}'s duty key signs one row, {part.row}: nobody else has to agree"
        yield from _sent(part.rows)
        yield Text(f"{part.by} asks that a message must reach {part.against}: {part.denied}", style=WITHHELD)

    @show.register
    def _(self, part: parts.Amended) -> Iterator[RenderableType]:
        yield Text(f"signed by {' and '.join(part.too_few)}, refused: {part.refused}", style=WITHHELD)
        yield Text(f"signed by {', '.join(part.signers)}: version {part.version} is in force", style=GOOD)
        yield Text(part.changes[0])
        yield from _sent(part.rows)

    @show.register
    def _(self, part: parts.Revoked) -> Iterator[RenderableType]:
        yield f"{part.by} revokes {part.node} by its duty key; somebody hands in what the node had signed before"
        yield Text(f"the relay answers: {part.refusal}", style=WITHHELD)
        yield from _sent(part.rows)

    @show.register
    def _(self, part: parts.Ledger) -> Iterator[RenderableType]:
        yield ledger(part, self.console.width)

    @show.register
    def _(self, part: parts.Caught) -> Iterator[RenderableType]:
        yield f"{part.hidden} is published; {part.victim} is shown a tree without it, under the log's own signature"
        yield Text(f"tree of {part.size} entries shown to {part.victim}   {part.shown_root[:32]}...", style=WRONG)
        yield Text(f"tree of {part.size} entries the others hold   {part.true_root[:32]}...", style=GOOD)
        yield Text(f"{part.victim} raises {part.alarm}: {part.said}", style=WRONG)

    @show.register
    def _(self, part: parts.Exported) -> Iterator[RenderableType]:
        yield f"{part.files} files, {part.size:,} bytes; " + ", ".join(f"{name} {n} entries" for name, n in part.logs)
        yield f"manifest checksum {part.manifest[:32]}..., signed with the log's key"

    @show.register
    def _(self, part: parts.Audited) -> Iterator[RenderableType]:
        yield Text(part.first_line, style=GOOD if part.exit_code == 0 else WRONG)
        yield f"{part.entries} entries, {part.signatures} signatures, {part.decisions} decisions, each by two programs"
        yield "; ".join(f"{grade.count} {grade.grade}" for grade in part.grades)
        yield from _list(list(part.findings), WITHHELD)
        yield Text(f"held against what came another way: {'; '.join(part.anchors)}", style=QUIET)

    @show.register
    def _(self, part: parts.Flipped) -> Iterator[RenderableType]:
        yield f"{part.path}, byte {part.offset}: {part.before:02x} becomes {part.after:02x}"
        for flip in part.flips:
            with_what = "the manifest made and signed again" if flip.manifest_again else "the manifest as it was"
            yield Text(f"{with_what}: exit code {flip.exit_code}, {len(flip.findings)} findings", style=WRONG)
            yield from (Text(f"  {line}") for line in flip.leading)
            yield Text(f"  ... and {len(flip.findings) - len(flip.leading)} that follow from it", style=QUIET)


def _claims(part: Part) -> Table:
    table = Table.grid(padding=(0, 1))
    for claim in part.claims:
        style = GOOD if claim.held else WRONG
        table.add_row(
            Text("ok" if claim.held else "FAILED", style=style), Text(claim.text, style="" if claim.held else WRONG)
        )
    return table


def _list(lines: list[str], style: str, most: int = MANY) -> Iterator[Text]:
    for line in lines[:most]:
        yield Text(printable(line), style=style)
    if len(lines) > most:
        yield Text(f"... and {len(lines) - most} more", style=QUIET)


def _sent(rows: tuple[Row, ...]) -> Iterator[RenderableType]:
    """Who sent what; under it a line for each portion: its label, who read it, and what withheld it from whom."""
    for row in rows:
        if row.portion == 0:
            yield Text(f"{row.sender} > {row.channel}  ").append(printable(row.title), style="bold")
        line = Text(f"  {f'portion {row.portion}' if row.portion else 'message':<10}").append(
            f"{row.label}  ", style=QUIET
        )
        got = [cell.member for cell in row.cells if cell.read]
        line.append(f"read by {', '.join(got)}" if got else "read by nobody", style=GOOD if got else WITHHELD)
        for cell in row.cells:
            if not cell.read:
                line.append(f"  {cell.member} ").append_text(_cell(cell))
        yield line


def _cell(cell: Cell) -> Text:
    if cell.read:
        return Text("read", style=GOOD)
    return Text(
        "NOT READ" if cell.code == "released" else cell.code, style=WRONG if cell.code == "released" else WITHHELD
    )


def ledger(part: parts.Ledger, width: int) -> Group:
    """The table of everything, and under it every rule that decided something."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("message", overflow="fold")
    table.add_column("label", overflow="fold", no_wrap=width >= WIDE)
    for member in part.members:
        table.add_column(member, no_wrap=True)
    for row in part.rows:
        cells = {cell.member: _cell(cell) for cell in row.cells}
        what = Text(f"  portion {row.portion}", style=QUIET) if row.portion else Text(printable(row.title))
        table.add_row(what, row.label, *(cells.get(member, Text("sender", style=QUIET)) for member in part.members))
    rules = Table(box=None, pad_edge=False, header_style=QUIET)
    for name in ("withheld by", "from", "row", "because"):
        rules.add_column(name, overflow="fold")
    for code, member, rule, why in reasons(part):
        rules.add_row(Text(code, style=WITHHELD), member, rule or "-", Text(why))
    return Group(table, rules)


def reasons(part: parts.Ledger) -> list[tuple[str, str, str | None, str]]:
    """Every (step, member, row, sentence) that withheld something, once, in the order it first did."""
    found = {
        (cell.code, cell.member, cell.rule, cell.why): None
        for row in part.rows
        for cell in row.cells
        if cell.code != "released"
    }
    return list(found)
