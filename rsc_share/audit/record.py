"""Taking down what was found about the entries of one log, a row of them at a time: no later verdict asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from rsc_share import names
from rsc_share.audit import notices
from rsc_share.audit.beside_checks import Place, openings, statements
from rsc_share.audit.besides import Beside
from rsc_share.audit.classes import CHECKED, Classes, Sums
from rsc_share.audit.findings import Finding
from rsc_share.audit.setting import Bound, SenderState, Setting
from rsc_share.audit.verdicts import void_finding
from rsc_share.envelope.contents import ERASING
from rsc_share.envelope.header import Header
from rsc_share.rulebook.admit import Admitted, Void
from rsc_share.rulebook.case import Case

Judgement = tuple[Admitted | Void, Case, Beside]
_sender_and_kind = attrgetter("sender", "kind")


class Record:
    """Of the log `origin`. Everything that is handed over is added to."""

    __slots__ = ("_bounds", "_channel", "_classes", "_findings", "_origin", "_senders", "_setting", "_sums")

    def __init__(
        self,
        origin: str,
        setting: Setting,
        bounds: Sequence[Bound],
        classes: Classes,
        findings: list[Finding],
        sums: Sums,
        senders: dict[str, SenderState],
    ) -> None:
        self._origin, self._channel, self._setting, self._bounds = origin, names.channel_of(origin), setting, bounds
        self._classes, self._findings, self._sums, self._senders = classes, findings, sums, senders

    def place(self, case: Case) -> Place:
        """Where an entry stands: made where there is something to say about it."""
        return Place(self._origin, case.index, case.now, self._setting.member)

    def take_down(self, row: Sequence[Judgement]) -> None:
        """Take down all about these entries."""
        cases = [case for _, case, _ in row]
        if self._setting.member is not None:
            self._findings += notices.not_of_the_view(self._setting.member, map(self.place, cases), cases)
        self._sums.entries.update(map(_sender_and_kind, [case.header for case in cases]))
        self._verdicts(row)
        self._besides(row)
        stamped = [case for case in cases if case.stamp.directory > 0]
        self._bodies(stamped)
        for case in notices.out_of_time(stamped, self._bounds):
            notices.times(self.place(case), case.parameters.skew, self._bounds, self._findings)

    def _verdicts(self, row: Sequence[Judgement]) -> None:
        findings, senders, full = self._findings, self._senders, self._setting.member is None
        checked = []
        for verdict, case, _ in row:
            if isinstance(verdict, Void):
                findings.append(self._void(verdict, case))
                continue
            h = case.header
            state = senders.get(h.sender) or senders.setdefault(h.sender, SenderState())
            if verdict.unchecked:
                self._classes.put(case.index, verdict.unchecked[0].reason)
                findings += [notices.not_checkable(self.place(case), h, item) for item in verdict.unchecked]
            else:
                checked.append(case.index)
                state.entries += 1
            if verdict.kept_back and not full:
                findings.append(notices.kept_back(self.place(case), h.sender, case.view.me, verdict.kept_back))
            if h.label is None:
                self._act(h, state, case.now)
            elif full and case.unaddressed:
                notices.left_out(case, self.place(case), findings)
        self._classes.put_all(checked, CHECKED)

    def _void(self, verdict: Void, case: Case) -> Finding:
        made, held = self._setting.makers.made(verdict.signed), self._setting.usable
        return void_finding(verdict, self._origin, case.at if case.stamp.directory > 0 else None, made=made, held=held)

    def _act(self, h: Header, state: SenderState, now: int) -> None:
        if h.kind == "heartbeat":
            state.heartbeat = now
        elif h.kind in ERASING:
            self._setting.book.order(h)

    def _besides(self, row: Sequence[Judgement]) -> None:
        findings, sums, full = self._findings, self._sums, self._setting.member is None
        for _, case, beside in row:
            shown = len(beside.openings)
            if not full or not len(case.opened) == shown == len(case.nodes):  # else each opens, and there is no other
                openings(case, beside, self.place(case), findings)
            sums.openings += shown
            if beside.statements or case.header.kind == "heartbeat":
                sums.statements += len(beside.statements)
                findings += statements(case.header, beside, self.place(case))

    def _bodies(self, cases: Sequence[Case]) -> None:
        book, member = self._setting.book, self._setting.member
        if book.note([case.header for case in cases], member):
            return
        for case in cases:
            spec = case.at.charter.channels.get(self._channel)
            keep = spec.retention_days if spec is not None else None
            book.miss(case.header, self.place(case), case.parameters.grant_life, keep)
