"""What this audit did not check: of this export by name and number, and what no audit of this kind ever checks."""

from __future__ import annotations

from collections.abc import Iterator

from rsc_share.audit import layout
from rsc_share.audit.findings import printable
from rsc_share.audit.replay import Replay

NEVER = (
    "Whether any label is right for its content: content is encrypted, and nobody here held a key.",
    "Talk outside the system, and messages that were never given to it.",
    "Attempts that were refused before the log: denials inside a node and the relay's journal are not in an export.",
    "Use after delivery: reading, retention, onward passing by people.",
    "Who sat behind a key. A signature shows a key, not a person.",
    "Any clock beyond what witnesses bound it to. A sender's own time is a claim.",
    "Parallel logs, and a relay that colludes with all witnesses.",
    "By a second program: anything but who may have what. Officers' signatures and labels of what is derived: once.",
    "The software itself, this program included.",
    "Channels that were not exported.",
)
_REPEATED = ("not-exported", "end-unconfirmed", "bodies-unjudged")
"""Observations that say what was not looked at: whoever reads only the list has to meet them there."""


def unchecked(result: Replay) -> Iterator[str]:
    """The whole list: entries first, because a committee asks for them first."""
    yield from _entries(result)
    yield from _logs(result)
    yield from _bodies(result)
    yield from _against_itself(result)
    yield from _view(result)
    yield from (f"{f.what[:1].upper()}{f.what[1:]}." for f in result.findings if f.code in _REPEATED)
    yield from NEVER


def _entries(result: Replay) -> Iterator[str]:
    """Every entry that was not checked, by log and reason."""
    for origin, classes in result.classes.items():
        for reason, spans in sorted(classes.spans().items()):
            count = sum(last - first + 1 for first, last in spans)
            named = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
            yield f"In {origin}: {count} {'entry' if count == 1 else 'entries'} ({named}), because {reason}."


def _logs(result: Replay) -> Iterator[str]:
    """Folders whose log cannot be told: their entries stand in no sum."""
    paths = layout.below(result.export.paths, layout.LOGS)
    used = {log.folder for log in result.export.logs.values()}
    for folder in sorted({found for path in paths if (found := layout.folder_of(path)) is not None} - used):
        yield f"The log in {layout.LOGS}{folder}: its checkpoint cannot be used. Its entries stand in no sum."


def _bodies(result: Replay) -> Iterator[str]:
    """Ciphertexts that were not here to be held against their digests."""
    held = result.attachments
    if held.absent:
        what = "1 attachment" if held.absent == 1 else f"{held.absent} attachments"
        yield f"{what} of {held.absent_bytes} bytes, apart from the export."
    counts = result.bodies.counts(result.newest)
    for origin in result.walks:
        gone = counts[origin]["erased"]
        if gone:
            what = "1 body that is" if gone == 1 else f"{gone} bodies that are"
            yield f"In {origin}: {what} gone in order (expired, recalled or erased), against the digest."


def _against_itself(result: Replay) -> Iterator[str]:
    if not result.anchored.pinned:
        yield "Whose framework this is: no charter digest came from outside."
    if result.anchored.pinned and not result.anchored.firm:
        yield "Whether these are the logs that the members know: no checkpoint or key from outside agreed."


def _view(result: Replay) -> Iterator[str]:
    member = result.export.manifest.view
    if member != "full":
        yield (
            f"In this view of {printable(member)}: numbers, statements and sealed keys for others, what others were "
            "due, and every rule that only a node of theirs or a whole log can be judged by."
        )
