"""What happened over the network, step by step, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rsc_share.demo.claim import Claim


@dataclass(frozen=True, slots=True)
class Seat:
    """One node's process: what it was given, what the relay has of that, and what it handed out."""

    member: str
    pid: int
    sent: int
    logged: int
    received: int
    state: str


@dataclass(frozen=True, slots=True)
class Post:
    """The relay's process: entries of the channels' logs, how many of them enough members have witnessed."""

    pid: int
    size: int
    witnessed: int
    state: str


@dataclass(frozen=True, slots=True)
class Started:
    """`pin` is the SHA-256 of the relay's TLS key, as the charter names it."""

    title: ClassVar[str] = "A relay and four nodes start, each a process of its own"
    digest: str
    address: str
    pin: str
    relay: Post
    nodes: tuple[Seat, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Crossed:
    """Real input went from process to process. `given`: what, and how many messages it became."""

    title: ClassVar[str] = "The same input crosses the network"
    given: tuple[tuple[str, int], ...]
    less: str
    seen: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Survived:
    """All four sent at once while the relay and a node were killed. `events` are told in the order they happened.

    `away`: messages that were acknowledged while no relay ran; `again`: those that were handed out twice, because the
    node was killed before it had heard that they were done.
    """

    title: ClassVar[str] = "The relay is killed while everybody sends, then a node; both start again"
    events: tuple[str, ...]
    sent: int
    away: int
    again: int
    seats: tuple[Seat, ...]
    relay: Post
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What the relay exported while it ran, replayed by an auditor, and counted against what was acknowledged."""

    title: ClassVar[str] = "The logs of the killed relay are exported, counted and replayed"
    logs: tuple[tuple[str, int], ...]
    first_line: str
    exit_code: int
    findings: tuple[str, ...]
    claims: tuple[Claim, ...]


Part = Started | Crossed | Survived | Counted
