"""What an audit can say about what is *not* missing: up to where, seen by whom, and where numbers have gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsc_share.audit.replay import Replay
from rsc_share.audit.walk import Walk
from rsc_share.rulebook.facts import HeadFact

_LIMITS = "Nothing is said about entries after these sizes, about other relays, or about what was never sent."
_IN_A_VIEW = " In one member's view, its own entries after the last one shown may be missing: ask the member."


def limits(result: Replay) -> str:
    """What these statements do not cover."""
    return _LIMITS if result.export.manifest.view == "full" else _LIMITS + _IN_A_VIEW


def statements(result: Replay) -> list[dict[str, Any]]:
    """One for each log, the directory first."""
    found = []
    for origin in result.classes:
        head, walk = result.heads.get(origin), result.walks.get(origin)
        times = sorted(head.times.values()) if head is not None else []
        found.append(
            {
                "log": origin,
                "size": result.export.logs[origin].checkpoint.size,
                "root": result.export.logs[origin].checkpoint.root.hex(),
                "witnessed_by": sorted(head.times) if head is not None else [],
                "needed": head.k if head is not None else None,
                "may_witness": head.n if head is not None else None,
                "witnessed_from": times[0] if times else None,
                "witnessed_until": times[-1] if times else None,
                "quorum_time": head.quorum_time if head is not None else None,
                "senders": _senders(walk) if walk is not None else [],
                "recipients": _recipients(walk) if walk is not None else [],
            }
        )
    return found


def witnessed(log: Mapping[str, Any]) -> str:
    """By whom a log was witnessed, in words. `log`: one of `statements`."""
    if log["needed"] is None:
        return "nobody that can be told: its checkpoint was not verified"
    members = ", ".join(log["witnessed_by"]) or "none"
    return f"{len(log['witnessed_by'])} of {log['may_witness']} members ({log['needed']} needed): {members}"


def _senders(walk: Walk) -> list[dict[str, Any]]:
    """Every sender's last number and heartbeat; a gap is an entry that did not continue its sender's numbers."""
    found = []
    gaps: dict[str, list[int | None]] = {}
    for finding in walk.findings:
        if finding.code == "stale-head":
            gaps.setdefault(finding.who, []).append(finding.index)
    for key in sorted(key for key in walk.facts if key[0] == "head"):
        fact, sender = walk.facts[key], str(key[1])
        state = walk.senders.get(sender)
        if isinstance(fact, HeadFact):
            found.append(
                {
                    "sender": sender,
                    "last_seq": fact.seq,
                    "index": fact.index,
                    "checked": state.entries if state is not None else 0,
                    "last_heartbeat": state.heartbeat if state is not None else None,
                    "gaps": gaps.get(sender, []),
                }
            )
    return found


def _recipients(walk: Walk) -> list[dict[str, Any]]:
    """How many entries of each sender went to each node, by the entries themselves."""
    keys = sorted((str(key[1]), str(key[2])) for key in walk.facts if key[0] == "count")
    return [{"sender": sender, "node": node, "last_number": walk.facts["count", sender, node]} for sender, node in keys]
