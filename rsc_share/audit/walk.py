"""Walking one channel log: every entry before the rulebook, in the log's order, with what lay beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from rsc_share.audit import notices
from rsc_share.audit.besides import Beside
from rsc_share.audit.classes import (
    AFTER_DAMAGE,
    NO_DIRECTORY,
    ONLY_HASH,
    UNREADABLE,
    Classes,
    Sums,
)
from rsc_share.audit.docket import Docket, Parsed, Ready
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.judged import ADMITTED, DOUBTED, OPEN, VOID, Judged
from rsc_share.audit.record import Judgement, Record
from rsc_share.audit.setting import Awaited, Bound, SenderState, Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree
from rsc_share.audit.verdicts import rule_of
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError, RscError
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.admit import Admitted
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import MutableFacts
from rsc_share.rulebook.unseen import Unseen
from rsc_share.rulebook.view import RootAt, Source


@dataclass(slots=True)
class Walk:
    """One channel log. `run_to` may be called again and again; entries before `position` are judged."""

    origin: str
    folder: str
    entries: Entries
    tree: LogTree
    setting: Setting
    bounds: tuple[Bound, ...]
    classes: Classes
    findings: list[Finding] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    senders: dict[str, SenderState] = field(default_factory=dict)
    facts: MutableFacts = field(default_factory=dict)
    position: int = 0
    last: Stamp | None = None
    busy: bool = False
    judged: Judged = field(init=False)
    docket: Docket = field(init=False)
    record: Record = field(init=False)
    _now: int = 0
    _unwritten: list[Judgement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judged = Judged(self.entries, self.setting, self.bounds)
        self.docket = Docket(
            self.origin, self.folder, self.entries, self.tree, self.setting, self.facts, self.known, self.findings
        )
        self.record = Record(
            self.origin, self.setting, self.bounds, self.classes, self.findings, self.sums, self.senders
        )

    @property
    def size(self) -> int:
        return self.entries.size

    def needs(self, end: int) -> bool:
        """Whether `run_to` has something to judge."""
        return self.tree.tree is not None and self.position < min(end, self.size)

    def run_to(self, end: int) -> Ref | None:
        """Judge everything below `end`, or up to an entry that waits for another log: what it waits for."""
        end = min(end, self.size)
        try:
            while self.position < end:
                if self.position % WIDTH == 0:
                    self.setting.progress(self.origin, self.position, self.size)
                self._row(end)
                self._write()
        except Awaited as awaited:
            self.busy = True
            return awaited.ref
        self.busy = False
        return None

    def _row(self, end: int) -> None:
        """Judge the next entries that were parsed together, below `end`, up to one where judging must stop."""
        verdicts, index = self.judged.verdicts, self.position
        for found in self.docket.row(index)[: end - index]:
            self.position = index + 1
            verdicts.append(VOID)
            if isinstance(found, Ready):
                self._judge(index, found)
            elif not self._passes(index, found):
                return
            index += 1

    def _passes(self, index: int, found: Parsed | None) -> bool:
        """Take down an entry that cannot be judged; whether those after it can."""
        if found is None and self.entries.view:
            self.classes.put(index, ONLY_HASH)
            return True
        if found is None or index in self.tree.altered:
            self._stop(index, UNREADABLE, AFTER_DAMAGE)
            return False
        if isinstance(found, RemoteError):
            what = f"entry {index} cannot be read: {found.what}. The relay logged it all the same."
            self.findings.append(Finding(Grade.INTEGRITY, "malformed", what, 1, self.origin, index, rule=rule_of(1)))
            return True
        self._beyond(index, found)
        return False

    def _stop(self, index: int, here: str, after: str) -> None:
        """What follows cannot be judged: numbers, counters and grants would all be wrong."""
        self.classes.put(index, here)
        self.classes.fill(index + 1, after)
        self.judged.verdicts.pop()
        self.position = self.size

    def _beyond(self, index: int, entry: UnverifiedEntry) -> None:
        held, stamp = self.setting.usable, entry.stamp
        if held == self.setting.trust.entries.size:
            what = f"entry {index} was judged under {stamp.directory} directory entries; this export has {held}"
            evidence = {"stamped": stamp.directory, "held": held}
            directory = self.setting.trust.origin
            self.findings.append(
                Finding(Grade.INTEGRITY, "truncated", what, log=directory, when=stamp.logged_at, evidence=evidence)
            )
        self._stop(index, NO_DIRECTORY, NO_DIRECTORY)
        self.sums.entries[entry.header.sender, entry.header.kind] += 1

    def _judge(self, index: int, ready: Ready) -> None:
        judging, opinion = ready.judging, self.setting.opinion
        case = judging.case
        view, stamp = case.view, case.stamp
        view.last, view.confirmed_at = self.last, stamp.logged_at
        self._now = stamp.logged_at
        try:
            verdict = judging.verdict()
        except Awaited:
            self._wait(index, ready)
            raise
        except RscError as error:
            self._open(case, error)
        else:
            self.facts.update(verdict.effects)
            if isinstance(verdict, Admitted):
                self.judged.verdicts[index] = DOUBTED if verdict.unchecked else ADMITTED
            if opinion.disagreements:
                self.findings.extend(notices.opinions(self.record.place(case), opinion.drain()))
            self._unwritten.append((verdict, case, ready.beside))
        self.last = stamp

    def _open(self, case: Case, error: RscError) -> None:
        h, what = case.header, f"entry {case.index} could not be judged: {error.what}"
        self.findings.append(self.record.place(case).finding(Grade.INTEGRITY, error.code, what, h.sender))
        self.judged.verdicts[case.index] = OPEN
        self.sums.entries[h.sender, h.kind] += 1

    def _wait(self, index: int, ready: Ready) -> None:
        """As if the entry had not been come to. Whatever is asked about it is asked again."""
        self.docket.put_back(index, ready)
        self.judged.verdicts.pop()
        self.position = index

    def _write(self) -> None:
        self.record.take_down(self._unwritten)
        self._unwritten.clear()

    def admitted(self, index: int) -> bool:
        """Whether the rulebook admitted an entry, as far as it could be judged: its signature and approvals stand."""
        return self.judged.admitted(index)

    def roots(self) -> RootAt:
        """The roots of this log's tree."""
        return roots_of(self.tree.tree or MemoryTree())

    def asks(self, stamp: Stamp) -> None:
        """Whose references `known` looks up from now on."""
        self._now = stamp.logged_at

    def known(self, ref: Ref) -> Source | Unseen | None:
        """What an entry of this or another log said that the one under judgement refers to. Raises `Awaited`."""
        return self.source(ref, self._now) if ref.log == self.origin else self.setting.known(ref, self._now)

    def source(self, ref: Ref, asked: int) -> Source | Unseen | None:
        """What an entry of this log said that one logged at `asked` (ms) refers to."""
        return self.judged.source(ref, asked, stopped=self.position >= self.size)

    def at(self, index: int) -> UnverifiedEntry | None:
        """An entry, judged or not; None where it cannot be read, or is not what the log signed."""
        if self.tree.tree is None or index >= self.size or index in self.tree.altered:
            return None
        with suppress(RemoteError):
            return UnverifiedEntry.parse(self.entries.get(index) or b"")
        return None

    def beside_of(self, index: int) -> Beside:
        """What lay beside an entry of this log."""
        return self.docket.beside_of(index)
