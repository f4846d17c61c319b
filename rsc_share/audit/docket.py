"""The cases of one log, made ready a few at a time: parsed, with what lay beside them, and begun.

One after the other they cost less than each in its turn: what parses an entry and verifies its signature stays in the
processor's cache, out of which all the other rows would drive it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rsc_share import names
from rsc_share.audit import layout
from rsc_share.audit.beside_checks import body_sizes
from rsc_share.audit.besides import NOTHING, Beside, read_besides
from rsc_share.audit.findings import Finding, file_finding
from rsc_share.audit.setting import Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.errors import RemoteError
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.admit import AHEAD, Judging, begin_all
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Facts
from rsc_share.rulebook.view import Known, Party, View
from rsc_share.value import replace

Parsed = UnverifiedEntry | RemoteError


class Docket:
    """Of the log `origin`. `findings` is told of files beside the entries that cannot be read."""

    __slots__ = (
        "_begun",
        "_besides",
        "_entries",
        "_facts",
        "_findings",
        "_folder",
        "_known",
        "_origin",
        "_parsed",
        "_setting",
        "_start",
        "_tree",
        "_views",
    )

    def __init__(
        self,
        origin: str,
        folder: str,
        entries: Entries,
        tree: LogTree,
        setting: Setting,
        facts: Facts,
        known: Known,
        findings: list[Finding],
    ) -> None:
        self._origin, self._folder, self._entries, self._tree, self._setting = origin, folder, entries, tree, setting
        self._facts, self._known, self._findings = facts, known, findings
        self._start = -1
        self._parsed: list[Parsed | None] = []
        self._begun: dict[int, tuple[Judging, Beside]] = {}
        self._besides: tuple[int, dict[int, Beside]] = (-1, {})
        self._views: dict[str, View] = {}

    def entry(self, index: int) -> Parsed | None:
        """The entry, or why it cannot be read; None where its bytes are not here."""
        offset = index % AHEAD
        if self._start != index - offset:
            self._start = index - offset
            bundle, first = self._entries.bundle(index // WIDTH), self._start % WIDTH
            self._parsed = _parse(bundle[first : first + AHEAD])
        return self._parsed[offset] if offset < len(self._parsed) else None

    def take(self, index: int) -> tuple[Judging, Beside]:
        """The case of an entry that can be read, and what lay beside it. It can be taken once."""
        if index not in self._begun:
            self._begin(index)
        return self._begun.pop(index)

    def put_back(self, index: int, judging: Judging, beside: Beside) -> None:
        """It was taken too early, and can be taken again."""
        self._begun[index] = Judging(_again(judging.case)) if self._setting.opinion.drain() else judging, beside

    def _begin(self, index: int) -> None:
        """The entries from `index` on that were parsed together, up to one at which this log's judging must stop."""
        self._begun = {}
        for i, entry in self._ahead(index):
            beside = self.beside_of(i)
            self._begun[i] = Judging(self._case(i, entry, beside)), beside
        judgings = [judging for judging, _ in self._begun.values()]
        begin_all(judgings)
        for judging in judgings:
            judging.case.prepare()
        opinion = self._setting.opinion
        if opinion.disagreements:  # each in its turn after all, so that a finding names the entry it is about
            opinion.drain()
            self._begun = {i: (Judging(_again(judging.case)), beside) for i, (judging, beside) in self._begun.items()}

    def _ahead(self, index: int) -> Iterator[tuple[int, UnverifiedEntry]]:
        parsed, usable, altered = self._parsed, self._setting.usable, self._tree.altered
        for i in range(index, self._start + len(parsed)):
            entry = parsed[i - self._start]
            if isinstance(entry, UnverifiedEntry):
                if i in altered or entry.stamp.directory > usable:
                    return
                yield i, entry
            elif entry is None and not self._entries.view:
                return

    def _case(self, index: int, entry: UnverifiedEntry, beside: Beside) -> Case:
        view = self._view("" if self._setting.member is None else self._me(entry.header))
        view.size = index
        sizes = body_sizes(entry.signed.header, self._setting.book.present)
        return Case(view, entry.signed, entry.stamp, beside.openings, sizes)

    def _view(self, me: str) -> View:
        """What is known through these eyes; moved on from entry to entry, and asked by one case at a time."""
        found = self._views.get(me)
        if found is None:
            setting = self._setting
            found = self._views[me] = View(
                party=Party.NODE if me else Party.AUDITOR,
                log=self._origin,
                directory=setting.trust.directory,
                directory_root=setting.directory_roots,
                witnessed=setting.usable,
                facts=self._facts,
                size=0,
                last=None,
                root_at=roots_of(self._tree.tree or MemoryTree()),
                signatures=setting.signatures,
                known=self._known,
                me=me,
                decide=setting.opinion,
            )
        return found

    def _me(self, h: Header) -> str:
        """The node of the member of this view through whose eyes an entry is judged."""
        member = self._setting.member
        if h.member == member:
            return h.sender
        return next((node for node in h.nodes if names.member_of(node) == member), h.sender)

    def beside_of(self, index: int) -> Beside:
        """What lay beside an entry of this log."""
        bundle = index // WIDTH
        if self._besides[0] != bundle:
            self._besides = (bundle, self._read_besides(bundle))
        return self._besides[1].get(index, NOTHING)

    def _read_besides(self, bundle: int) -> dict[int, Beside]:
        path, size = layout.openings_file(self._folder, bundle), self._entries.size
        try:
            data = self._setting.export.read(path, layout.MAX_OPENINGS)
            found = {} if data is None else read_besides(data, bundle)
        except RemoteError as error:
            self._findings.append(file_finding(path, f"cannot be read: {error.what}", "openings of these entries"))
            return {}
        strangers = sorted(i for i in found if i >= size or self._entries.get(i) is None)
        if strangers:
            what = f"has openings of entries that are not here: {strangers}"
            self._findings.append(file_finding(path, what, "no such rows"))
        return found


def _again(case: Case) -> Case:
    """The same case, not begun. A case takes its place from the view, which has moved on to the last one begun."""
    case.view.size = case.index
    return replace(case)


def _parse(raws: Sequence[bytes | None]) -> list[Parsed | None]:
    here = [raw for raw in raws if raw is not None]
    parsed = iter(UnverifiedEntry.parse_each(here))
    return [None if raw is None else next(parsed) for raw in raws]
