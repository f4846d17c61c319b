"""Whose words are these? A holder shows payload and salt; the log's commitments say who sent them, when and to whom.

No key is needed, and none helps: a commitment holds log, sender, id and part, so it fits one place and one text only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import names
from rsc_share.audit.findings import plain
from rsc_share.audit.replay import Replay
from rsc_share.audit.times import both
from rsc_share.audit.trace import codes_at, entries_of, is_made
from rsc_share.crypto.bodies import SALT_SIZE, commitment
from rsc_share.errors import LocalError


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One place in a log whose commitment fits the text that was shown."""

    log: str
    index: int
    part: int
    reference: str
    sender: str
    logged_at: int
    verdict: str
    codes: tuple[str, ...]
    """Of the findings at this entry above an observation."""
    made_by_sender: bool
    nodes: tuple[str, ...]
    label: dict[str, Any] | None

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "log": self.log,
            "index": self.index,
            "part": self.part,
            "reference": self.reference,
            "sender": self.sender,
            "logged_at": self.logged_at,
            "verdict": self.verdict,
            "findings": list(self.codes),
            "made_by_sender": self.made_by_sender,
            "to": list(self.nodes),
            "label": plain(self.label),
        }

    def sentence(self) -> str:
        verdict = f"{self.verdict}: {', '.join(self.codes)}" if self.codes else self.verdict
        whose = f"the words of {self.sender}"
        if not self.made_by_sender:
            whose = f"in the name of {self.sender}, no key of which signed it: nothing here shows whose words they are"
        return (
            f"part {self.part} of {self.reference}, entry {self.index} of {self.log} ({verdict}): {whose}, "
            f"logged {both(self.logged_at)}, sent to {', '.join(self.nodes) or 'nobody'}"
        )


def disclose(result: Replay, payload: bytes, salt: bytes) -> tuple[Disclosure, ...]:
    """Every place whose commitment fits; none is an answer too. Raises `LocalError` for a salt of another length."""
    if len(salt) != SALT_SIZE:
        raise LocalError(f"a salt has {SALT_SIZE} bytes", code="bad-salt")
    found = []
    for origin, walk in result.walks.items():
        for index, entry in entries_of(walk):
            h = entry.header
            for number, part in enumerate(h.parts):
                said = commitment(log=h.log, sender=h.sender, id=h.id, part=number, salt=salt, payload=payload)
                if said == part.commit:
                    found.append(
                        Disclosure(
                            log=origin,
                            index=index,
                            part=number,
                            reference=names.reference(h.sender, names.channel_of(origin), h.seq),
                            sender=h.sender,
                            logged_at=entry.stamp.logged_at,
                            verdict=walk.classes.of(index),
                            codes=codes_at(result, walk, index),
                            made_by_sender=is_made(walk, entry),
                            nodes=h.nodes,
                            label=h.label.wire() if h.label is not None else None,
                        )
                    )
    return tuple(found)
