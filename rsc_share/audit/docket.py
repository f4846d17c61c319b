"""The cases of one log, made ready a few at a time: parsed, with what lay beside them, and begun.

One after the other they cost less than each in its turn: what parses an entry and verifies its signature stays in the
processor's cache, out of which all the other rows would drive it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rsc_share import names
from rsc_share.audit import layout
from rsc_share.audit.beside_checks import body_sizes
from rsc_share.audit.besides import NOTHING, Beside, read_besides
from rsc_share.audit.findings import Finding, file_finding
from rsc_share.audit.setting import Setting, roots_of
from rsc_share.audit.source import named_by
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
from rsc_share.value import Value, replace

Parsed = UnverifiedEntry | RemoteError


class Ready(Value, frozen=True):
    """A case that was begun, and what lay beside its entry."""

    judging: Judging
    beside: Beside


class Docket:
    """Of the log `origin`. `findings` is told of files beside the entries that cannot be read."""

    __slots__ = (
        "_besides",
        "_entries",
        "_facts",
        "_findings",
        "_folder",
        "_known",
        "_origin",
        "_row",
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
        self._row: list[Ready | Parsed | None] = []
        self._besides: tuple[int, dict[int, Beside]] = (-1, {})
        self._views: dict[str, View] = {}

    def row(self, index: int) -> list[Ready | Parsed | None]:
        """What became of the entries from `index` on that are parsed together: cases, begun; the entry alone, where
        this log's judging must stop; or why it cannot be read. None where its bytes are not here."""
        offset = index % AHEAD
        if self._start != index - offset:
            self._read(index - offset)
            self._begin(offset)
        return self._row[offset:]

    def put_back(self, index: int, ready: Ready) -> None:
        """It was taken too early, and can be taken again."""
        if self._setting.opinion.drain():
            self._row[index - self._start] = _again(ready)

    def _read(self, start: int) -> None:
        self._start, self._row = start, []  # what was taken goes before anything new is made in its place
        entries, first = self._entries.bundle(start // WIDTH), start % WIDTH
        width = min(AHEAD, self._entries.size - start)
        self._row = _parse(entries[first : first + AHEAD]) if entries else [None] * width

    def _begin(self, offset: int) -> None:
        """Make and begin the cases of the entries from `offset` on, up to one at which this log's judging must stop."""
        begun = self._cases(offset)
        judgings = [ready.judging for ready in begun]
        begin_all(judgings)
        for judging in judgings:
            judging.case.prepare()
        opinion = self._setting.opinion
        if opinion.disagreements:  # each in its turn after all, so that a finding names the entry it is about
            opinion.drain()
            self._row = [_again(found) if isinstance(found, Ready) else found for found in self._row]

    def _cases(self, offset: int) -> list[Ready]:
        row, start, setting, altered = self._row, self._start, self._setting, self._tree.altered
        usable, present, view = setting.usable, setting.book.present, self._view("")
        here, besides = all(map(present.__contains__, named_by(self._headers()))), None
        begun = []
        for at in range(offset, len(row)):
            entry = row[at]
            if isinstance(entry, UnverifiedEntry):
                index, signed = start + at, entry.signed
                if index in altered or entry.stamp.directory > usable:
                    break
                if besides is None:
                    besides = self._besides_of(start // WIDTH)
                if setting.member is not None:
                    view = self._view(self._me(signed.header))
                beside, view.size = besides.get(index, NOTHING), index
                sizes = present if here else body_sizes(signed.header, present)
                case = Case(view, signed, entry.stamp, beside.openings, sizes)
                ready = row[at] = Ready(Judging(case), beside)
                begun.append(ready)
            elif (entry is None and not self._entries.view) or (not begun and start + at in altered):
                break  # the walk goes no further, and nothing stands before it for which to begin what follows
        return begun

    def _headers(self) -> list[Header]:
        return [entry.signed.header for entry in self._row if isinstance(entry, UnverifiedEntry)]

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
        return self._besides_of(index // WIDTH).get(index, NOTHING)

    def _besides_of(self, bundle: int) -> dict[int, Beside]:
        if self._besides[0] != bundle:
            self._besides = (bundle, self._read_besides(bundle))
        return self._besides[1]

    def _read_besides(self, bundle: int) -> dict[int, Beside]:
        path, first = layout.openings_file(self._folder, bundle), bundle * WIDTH
        try:
            data = self._setting.export.read(path, layout.MAX_OPENINGS)
            found = {} if data is None else read_besides(data, bundle)
        except RemoteError as error:
            self._findings.append(file_finding(path, f"cannot be read: {error.what}", "openings of these entries"))
            return {}
        entries = self._entries.bundle(bundle)
        if not self._entries.view and max(found, default=0) < first + len(entries):
            return found
        strangers = [i for i in found if i - first >= len(entries) or entries[i - first] is None]
        if strangers:
            what = f"has openings of entries that are not here: {strangers}"
            self._findings.append(file_finding(path, what, "no such rows"))
        return found


def _again(ready: Ready) -> Ready:
    """The same case, not begun. A case takes its place from the view, which has moved on to the last one begun."""
    case = ready.judging.case
    case.view.size = case.index
    return Ready(Judging(replace(case)), ready.beside)


def _parse(raws: Sequence[bytes | None]) -> list[Ready | Parsed | None]:
    here = [raw for raw in raws if raw is not None]
    parsed = iter(UnverifiedEntry.parse_each(here))
    return [None if raw is None else next(parsed) for raw in raws]
