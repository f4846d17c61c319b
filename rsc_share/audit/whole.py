"""What only the whole of an export shows: where its logs end, what is not in it, and what counts as now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rsc_share import names
from rsc_share.audit.anchors import Anchored
from rsc_share.audit.classes import AFTER_DAMAGE, NO_DIRECTORY, NO_TREE, UNREADABLE
from rsc_share.audit.custody import check_time
from rsc_share.audit.ends import ends_early, ends_unconfirmed
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.heads import Head
from rsc_share.audit.load import Export
from rsc_share.audit.trust import Trust
from rsc_share.audit.walk import Walk


def all_read(export: Export, walks: Mapping[str, Walk]) -> bool:
    """Whether every entry could be read: only then is a body that none of them names a stranger."""
    counts = [walk.classes.counts() for walk in walks.values()]
    return len(counts) + 1 == len(export.logs) and not any(
        reason in count for count in counts for reason in (UNREADABLE, NO_TREE, AFTER_DAMAGE, NO_DIRECTORY)
    )


def check_ends(
    export: Export, trust: Trust, anchored: Anchored, heads: Mapping[str, Head], newest: int
) -> list[Finding]:
    """Where the logs end, against each other, the outside and the exporter's clock."""
    view = trust.directory.at(trust.usable)
    parameters = view.parameters
    sizes = {origin: log.checkpoint.size for origin, log in export.logs.items()}
    closed = {origin for origin, size in sizes.items() if (end := view.closed(origin)) is not None and end.size == size}
    return [
        *ends_early(heads, parameters.lag, closed),
        *ends_unconfirmed(anchored, sizes, closed),
        *check_time(export.manifest, newest, parameters.lag, parameters.skew),
    ]


def unexported(export: Export, trust: Trust) -> Iterator[Finding]:
    """Channels of the charter whose log is not here: a committee must know what it was not shown."""
    for origin in sorted(trust.directory.at(trust.usable).logs):
        if origin not in export.logs:
            what = f"the log of {names.channel_of(origin)} is not in this export"
            yield Finding(Grade.OBSERVATION, "not-exported", what, log=origin)


def named_by_charters(trust: Trust) -> frozenset[str]:
    """Every log that some charter named. Looked up once: an export may hold any number of logs that none did."""
    views = (trust.directory.at(index + 1) for index, kind, _ in trust.kinds if kind == "charter")
    return frozenset(origin for view in views for origin in view.logs)


def elsewhere(trust: Trust, named: frozenset[str], walks: Mapping[str, Walk]) -> frozenset[str]:
    """Channels' logs that some charter named, and that are not in this export."""
    return named - {trust.origin} - walks.keys()


def newest_time(trust: Trust, walks: Mapping[str, Walk], heads: Iterable[Head]) -> int:
    """The newest time (ms) at which k members saw one of these logs: what counts as now for expiry.

    Not what one of them says, nor the relay: with one witness that signs a year ahead, whoever exports could leave out
    every body as expired. Only where no log has a quorum is it the newest time of an entry.
    """
    quorums = [head.quorum_time for head in heads if head.quorum_time is not None]
    if quorums:
        return max(quorums)
    times = [walk.last.logged_at for walk in walks.values() if walk.last is not None]
    if trust.directory.size:
        times.append(trust.directory.logged_at(trust.directory.size - 1))
    return max(times, default=0)
