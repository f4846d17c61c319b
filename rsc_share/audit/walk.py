"""Walking one channel log: every entry before the rulebook, in the log's order, with what lay beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.audit import notices
from rsc_share.audit.beside_checks import Place, all_open, openings, statements
from rsc_share.audit.besides import Beside
from rsc_share.audit.classes import (
    AFTER_DAMAGE,
    CHECKED,
    NO_DIRECTORY,
    ONLY_HASH,
    UNREADABLE,
    Classes,
    Sums,
)
from rsc_share.audit.docket import Docket, Ready
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.judged import ADMITTED, DOUBTED, OPEN, VOID, Judged
from rsc_share.audit.setting import Awaited, Bound, SenderState, Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree
from rsc_share.audit.verdicts import rule_of, void_finding
from rsc_share.envelope.contents import ERASING
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError, RscError
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.admit import AHEAD, Admitted, Void
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
    _now: int = 0
    _unwritten: list[tuple[Admitted | Void, Case, Beside]] = field(default_factory=list)
    _channel: str = field(init=False)

    def __post_init__(self) -> None:
        self._channel = names.channel_of(self.origin)
        self.judged = Judged(self.entries, self.setting, self.bounds)
        self.docket = Docket(
            self.origin, self.folder, self.entries, self.tree, self.setting, self.facts, self.known, self.findings
        )

    @property
    def size(self) -> int:
        return self.entries.size

    def needs(self, end: int) -> bool:
        """Whether `run_to` has something to judge."""
        return self.tree.tree is not None and self.position < min(end, self.size)

    def run_to(self, end: int) -> Ref | None:
        """Judge everything below `end`, or up to an entry that waits for another log: what it waits for."""
        try:
            while self.position < min(end, self.size):
                if self.position % WIDTH == 0:
                    self.setting.progress(self.origin, self.position, self.size)
                self._step()
        except Awaited as awaited:
            self.busy = True
            return awaited.ref
        self._write()
        self.busy = False
        return None

    def _step(self) -> None:
        index = self.position
        found = self.docket.take(index)
        self.position = index + 1
        self.judged.verdicts.append(VOID)
        if isinstance(found, Ready):
            self._judge(index, found)
        elif found is None and self.entries.view:
            self.classes.put(index, ONLY_HASH)
        elif found is None or index in self.tree.altered:
            self._stop(index, UNREADABLE, AFTER_DAMAGE)
        elif isinstance(found, RemoteError):
            what = f"entry {index} cannot be read: {found.what}. The relay logged it all the same."
            self._add(Finding(Grade.INTEGRITY, "malformed", what, 1, self.origin, index, rule=rule_of(1)))
        else:
            self._beyond(index, found)

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
            self._add(
                Finding(Grade.INTEGRITY, "truncated", what, log=directory, when=stamp.logged_at, evidence=evidence)
            )
        self._stop(index, NO_DIRECTORY, NO_DIRECTORY)
        self.sums.entries[entry.header.sender, entry.header.kind] += 1

    def _judge(self, index: int, ready: Ready) -> None:
        case = ready.judging.case
        stamp, view = case.stamp, case.view
        view.last, view.confirmed_at = self.last, stamp.logged_at
        self.asks(stamp)
        try:
            verdict = ready.judging.verdict()
        except Awaited:
            self._wait(index, ready)
            raise
        except RscError as error:
            self._open(case, error)
            verdict = None
        if verdict is not None:
            self.facts.update(verdict.effects)
            if isinstance(verdict, Admitted):
                self.judged.verdicts[index] = DOUBTED if verdict.unchecked else ADMITTED
            if self.setting.opinion.disagreements:
                self.findings.extend(notices.opinions(self._place(case), self.setting.opinion.drain()))
            self._unwritten.append((verdict, case, ready.beside))
        self.last = stamp
        if len(self._unwritten) >= AHEAD:
            self._write()

    def _open(self, case: Case, error: RscError) -> None:
        h, what = case.header, f"entry {case.index} could not be judged: {error.what}"
        self._add(self._place(case).finding(Grade.INTEGRITY, error.code, what, h.sender))
        self.judged.verdicts[case.index] = OPEN
        self.sums.entries[h.sender, h.kind] += 1

    def _wait(self, index: int, ready: Ready) -> None:
        """As if the entry had not been come to. Whatever is asked about it is asked again."""
        self.docket.put_back(index, ready)
        self.judged.verdicts.pop()
        self.position = index

    def _place(self, case: Case) -> Place:
        return Place(self.origin, case.index, case.now, self.setting.member)

    def _write(self) -> None:
        """Take down what was judged, for some at a time: no later verdict asks for it."""
        cases = [case for _, case, _ in self._unwritten]
        self.sums.entries.update([(case.header.sender, case.header.kind) for case in cases])
        for verdict, case, _ in self._unwritten:
            if isinstance(verdict, Admitted):
                self._admitted(case, verdict)
            else:
                self._add(void_finding(verdict, self.origin, case.at if case.stamp.directory > 0 else None))
        for _, case, beside in self._unwritten:
            self._besides_of(case, beside)
        for case in notices.out_of_time(cases, self.bounds):
            notices.times(self._place(case), case, self.bounds, self.findings)
        self._unwritten.clear()

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

    def _admitted(self, case: Case, verdict: Admitted) -> None:
        h, unchecked = case.header, verdict.unchecked
        self.classes.put(case.index, unchecked[0].reason if unchecked else CHECKED)
        for item in unchecked:
            self._add(notices.not_checkable(self._place(case), h, item))
        state = self.senders.get(h.sender) or self.senders.setdefault(h.sender, SenderState())
        state.entries += not unchecked
        if h.kind == "heartbeat":
            state.heartbeat = case.now
        elif h.kind in ERASING:
            self.setting.book.order(h)
        full = self.setting.member is None
        if verdict.kept_back and not full:
            self._add(notices.kept_back(self._place(case), h.sender, case.view.me, verdict.kept_back))
        if full and h.label is not None and case.unaddressed:
            notices.left_out(case, self._place(case), self.findings)

    def _besides_of(self, case: Case, beside: Beside) -> None:
        h = case.header
        if self.setting.member is not None or not all_open(case, beside):
            openings(case, beside, self._place(case), self.findings)
        if h.kind == "heartbeat" or beside.statements:
            self.findings.extend(statements(h, beside, self._place(case)))
        self.sums.openings += len(beside.openings)
        self.sums.statements += len(beside.statements)
        if case.stamp.directory > 0:
            missing = self.setting.book.note(h, self.setting.member)
            if missing:
                self._miss(case, missing)

    def _miss(self, case: Case, digests: list[bytes]) -> None:
        spec = case.at.charter.channels.get(self._channel)
        keep = spec.retention_days if spec is not None else None
        self.setting.book.miss(case.header, self._place(case), digests, case.parameters.grant_life, keep)

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)

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
