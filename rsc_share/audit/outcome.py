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
    if not result.anchored.firm:
        return AGAINST_ITSELF
    return {Exit.CLEAN: "NO FINDINGS", Exit.FINDINGS: "FINDINGS"}.get(exit_code(result), "FINDINGS")
