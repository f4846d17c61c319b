"""The audit of one export: directory first, then every channel, then what only the whole shows.

    result = replay(Folder(path), Anchors(charter_digest=pin, checkpoints={"EST, by courier": note}))

Pure but for reading the files it was given: no clock, no network, no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rsc_share.audit import reference
from rsc_share.audit.anchors import Anchored, Anchors, hold_against
from rsc_share.audit.attachments import Held, hold_against_entries
from rsc_share.audit.behind import orders_behind
from rsc_share.audit.bodies import BodyBook
from rsc_share.audit.classes import ELSEWHERE, FINDING, IN_DAMAGE, NO_DIRECTORY, NO_TREE, Classes
from rsc_share.audit.custody import check_custody
from rsc_share.audit.files import Files
from rsc_share.audit.findings import Finding, Grade, ordered
from rsc_share.audit.heads import Head, check_closed, check_head, check_vkeys, knowing, unknown, verify_head
from rsc_share.audit.load import Export, load
from rsc_share.audit.log_files import LogFiles
from rsc_share.audit.made import Makers
from rsc_share.audit.notices import bounds_of, directory_times
from rsc_share.audit.second import Ask, SecondOpinion
from rsc_share.audit.setting import Awaited, CountingCache, Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree, recompute
from rsc_share.audit.trust import Trust, establish, unconfirmed
from rsc_share.audit.walk import Walk
from rsc_share.audit.whole import all_read, check_ends, elsewhere, named_by_charters, newest_time, unexported
from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError, RscError
from rsc_share.log.tree import MemoryTree
from rsc_share.progress import Progress, silent
from rsc_share.rulebook.unseen import Unseen
from rsc_share.rulebook.view import Source


@dataclass(frozen=True, slots=True)
class Replay:
    """Everything an audit found, as values: the report is made from this and nothing else."""

    export: Export
    anchored: Anchored
    pin: bytes
    trust: Trust
    walks: Mapping[str, Walk]
    heads: Mapping[str, Head]
    bodies: BodyBook
    attachments: Held
    newest: int
    decisions: int
    distinct: int
    signatures: int
    findings: tuple[Finding, ...]

    @property
    def classes(self) -> dict[str, Classes]:
        """Of every log, the directory first."""
        return {self.trust.origin: self.trust.classes, **{origin: walk.classes for origin, walk in self.walks.items()}}


def replay(
    files: Files,
    anchors: Anchors,
    *,
    member: str | None = None,
    progress: Progress = silent,
    second: Ask = reference.decide,
    blobs: Path | None = None,
) -> Replay:
    """Audit an export. `member` must be the one the export is cut to, None for a full one.

    `blobs`: a folder of attachments that lie apart. `progress(log, done, total)` is called for every 256 entries.
    Raises `RemoteError` (`unreadable-export`) where there is nothing to audit, and `LocalError` (`other-view`) for
    another view than the export's.
    """
    export = load(files)
    _right_view(export, member)
    return _Audit(
        export, anchors, None if export.manifest.view == "full" else export.manifest.view, progress, second, blobs
    ).run()


def _right_view(export: Export, member: str | None) -> None:
    view = export.manifest.view
    if view != (member or view):
        raise LocalError(f"this export is the view {view}, not {member}", code="other-view")


class _Audit:
    def __init__(
        self,
        export: Export,
        anchors: Anchors,
        member: str | None,
        progress: Progress,
        second: Ask,
        blobs: Path | None,
    ) -> None:
        self.export, self.anchors, self.member, self.progress, self.blobs = export, anchors, member, progress, blobs
        self.pin = anchors.charter_digest or export.manifest.framework_id
        self.opinion, self.signatures = SecondOpinion(second), CountingCache()
        self.book = BodyBook(export.bodies, export.absent)
        self.findings: list[Finding] = list(export.findings)
        self.named: frozenset[str] = frozenset()
        self.elsewhere: frozenset[str] = frozenset()
        self.heads: dict[str, Head] = {}
        self.walks: dict[str, Walk] = {}

    def run(self) -> Replay:
        trust = establish(self.export, self.pin, self.progress)
        self.findings += [*trust.findings, *check_custody(self.export, trust, self.anchors.charter_digest)]
        logs = self._logs(trust)
        trees = {log.checkpoint.origin: recompute(self.export, log, entries) for log, entries in logs}
        anchored = hold_against(self.anchors, trust, {trust.origin: trust.tree, **trees})
        self.findings += anchored.findings
        self.named = named_by_charters(trust)
        self.findings += directory_times(trust, bounds_of(trust.origin, trust.head, anchored))
        setting = self._setting(trust)
        for log, entries in logs:
            self._walk(log, entries, trees[log.checkpoint.origin], setting, anchored)
        self.elsewhere = elsewhere(trust, self.named, self.walks)
        for origin in sorted(self.walks):
            self._judge(self.walks[origin])
            self.progress(origin, self.walks[origin].size, self.walks[origin].size)
        for origin in sorted(self.walks):
            self.findings += orders_behind(self.walks[origin], setting)
        return self._result(trust, anchored)

    def _logs(self, trust: Trust) -> list[tuple[LogFiles, Entries]]:
        found = [(log, Entries(self.export, log, self.member is not None)) for log in self.export.logs.values()]
        return [(log, entries) for log, entries in found if log.checkpoint.origin != trust.origin]

    def _setting(self, trust: Trust) -> Setting:
        return Setting(
            export=self.export,
            trust=trust,
            usable=trust.usable,
            makers=Makers(trust),
            directory_roots=roots_of(trust.tree.tree or MemoryTree()),
            opinion=self.opinion,
            signatures=self.signatures,
            book=self.book,
            member=self.member,
            known=self._known,
            progress=self.progress,
        )

    def _known(self, ref: Ref, asked: int) -> Source | Unseen | None:
        """An entry of another log, judged first where it has not been: who refers to it at `asked` saw it logged.

        A log that no charter ever had is nowhere; one that is not here may say anything.
        """
        walk = self.walks.get(ref.log)
        if walk is None:
            return Unseen(ELSEWHERE) if ref.log in self.elsewhere else None
        there = walk.at(ref.index)
        if there is not None and there.stamp.logged_at > asked + 2 * walk.setting.skew:
            return None
        if not walk.needs(ref.index + 1):
            return walk.source(ref, asked)
        if not walk.busy:
            raise Awaited(ref)
        # Of two that wait for each other one lies about what was there before it; not the one that asks, perhaps.
        other = there is not None and there.signed.header_hash != ref.header_hash
        return None if other else Unseen(IN_DAMAGE)

    def _judge(self, walk: Walk) -> None:
        """All of a log, and of others as far as its entries refer to them."""
        waiting = [(walk, walk.size)]
        while waiting:
            current, end = waiting[-1]
            awaited = current.run_to(end)
            if awaited is None:
                waiting.pop()
            else:
                waiting.append((self.walks[awaited.log], awaited.index + 1))

    def _walk(self, log: LogFiles, entries: Entries, tree: LogTree, setting: Setting, anchored: Anchored) -> None:
        origin = log.checkpoint.origin
        self.findings += tree.findings
        classes = Classes(entries.size)
        head = None
        if tree.tree is not None and setting.trust.usable:
            head = self._head(log, setting.trust)
            self.findings += check_closed(setting.trust.directory, origin, tree.tree)
        walk = Walk(origin, log.folder, entries, tree, setting, bounds_of(origin, head, anchored), classes)
        if head is None:
            classes.fill(0, NO_DIRECTORY if not setting.trust.usable else NO_TREE)
            walk.position = walk.size
        else:
            self.heads[origin] = head
        self.walks[origin] = walk

    def _head(self, log: LogFiles, trust: Trust) -> Head | None:
        origin, now = log.checkpoint.origin, trust.directory.logged_at(trust.usable - 1)
        try:
            view = knowing(trust.directory, origin) if origin in self.named else unknown(origin)
            head, strangers = verify_head(log.note, view, origin, now)
        except RscError as error:
            what = f"the checkpoint of {origin} does not verify: {error.what}"
            self.findings.append(Finding(Grade.INTEGRITY, "checkpoint", what, log=origin))
            return None
        self.findings += [*check_head(log, head, strangers), *check_vkeys(log, view, now)]
        return head

    def _result(self, trust: Trust, anchored: Anchored) -> Replay:
        heads = dict(self.heads) if trust.head is None else {trust.origin: trust.head, **self.heads}
        newest = newest_time(trust, self.walks, heads.values())
        for walk in self.walks.values():
            self.findings += walk.findings
        self.findings += self.book.findings(newest, whole=all_read(self.export, self.walks))
        attachments = hold_against_entries(self.book.apart, self.blobs, self.progress)
        self.findings += attachments.findings
        if trust.usable:
            self.findings += check_ends(self.export, trust, anchored, heads, newest)
            self.findings += [*unexported(self.export, trust), *unconfirmed(trust, newest)]
        result = Replay(
            export=self.export,
            anchored=anchored,
            pin=self.pin,
            trust=trust,
            walks={origin: self.walks[origin] for origin in sorted(self.walks)},
            heads=heads,
            bodies=self.book,
            attachments=attachments,
            newest=newest,
            decisions=self.opinion.asked,
            distinct=self.opinion.distinct,
            signatures=self.signatures.count,
            findings=ordered(self.findings),
        )
        _settle(result)
        return result


def _settle(result: Replay) -> None:
    """An entry with a finding above an observation is in the class of findings, whoever found it."""
    classes = result.classes
    for finding in result.findings:
        held = classes.get(finding.log)
        if held is not None and finding.index is not None and finding.grade != Grade.OBSERVATION:
            held.put(finding.index, FINDING)


__all__ = ["Anchors", "Replay", "replay"]
