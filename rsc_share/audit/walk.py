"""Walking one channel log: every entry before the rulebook, in the log's order, with what lay beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.audit import notices
from rsc_share.audit.beside_checks import Place, openings, statements
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
from rsc_share.audit.docket import Docket
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.judged import ADMITTED, DOUBTED, OPEN, VOID, Judged
from rsc_share.audit.setting import Awaited, Bound, SenderState, Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree
from rsc_share.audit.verdicts import rule_of, void_finding
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError, RscError
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.admit import AHEAD, Admitted, Judging, Void
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
    _unwritten: list[tuple[Admitted | Void, Case, Beside, Place]] = field(default_factory=list)
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
        found = self.docket.entry(index)
        self.position += 1
        self.judged.verdicts.append(VOID)
        if found is None and self.entries.view:
            self.classes.put(index, ONLY_HASH)
        elif found is None or index in self.tree.altered:
            self._stop(index, UNREADABLE, AFTER_DAMAGE)
        elif isinstance(found, RemoteError):
            what = f"entry {index} cannot be read: {found.what}. The relay logged it all the same."
            self._add(Finding(Grade.INTEGRITY, "malformed", what, 1, self.origin, index, rule=rule_of(1)))
        else:
            self._read(index, found)

    def _stop(self, index: int, here: str, after: str) -> None:
        """What follows cannot be judged: numbers, counters and grants would all be wrong."""
        self.classes.put(index, here)
        self.classes.fill(index + 1, after)
        self.judged.verdicts.pop()
        self.position = self.size

    def _read(self, index: int, entry: UnverifiedEntry) -> None:
        h = entry.signed.header
        if entry.stamp.directory > self.setting.usable:
            self._beyond(index, entry.stamp)
        else:
            self._judge(index, entry)
            self.last = entry.stamp
        self.sums.entries[h.sender, h.kind] += 1

    def _beyond(self, index: int, stamp: Stamp) -> None:
        held = self.setting.usable
        if held == self.setting.trust.entries.size:
            what = f"entry {index} was judged under {stamp.directory} directory entries; this export has {held}"
            evidence = {"stamped": stamp.directory, "held": held}
            directory = self.setting.trust.origin
            self._add(
                Finding(Grade.INTEGRITY, "truncated", what, log=directory, when=stamp.logged_at, evidence=evidence)
            )
        self._stop(index, NO_DIRECTORY, NO_DIRECTORY)

    def _judge(self, index: int, entry: UnverifiedEntry) -> None:
        judging, beside = self.docket.take(index)
        h, case = entry.signed.header, judging.case
        place = Place(self.origin, index, entry.stamp.logged_at, self.setting.member)
        case.view.last, case.view.confirmed_at = self.last, entry.stamp.logged_at
        self.asks(entry.stamp)
        try:
            verdict = judging.verdict()
        except Awaited:
            self._wait(index, judging, beside)
            raise
        except RscError as error:
            what = f"entry {index} could not be judged: {error.what}"
            self._add(place.finding(Grade.INTEGRITY, error.code, what, h.sender))
            self.judged.verdicts[index] = OPEN
            return
        self.facts.update(verdict.effects)
        if isinstance(verdict, Admitted):
            self.judged.verdicts[index] = DOUBTED if verdict.unchecked else ADMITTED
        if self.setting.opinion.disagreements:
            self.findings.extend(notices.opinions(place, self.setting.opinion.drain()))
        self._unwritten.append((verdict, case, beside, place))
        if len(self._unwritten) >= AHEAD:
            self._write()

    def _wait(self, index: int, judging: Judging, beside: Beside) -> None:
        """As if the entry had not been come to. Whatever is asked about it is asked again."""
        self.docket.put_back(index, judging, beside)
        self.judged.verdicts.pop()
        self.position = index

    def _write(self) -> None:
        """Take down what was judged, for some at a time: no later verdict asks for it."""
        for verdict, case, _, place in self._unwritten:
            if isinstance(verdict, Admitted):
                self._admitted(case, verdict, place)
            else:
                self._add(void_finding(verdict, self.origin, case.at if case.stamp.directory > 0 else None))
        for _, case, beside, place in self._unwritten:
            self._besides_of(case.header, beside, case, place)
        for _, case, _, place in self._unwritten:
            if case.stamp.directory > 0:
                notices.times(place, case.stamp, self.bounds, case.parameters.skew, self.findings)
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

    def _admitted(self, case: Case, verdict: Admitted, place: Place) -> None:
        h = case.header
        self.classes.put(verdict.index, CHECKED if not verdict.unchecked else verdict.unchecked[0].reason)
        for item in verdict.unchecked:
            self._add(notices.not_checkable(place, h, item))
        state = self.senders.get(h.sender) or self.senders.setdefault(h.sender, SenderState())
        state.entries += not verdict.unchecked
        if h.kind == "heartbeat":
            state.heartbeat = case.now
        if verdict.kept_back and self.setting.member is not None:
            self._add(notices.kept_back(place, h.sender, case.view.me, verdict.kept_back))
        self.setting.book.order(h)
        if h.label is not None and self.setting.member is None:
            notices.left_out(case, place, self.findings)

    def _besides_of(self, h: Header, beside: Beside, case: Case, place: Place) -> None:
        openings(case, beside, place, self.findings)
        if h.kind == "heartbeat" or beside.statements:
            self.findings.extend(statements(h, beside, place))
        self.sums.openings += len(beside.openings)
        self.sums.statements += len(beside.statements)
        if case.stamp.directory > 0:
            spec = case.at.charter.channels.get(self._channel)
            keep = spec.retention_days if spec is not None else None
            self.setting.book.note(h, place, case.parameters.grant_life, keep)

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
