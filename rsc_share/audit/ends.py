"""Where logs end: a tail cut off at an older, valid checkpoint looks like a log that ended there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rsc_share import names
from rsc_share.audit.anchors import Anchored
from rsc_share.audit.findings import Finding, Grade
from rsc_share.audit.heads import Head


def ends_early(heads: Mapping[str, Head], lag: int, closed: Collection[str] = ()) -> Iterator[Finding]:
    """Witnesses sign every log again and again: one whose newest quorum is old among fresh ones was cut, or left.

    Not one of those `closed`, which end where the charter says and are cosigned no more.
    """
    times = {origin: head.quorum_time for origin, head in heads.items()}
    newest = max((time for time in times.values() if time is not None), default=None)
    for origin, time in sorted(times.items()):
        if newest is not None and time is not None and newest - time > lag and origin not in closed:
            minutes = (newest - time) // 60_000
            what = f"the last witnessed checkpoint of {origin} is {minutes} minutes older than others here"
            evidence = {"witnessed": time, "newest": newest}
            yield Finding(Grade.IRREGULARITY, "ends-early", what, log=origin, when=time, evidence=evidence)


def ends_unconfirmed(anchored: Anchored, sizes: Mapping[str, int], closed: Collection[str] = ()) -> Iterator[Finding]:
    """Logs whose end nothing from outside reaches. `sizes`: of every log of the export. Of those `closed` the charter
    says the end.

    Said only of an anchored export: the first line of any other one says more.
    """
    outside = anchored.sizes
    for origin, size in sorted(sizes.items()):
        shown = outside.get(origin)
        if not anchored.firm or origin in closed or (shown is not None and shown >= size):
            continue
        has = "there is no checkpoint from outside" if shown is None else f"the newest from outside shows {shown}"
        channel = names.channel_of(origin)
        what = f"that the log of {channel} ended at {size} entries is the export's word only: {has}"
        yield Finding(Grade.OBSERVATION, "end-unconfirmed", what, log=origin, evidence={"size": size, "outside": shown})
