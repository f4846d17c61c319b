"""Trust before everything else: the directory, folded from the export and held against the pinned charter."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share import names
from rsc_share.audit import layout
from rsc_share.audit.classes import AFTER_DAMAGE, CHECKED, FINDING, NO_TREE, UNREADABLE, Classes
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.heads import Head, check_head, check_vkeys, verify_head
from rsc_share.audit.load import Export
from rsc_share.audit.log_files import LogFiles
from rsc_share.audit.tree import Entries, LogTree, recompute
from rsc_share.charter.directory import Directory
from rsc_share.charter.facts import Restricted, Revoked
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.errors import LocalError, Refused, RemoteError
from rsc_share.progress import Progress


@dataclass(frozen=True, slots=True)
class Trust:
    """The directory as far as it can be established: `directory` holds `directory.size` entries, all of them proved."""

    origin: str
    directory: Directory
    tree: LogTree
    head: Head | None
    entries: Entries
    classes: Classes
    kinds: tuple[tuple[int, str, int], ...]
    """(index, kind of object, logged_at) of every entry that took effect."""
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> int:
        """Directory sizes above this are unknown; 0 where nothing can be trusted."""
        return self.directory.size if self.tree.tree is not None and self.head is not None else 0

    @property
    def remembering(self) -> tuple[int, ...]:
        """Sizes of the directory that together know whatever was certified: a charter makes the next one forget what
        it does not name, and members that leave."""
        charters = {index for index, kind, _ in self.kinds if kind == "charter" and index}
        return tuple(sorted({*charters, self.directory.size} - {0}))


def establish(export: Export, pin: bytes, progress: Progress) -> Trust:
    """Fold the export's directory. Raises `RemoteError` (`unreadable-export`) where there is none, or more than one."""
    found = [log for log in export.logs.values() if names.channel_of(log.checkpoint.origin) == names.DIRECTORY]
    if len(found) != 1:
        raise RemoteError(f"{len(found)} directory logs in this export, not one", code="unreadable-export")
    log = found[0]
    entries = Entries(export, log, view=False)
    tree = recompute(export, log, entries)
    fold = _Fold(export, entries, tree, Directory.begin(pin))
    fold.run(progress)
    head = _head(log, fold)
    if tree.tree is None or head is None:
        fold.classes = Classes(entries.size)
        fold.classes.fill(0, NO_TREE)
    findings = (*tree.findings, *fold.findings)
    return Trust(log.checkpoint.origin, fold.directory, tree, head, entries, fold.classes, tuple(fold.kinds), findings)


def unconfirmed(trust: Trust, now: int) -> list[Finding]:
    """Acts of duty keys that no authority has confirmed: in force, and somebody should be asked."""
    found = []
    for act in trust.directory.at(trust.usable).unconfirmed(now):
        member, index = _whose(act), act.place.index
        what = f"the act of {member}'s duty key in directory entry {index} was never confirmed by its authority"
        when = act.place.logged_at
        found.append(
            Finding(Grade.OBSERVATION, "unconfirmed-act", what, log=trust.origin, index=index, who=member, when=when)
        )
    return found


def _whose(act: Revoked | Restricted) -> str:
    return act.revocation.member if isinstance(act, Revoked) else act.restriction.member


class _Fold:
    def __init__(self, export: Export, entries: Entries, tree: LogTree, directory: Directory) -> None:
        self.export, self.entries, self.tree, self.directory = export, entries, tree, directory
        self.classes = Classes(entries.size)
        self.findings: list[Finding] = []
        self.kinds: list[tuple[int, str, int]] = []
        self.last = 0

    @property
    def origin(self) -> str:
        return self.entries.origin

    def run(self, progress: Progress) -> None:
        for index in range(self.entries.size):
            raw = self.entries.get(index)
            if raw is None or index in self.tree.altered or not self._one(index, raw):
                if raw is None:
                    self.classes.put(index, UNREADABLE)
                else:
                    self.classes.put(index, FINDING)
                self.classes.fill(index + 1, AFTER_DAMAGE)
                break
            if index % 256 == 0:
                progress(self.origin, index, self.entries.size)
        progress(self.origin, self.entries.size, self.entries.size)

    def _one(self, index: int, raw: bytes) -> bool:
        """Fold one entry; whether the fold can go on."""
        try:
            entry = DirectoryEntry.parse(raw)
        except RemoteError as error:
            self._void(index, "malformed", error.what, self.last)
            return self.directory.size > index
        self._stamp(index, entry)
        try:
            self.directory.apply(entry.object, entry.stamp.logged_at, self.export.permanent)
        except (RemoteError, LocalError) as error:
            self._void(index, error.code, error.what, entry.stamp.logged_at)
            return self.directory.size > index
        except Refused as error:
            self._finding(index, "body-missing", f"directory entry {index}: {error.what}", entry.stamp.logged_at)
            return False
        self.kinds.append((index, UnverifiedObject.parse(entry.object).kind, entry.stamp.logged_at))
        self.classes.put(index, CHECKED)
        self.last = entry.stamp.logged_at
        return True

    def _stamp(self, index: int, entry: DirectoryEntry) -> None:
        if entry.stamp.directory != index or entry.stamp.logged_at < self.last:
            what = f"directory entry {index} is stamped {entry.stamp.directory}, or earlier than the entry before it"
            self._finding(index, "stamp", what, entry.stamp.logged_at)

    def _void(self, index: int, code: str, why: str, when: int) -> None:
        self._finding(index, code, f"directory entry {index} proves nothing: {why}", when)
        if index:  # without its first charter a directory has no views at all
            self.directory.void(when, code)

    def _finding(self, index: int, code: str, what: str, when: int) -> None:
        self.classes.put(index, FINDING)
        self.findings.append(Finding(Grade.INTEGRITY, code, what, log=self.origin, index=index, when=when))


def _head(log: LogFiles, fold: _Fold) -> Head | None:
    """The directory's own checkpoint, by the keys and witnesses of the charter inside it."""
    origin, path = log.checkpoint.origin, layout.log_file(log.folder, "checkpoint")
    if not fold.directory.size:
        return None
    view = fold.directory.at(fold.directory.size)
    try:
        head, strangers = verify_head(log.note, view, origin, fold.last)
    except (RemoteError, Refused) as error:
        what = f"the checkpoint of {origin} does not verify: {error.what}"
        fold.findings.append(Finding(Grade.INTEGRITY, "checkpoint", what, log=origin, evidence={"path": path}))
        return None
    fold.findings += check_head(log, head, strangers)
    fold.findings += check_vkeys(log, view, fold.last)
    return head
