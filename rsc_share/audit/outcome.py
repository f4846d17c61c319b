"""How an audit ends: one number for scripts, one line for people. The only place where exit codes are defined.

0   clean: no finding above an observation, and anchored outside the export
1   findings: at least one breach, integrity failure or irregularity, or nothing that could be checked
2   unusable: there is nothing to audit, or the call was wrong
3   no findings, but checked against itself only: no charter digest, or no checkpoint or key from outside
"""

from __future__ import annotations

from enum import IntEnum

from rsc_share.audit.anchors import AGAINST_ITSELF
from rsc_share.audit.classes import CHECKED, FINDING
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import Replay

_OF_ANOTHER = ("wrong-framework", "wrong-charter")


class Exit(IntEnum):
    CLEAN = 0
    FINDINGS = 1
    UNUSABLE = 2
    AGAINST_ITSELF = 3


def exit_code(result: Replay) -> Exit:
    """The code of a finished audit."""
    if any(finding.grade != Grade.OBSERVATION for finding in result.findings) or not looked_at(result):
        return Exit.FINDINGS
    return Exit.CLEAN if result.anchored.firm else Exit.AGAINST_ITSELF


def looked_at(result: Replay) -> int:
    """Entries that were judged. None at all is never green."""
    counts = [classes.counts() for classes in result.classes.values()]
    return sum(count.get(CHECKED, 0) + count.get(FINDING, 0) for count in counts)


def first_line(result: Replay) -> str:
    """What stands above everything else in every form of the report."""
    if not result.anchored.firm and not _refuted(result):
        return AGAINST_ITSELF
    if exit_code(result) is Exit.FINDINGS:
        return "FINDINGS"
    return "NO FINDINGS ABOVE AN OBSERVATION" if result.findings else "NO FINDINGS"


def _refuted(result: Replay) -> bool:
    """Whether it was held against a charter digest from outside, and is of another framework."""
    return result.anchored.pinned and any(found.code in _OF_ANOTHER for found in result.findings)


def scope(result: Replay) -> str:
    """What the first line rests on: of how many entries and logs, and how much of it was held against the outside."""
    counts = [classes.counts() for classes in result.classes.values()]
    size = sum(log.checkpoint.size for log in result.export.logs.values())
    checked, found = (sum(count.get(name, 0) for count in counts) for name in (CHECKED, FINDING))
    entries = f"{checked} of {size} entries checked without a finding, {found} with one, {size - checked - found} not"
    reached = sum(result.anchored.sizes.get(o, -1) >= log.checkpoint.size for o, log in result.export.logs.items())
    outside = f"checkpoints that reach the end of {reached} of {len(result.export.logs)} logs"
    pin = "the charter digest" if result.anchored.pinned else "no charter digest"
    return f"{entries} checkable, in {_logs(result)}. From outside: {pin}, {len(result.anchored.keys)} keys, {outside}."


def _logs(result: Replay) -> str:
    here = result.export.logs.keys()
    if not result.trust.usable:
        return f"{len(here)} logs"
    known = {result.trust.origin, *result.trust.directory.at(result.trust.usable).logs}
    others = f" and {len(here - known)} closed ones" if here - known else ""
    return f"{len(here & known)} of the charter's {len(known)} logs{others}"
