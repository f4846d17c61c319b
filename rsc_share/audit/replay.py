"""The audit of one export: directory first, then every channel, then what only the whole shows.

    result = replay(Folder(path), Anchors(charter_digest=pin, checkpoints={"EST, by courier": note}))

Pure but for reading the files it was given: no clock, no network, no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rsc_share import names
from rsc_share.audit import reference
from rsc_share.audit.anchors import Anchored, Anchors, hold_against
from rsc_share.audit.attachments import Held, hold_against_entries
from rsc_share.audit.behind import orders_behind
from rsc_share.audit.bodies import BodyBook
from rsc_share.audit.classes import AFTER_DAMAGE, ELSEWHERE, FINDING, NO_DIRECTORY, NO_TREE, UNREADABLE, Classes
from rsc_share.audit.custody import check_charters, check_manifest, check_time, strangers
from rsc_share.audit.ends import ends_early, ends_unconfirmed
from rsc_share.audit.files import Files
from rsc_share.audit.findings import Finding, Grade, ordered
from rsc_share.audit.heads import Head, check_closed, check_head, check_vkeys, knowing, verify_head
from rsc_share.audit.load import Export, LogFiles, load
from rsc_share.audit.second import Ask, SecondOpinion
from rsc_share.audit.setting import Bound, CountingCache, Setting, roots_of
from rsc_share.audit.tree import Entries, LogTree, recompute
from rsc_share.audit.trust import Trust, establish, unconfirmed
from rsc_share.audit.walk import Walk
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
        self.elsewhere: frozenset[str] = frozenset()
        self.heads: dict[str, Head] = {}
        self.walks: dict[str, Walk] = {}

    def run(self) -> Replay:
        trust = establish(self.export, self.pin, self.progress)
        self.findings += [*trust.findings, *self._custody(trust)]
        logs = self._logs(trust)
        trees = {log.checkpoint.origin: recompute(self.export, log, entries) for log, entries in logs}
        anchored = hold_against(self.anchors, trust, {trust.origin: trust.tree, **trees})
        self.findings += anchored.findings
        setting = self._setting(trust)
        for log, entries in logs:
            self._walk(log, entries, trees[log.checkpoint.origin], setting, anchored)
        self.elsewhere = self._elsewhere(trust)
        for origin in sorted(self.walks):
            self.walks[origin].run_to(self.walks[origin].size)
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
        walk.run_to(ref.index + 1)
        return walk.source(ref, asked)

    def _elsewhere(self, trust: Trust) -> frozenset[str]:
        """Channels' logs that some charter named, and that are not in this export."""
        views = (trust.directory.at(index + 1) for index, kind, _ in trust.kinds if kind == "charter")
        named = {origin for view in views for origin in view.logs}
        return frozenset(named - {trust.origin} - self.walks.keys())

    def _walk(self, log: LogFiles, entries: Entries, tree: LogTree, setting: Setting, anchored: Anchored) -> None:
        origin = log.checkpoint.origin
        self.findings += tree.findings
        classes = Classes(entries.size)
        head = None
        if tree.tree is not None and setting.trust.usable:
            head = self._head(log, setting.trust)
            self.findings += check_closed(setting.trust.directory, origin, tree.tree)
        walk = Walk(origin, log.folder, entries, tree, setting, self._bounds(origin, head, anchored), classes)
        if head is None:
            classes.fill(0, NO_DIRECTORY if not setting.trust.usable else NO_TREE)
            walk.position = walk.size
        else:
            self.heads[origin] = head
        self.walks[origin] = walk

    def _head(self, log: LogFiles, trust: Trust) -> Head | None:
        origin, now = log.checkpoint.origin, trust.directory.logged_at(trust.usable - 1)
        try:
            view = knowing(trust.directory, origin)
            head, strangers = verify_head(log.note, view, origin, now)
        except RscError as error:
            what = f"the checkpoint of {origin} does not verify: {error.what}"
            self.findings.append(Finding(Grade.INTEGRITY, "checkpoint", what, log=origin))
            return None
        self.findings += [*check_head(log, head, strangers), *check_vkeys(log, view, now)]
        return head

    def _bounds(self, origin: str, head: Head | None, anchored: Anchored) -> tuple[Bound, ...]:
        found = {
            Bound(outside.size, outside.quorum_time, outside.newest)
            for outside in anchored.heads
            if outside.origin == origin and outside.quorum_time is not None and outside.newest is not None
        }
        if head is not None and head.quorum_time is not None:
            found.add(Bound(head.checkpoint.size, head.quorum_time, max(head.times.values())))
        return tuple(sorted(found, key=lambda bound: (bound.size, bound.quorum, bound.newest)))

    def _custody(self, trust: Trust) -> list[Finding]:
        """The framework of the manifest, its signature, the charters' files, and files that belong nowhere."""
        found = []
        manifest = self.export.manifest
        if self.anchors.charter_digest is not None and manifest.framework_id != self.pin:
            what = "the export is of another framework than the charter digest says"
            evidence = {"export": manifest.framework_id, "charter digest": self.pin}
            found.append(Finding(Grade.INTEGRITY, "wrong-framework", what, evidence=evidence))
        return [
            *found,
            *check_manifest(manifest, trust),
            *check_charters(self.export, trust),
            *strangers(self.export, trust),
        ]

    def _result(self, trust: Trust, anchored: Anchored) -> Replay:
        newest = self._newest(trust)
        heads = dict(self.heads) if trust.head is None else {trust.origin: trust.head, **self.heads}
        for walk in self.walks.values():
            self.findings += walk.findings
        self.findings += self.book.findings(newest, whole=self._whole)
        attachments = hold_against_entries(self.book.apart, self.blobs, self.progress)
        self.findings += attachments.findings
        if trust.usable:
            self.findings += self._ends(trust, anchored, heads, newest)
            self.findings += [*self._unexported(trust), *unconfirmed(trust, newest)]
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

    @property
    def _whole(self) -> bool:
        """Whether every entry could be read: only then is a body that none of them names a stranger."""
        counts = [walk.classes.counts() for walk in self.walks.values()]
        return len(counts) + 1 == len(self.export.logs) and not any(
            reason in count for count in counts for reason in (UNREADABLE, NO_TREE, AFTER_DAMAGE, NO_DIRECTORY)
        )

    def _ends(self, trust: Trust, anchored: Anchored, heads: Mapping[str, Head], newest: int) -> list[Finding]:
        parameters = trust.directory.at(trust.usable).parameters
        sizes = {origin: log.checkpoint.size for origin, log in self.export.logs.items()}
        return [
            *ends_early(heads, parameters.lag),
            *ends_unconfirmed(anchored, sizes),
            *check_time(self.export.manifest, newest, parameters.lag, parameters.skew),
        ]

    def _unexported(self, trust: Trust) -> list[Finding]:
        """Channels of the charter whose log is not here: a committee must know what it was not shown."""
        found = []
        for origin in sorted(trust.directory.at(trust.usable).logs):
            if origin not in self.export.logs:
                what = f"the log of {names.channel_of(origin)} is not in this export"
                found.append(Finding(Grade.OBSERVATION, "not-exported", what, log=origin))
        return found

    def _newest(self, trust: Trust) -> int:
        """The newest time (ms) that logs and witnesses show: what counts as now for expiry."""
        times = [walk.last.logged_at for walk in self.walks.values() if walk.last is not None]
        heads = [*self.heads.values(), *([trust.head] if trust.head else [])]
        times += [time for head in heads for time in head.times.values()]
        if trust.directory.size:
            times.append(trust.directory.logged_at(trust.directory.size - 1))
        return max(times, default=0)


def _settle(result: Replay) -> None:
    """An entry with a finding above an observation is in the class of findings, whoever found it."""
    classes = result.classes
    for finding in result.findings:
        held = classes.get(finding.log)
        if held is not None and finding.index is not None and finding.grade != Grade.OBSERVATION:
            held.put(finding.index, FINDING)


__all__ = ["Anchors", "Replay", "replay"]
