"""What an exporter hands over, as plain values: a relay's store or a member's own copy can make one.

Nothing in it is secret: entries, openings, statements and ciphertexts. There is no place for a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rsc_share import names
from rsc_share.audit.orders import Orders
from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Opening
from rsc_share.errors import LocalError, RemoteError
from rsc_share.session.frames import Statement

Reason = Literal["apart", "expired", "recalled", "erased"]
REASONS: tuple[Reason, ...] = ("apart", "erased", "expired", "recalled")
"""Why a body may not be here. The auditor checks each against the log; `apart` is a blob that the exporter holds and
did not put in: it is counted, and believed of nothing that fits beside an entry."""


@dataclass(frozen=True, slots=True)
class CharterBodies:
    """One charter version: its text, packed keys and signatures, and the packed policy bundle it names."""

    version: int
    text: bytes
    keys: bytes
    signatures: bytes
    bundle: bytes


@dataclass(frozen=True, slots=True)
class LogSource:
    """One log, the directory or a channel's, in full.

    `note` is the newest signed checkpoint with its cosignatures, over exactly `entries`. `vkeys` are the verifier keys
    of the log and then of its witnesses. `openings` and `statements` are by index: openings by recipient node,
    statements (of a heartbeat) by the sending node they are about. `orders`: what was ordered behind the end.
    """

    origin: str
    entries: Sequence[bytes]
    note: bytes
    vkeys: Sequence[str]
    openings: Mapping[int, Mapping[str, Opening]] = field(default_factory=dict)
    statements: Mapping[int, Mapping[str, Statement]] = field(default_factory=dict)
    orders: Orders | None = None


@dataclass(frozen=True, slots=True)
class ExportSource:
    """Everything that goes into an export. `exported_at` is ms UTC; `bodies` are ciphertexts by SHA-256."""

    framework_id: bytes
    by: str
    exported_at: int
    tool: str
    charters: Sequence[CharterBodies]
    logs: Sequence[LogSource]
    bodies: Mapping[bytes, bytes] = field(default_factory=dict)
    absent: Mapping[bytes, Reason] = field(default_factory=dict)
    view: str = "full"


def belongs_to(member: str, raw: bytes) -> bool:
    """Whether an entry is in a member's view: sent by one of its nodes or to one of them."""
    try:
        header = UnverifiedEntry.parse(raw).header
    except RemoteError:
        return False  # nobody's: a hash in every view but the full one
    return header.member == member or any(names.member_of(node) == member for node in header.nodes)


def cut_to(source: ExportSource, member: str) -> ExportSource:
    """The same export as `member` may see it: others' entries become bare hashes, their openings and bodies go.

    The directory stays whole: every member reads it. Raises `LocalError` for a source that is already cut.
    """
    if source.view != "full":
        raise LocalError("this export is cut already")
    own: set[bytes] = set()
    logs = []
    for log in source.logs:
        if names.channel_of(log.origin) == names.DIRECTORY:
            logs.append(log)
            continue
        seen = [index for index, raw in enumerate(log.entries) if belongs_to(member, raw)]
        own |= _bodies_of(log, seen, member)
        logs.append(_cut_log(log, seen, member))
    return replace(
        source,
        logs=logs,
        view=member,
        bodies={digest: source.bodies[digest] for digest in own if digest in source.bodies},
        absent={digest: reason for digest, reason in source.absent.items() if digest in own},
    )


def _cut_log(log: LogSource, seen: Sequence[int], member: str) -> LogSource:
    openings: dict[int, Mapping[str, Opening]] = {}
    statements: dict[int, Mapping[str, Statement]] = {}
    for index in seen:
        mine = UnverifiedEntry.parse(log.entries[index]).header.member == member
        kept = {node: o for node, o in log.openings.get(index, {}).items() if mine or names.member_of(node) == member}
        said = {node: s for node, s in log.statements.get(index, {}).items() if mine or names.member_of(node) == member}
        if kept:
            openings[index] = kept
        if said:
            statements[index] = said
    behind = None if log.orders is None else log.orders.only(lambda raw: belongs_to(member, raw))
    return replace(log, openings=openings, statements=statements, orders=behind)


def _bodies_of(log: LogSource, seen: Sequence[int], member: str) -> set[bytes]:
    found: set[bytes] = set()
    for index in seen:
        header = UnverifiedEntry.parse(log.entries[index]).header
        found.update(named_by([header], member))
    return found


def named_by(headers: Sequence[Header], member: str | None = None) -> list[bytes]:
    """The bodies that entries name: their parts, and of a key hand-out the sealed keys (of one member, where given)."""
    found = [part.digest for header in headers for part in header.parts]
    for header in headers:
        content = header.content
        if content is not None and isinstance(content, GrantContent):
            mine = member is None or header.member == member
            found += [d for node, _, d in content.nodes if mine or names.member_of(node) == member]
    return found
