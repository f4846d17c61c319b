"""The closed maps that entries other than messages carry in clear.

Clear means: the relay and every auditor read it. What needs words is a message (docs/protocol.md, "Kinds").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.envelope.parts import HASH, MAX_AUDIENCE

STATEMENTS = frozenset({"acknowledged", "complied", "held", "cannot", "node-erased"})
DELIVERY_STATES = ("stored", "opened", "bad-grant", "bad-part", "body-missing")


@dataclass(frozen=True, slots=True)
class GrantContent:
    """A key hand-out: for every node the prekey it was sealed to and the digest of the sealed key (a body)."""

    nodes: tuple[tuple[str, bytes, bytes], ...]
    check: bytes

    def wire(self) -> dict[str, Any]:
        return {"check": self.check, "nodes": [list(row) for row in self.nodes]}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> GrantContent:
        m = shape.closed(value, where, ("check", "nodes"))
        rows = []
        for item in shape.items(m["nodes"], f"{where}.nodes", low=1, high=MAX_AUDIENCE):
            node, prekey, digest = shape.row(item, f"{where}.nodes", 3)
            rows.append(
                (
                    names.node(node, f"{where}.nodes"),
                    shape.blob(prekey, f"{where} prekey id", size=HASH),
                    shape.blob(digest, f"{where} sealed key digest", size=HASH),
                )
            )
        shape.ascending([row[0] for row in rows], f"{where}.nodes")
        return cls(tuple(rows), shape.blob(m["check"], f"{where}.check", size=HASH))


@dataclass(frozen=True, slots=True)
class HeartbeatContent:
    """What this node received since its last heartbeat: per sending node a salted hash, opened to that sender."""

    received: tuple[tuple[str, bytes], ...]

    def wire(self) -> dict[str, Any]:
        return {"received": [list(row) for row in self.received]}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> HeartbeatContent:
        m = shape.closed(value, where, ("received",))
        rows = []
        for item in shape.items(m["received"], f"{where}.received", high=MAX_AUDIENCE):
            node, commitment = shape.row(item, f"{where}.received", 2)
            rows.append((names.node(node, f"{where}.received"), shape.blob(commitment, f"{where}.received", size=HASH)))
        shape.ascending([row[0] for row in rows], f"{where}.received")
        return cls(tuple(rows))


@dataclass(frozen=True, slots=True)
class AcknowledgementContent:
    """An officer's statement about the target, or `node-erased`, the one statement a machine may make."""

    statement: str
    basis: str | None

    def wire(self) -> dict[str, Any]:
        return {"basis": self.basis, "statement": self.statement}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> AcknowledgementContent:
        m = shape.closed(value, where, ("basis", "statement"))
        return cls(
            shape.choice(m["statement"], f"{where}.statement", STATEMENTS),
            shape.maybe(shape.text, m["basis"], f"{where}.basis", low=1, high=200),
        )


@dataclass(frozen=True, slots=True)
class ReleaseContent:
    """An originator lets the named members have what its label withheld. `digest` is over (label, to, commits)."""

    digest: bytes
    members: tuple[str, ...]
    until: int | None

    def wire(self) -> dict[str, Any]:
        return {"digest": self.digest, "members": list(self.members), "until": self.until}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> ReleaseContent:
        m = shape.closed(value, where, ("digest", "members", "until"))
        members = shape.each(names.member, m["members"], f"{where}.members", low=1, high=MAX_AUDIENCE)
        shape.ascending(members, f"{where}.members")
        return cls(
            shape.blob(m["digest"], f"{where}.digest", size=HASH),
            tuple(members),
            shape.maybe(shape.integer, m["until"], f"{where}.until"),
        )


@dataclass(frozen=True, slots=True)
class RecallContent:
    """`notice`: id of the sealed `control/recall-notice/1` that says why; the reason is not for the relay."""

    notice: bytes | None

    def wire(self) -> dict[str, Any]:
        return {"notice": self.notice}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> RecallContent:
        m = shape.closed(value, where, ("notice",))
        return cls(shape.maybe(names.message_id, m["notice"], f"{where}.notice"))


@dataclass(frozen=True, slots=True)
class ErasureContent:
    """An order to erase bodies that is not the originator's recall: which digests, on what legal basis."""

    digests: tuple[bytes, ...]
    basis: str

    def wire(self) -> dict[str, Any]:
        return {"basis": self.basis, "digests": list(self.digests)}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> ErasureContent:
        m = shape.closed(value, where, ("basis", "digests"))
        digests = shape.each(shape.blob, m["digests"], f"{where}.digests", low=1, high=256, size=HASH)
        shape.ascending(digests, f"{where}.digests")
        return cls(tuple(digests), shape.text(m["basis"], f"{where}.basis", low=1, high=200))


Content = GrantContent | HeartbeatContent | AcknowledgementContent | ReleaseContent | RecallContent | ErasureContent

ERASING = ("recall", "erasure")
"""Kinds of entries on which a relay erases bodies."""
READERS: dict[str, type[Content]] = {
    "grant": GrantContent,
    "heartbeat": HeartbeatContent,
    "acknowledgement": AcknowledgementContent,
    "release": ReleaseContent,
    "recall": RecallContent,
    "erasure": ErasureContent,
}


def read_content(kind: str, value: Any) -> Content | None:
    """The content of a kind other than `message`; a message has none."""
    if kind == "message":
        if value is not None:
            raise shape.wrong("content", "a message has none: what it says is in its parts")
        return None
    return READERS[kind].from_wire(value, "content")
