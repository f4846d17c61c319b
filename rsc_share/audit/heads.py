"""Checkpoints: who signed them, who witnessed them and when, and whether two of them can both be true."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from rsc_share import names
from rsc_share.audit import layout
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.log_files import LogFiles
from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.codec import INT_MAX
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import VerifiedCheckpoint, open_checkpoint
from rsc_share.log.note import KeyType, Note, VerifierKey
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.witnesses import log_keys, witness_keys, witness_name

_TIME = 8


@dataclass(frozen=True, slots=True)
class Head:
    """A verified checkpoint. `times`: each witnessing member's newest cosignature (ms); `n` may witness, `k` must."""

    checkpoint: Checkpoint
    times: Mapping[str, int]
    k: int
    n: int
    log_signed: tuple[str, ...]

    @property
    def quorum_time(self) -> int | None:
        """The k-th newest cosignature time (ms), None below k."""
        return self._kth(sorted(self.times.values(), reverse=True))

    @property
    def seen_time(self) -> int | None:
        """The k-th oldest cosignature time (ms), None below k: k members say that they had seen it by then.

        Not the newest of all: one witness whose clock is ahead would hide whatever the relay dated ahead. Nor the k-th
        newest: where exactly k have signed, one whose clock is slow would have an honest relay accused.
        """
        return self._kth(sorted(self.times.values()))

    def _kth(self, times: Sequence[int]) -> int | None:
        return times[self.k - 1] if 0 < self.k <= len(times) else None


def knowing(directory: Directory, origin: str) -> DirectoryView:
    """The newest view that knows the log: a log that was closed is no longer in the charter. Raises `RemoteError`."""
    for size in range(directory.size, 0, -1):
        view = directory.at(size)
        if view.log(origin) is not None:
            return view
    return unknown(origin)


def unknown(origin: str) -> NoReturn:
    """Raises `RemoteError`: no charter has such a log."""
    raise RemoteError(f"no charter knows a log {origin}", code="unknown-log", log=origin)


def check_closed(directory: Directory, origin: str, tree: MemoryTree) -> list[Finding]:
    """Where the charter closed this log: its quorum signed the final size and root."""
    closed = directory.at(directory.size).closed(origin)
    if closed is None:
        return []
    found = compare(Checkpoint(origin, closed.size, closed.root), tree, "the charter that closed it")
    if tree.size > closed.size:
        what = f"{tree.size - closed.size} entries of {origin} stand after the end at which the charter closed it"
        found.append(Finding(Grade.INTEGRITY, "after-closing", what, log=origin, evidence={"closed at": closed.size}))
    return found


def verify_head(note: bytes, view: DirectoryView, origin: str, now: int) -> tuple[Head, list[str]]:
    """The head a note proves under the directory, and the names of signature lines by nobody who may sign it.

    A witness counts if it was one at the time its cosignature says. Raises `RemoteError`.
    """
    own, ever = log_keys(view, origin), ever_witnesses(view)
    found = open_checkpoint(note, own, ever)
    known = {(key.name, key.key_id) for key in (*own, *ever)}
    strangers = [line.name for line in Note.parse(note).signatures if (line.name, line.key_id) not in known]
    head = Head(
        checkpoint=found.checkpoint,
        times=_times(found, view, origin),
        k=view.charter.witness_quorum,
        n=len(view.witnesses(now, origin)),
        log_signed=tuple(sorted(KeyType(kind).name for kind in found.log)),
    )
    return head, strangers


def ever_witnesses(view: DirectoryView) -> list[VerifierKey]:
    """Witness keys of every node that was ever certified: a line by one that was revoked since is no stranger's."""
    found = {}
    for party in view.state.parties.values():
        for name, facts in party.nodes.items():
            for fact in facts:
                one, two = fact.certificate.witness
                for kind, public in ((KeyType.COSIGNATURE, one), (KeyType.ML_DSA_44, two)):
                    key = VerifierKey.of(witness_name(view, name), kind, public)
                    found[key.vkey] = key
    return list(found.values())


def _times(found: VerifiedCheckpoint, view: DirectoryView, origin: str) -> dict[str, int]:
    """Each member's newest cosignature (ms), of those made by a key that could witness this log at that time."""
    times: dict[str, int] = {}
    for key, line in found.note.by:
        if key.name != origin:
            time = int.from_bytes(line.blob[:_TIME], "big") * 1000
            if time <= INT_MAX and key in witness_keys(view, origin, time):
                member = names.member_of(key.name.partition("/")[2])
                times[member] = max(times.get(member, 0), time)
    return times


def check_head(log: LogFiles, head: Head, strangers: list[str]) -> list[Finding]:
    """What is irregular about an export's own checkpoint."""
    origin, path = log.checkpoint.origin, layout.log_file(log.folder, "checkpoint")
    found = [
        Finding(
            Grade.INTEGRITY,
            "unknown-cosigner",
            f"the checkpoint of {origin} carries a line by {name}, who is no witness of this log",
            log=origin,
            evidence={"path": path, "name": name},
        )
        for name in sorted(strangers)
    ]
    if head.quorum_time is None and head.checkpoint.size:
        what = f"only {len(head.times)} of the {head.k} members needed have witnessed the last checkpoint of {origin}"
        evidence = {"size": head.checkpoint.size, "witnesses": sorted(head.times), "needed": head.k}
        found.append(Finding(Grade.IRREGULARITY, "unwitnessed", what, log=origin, evidence=evidence))
    if len(head.log_signed) < 2 and head.checkpoint.size:
        what = f"the log {origin} signed its last checkpoint without its post-quantum key"
        found.append(Finding(Grade.OBSERVATION, "one-log-signature", what, log=origin))
    return found


def check_vkeys(log: LogFiles, view: DirectoryView, now: int) -> list[Finding]:
    """The export's list of keys is the one the directory gives, in its order: the log's, then the witnesses'."""
    origin = log.checkpoint.origin
    right = [key.vkey for key in (*log_keys(view, origin), *witness_keys(view, origin, now))]
    if [key.vkey for key in log.vkeys] == right:
        return []
    path = layout.log_file(log.folder, "vkeys")
    return [file_finding(path, f"is not the list of keys of {origin}", f"the {len(right)} keys of the directory")]


def compare(outside: Checkpoint, tree: MemoryTree, source: str) -> list[Finding]:
    """An outside checkpoint and this log's tree: the same history, a fork, or a tail that was cut off."""
    origin, evidence = outside.origin, {"size": outside.size, "root": outside.root, "source": source}
    if outside.size > tree.size:
        missing = outside.size - tree.size
        what = (
            f"the export of {origin} ends at {tree.size}; {source} shows {outside.size}: {missing} entries are missing"
        )
        return [Finding(Grade.INTEGRITY, "truncated", what, log=origin, evidence=evidence)]
    if tree.root(outside.size) != outside.root:
        what = f"the log {origin} signed two different trees of {outside.size} entries: one is in {source}"
        return [Finding(Grade.INTEGRITY, "fork", what, log=origin, evidence=evidence)]
    return []


def match_vkeys(given: Collection[VerifierKey], held: Collection[VerifierKey]) -> list[Finding]:
    """Keys that came from outside must be among those of the directory: under one name, one key of a kind."""
    names = {(key.name, key.type): key for key in held}
    found = []
    for key in sorted(given, key=lambda item: item.vkey):
        mine = names.get((key.name, key.type))
        if mine != key:
            what = f"the key of {key.name} that came from outside is not the one in this export's directory"
            evidence = {"outside": key.vkey, "directory": None if mine is None else mine.vkey}
            found.append(Finding(Grade.INTEGRITY, "other-key", what, who=key.name, evidence=evidence))
    return found


def outside_head(note: bytes) -> Checkpoint:
    """The checkpoint a note is about, not yet verified. Raises `RemoteError`."""
    try:
        return Checkpoint.parse(Note.parse(note).text)
    except RemoteError as error:
        raise RemoteError(f"the outside checkpoint cannot be read: {error.what}", code="bad-checkpoint") from None
