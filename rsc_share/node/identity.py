"""Who a node is: its name, its framework, and the signers it holds. Keys stay behind `Signer`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.crypto.signing import Signer
from rsc_share.node.load import Load

Clock = Callable[[], int]
Random = Callable[[int], bytes]


def system_clock() -> int:
    """Milliseconds UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """`charter_digest` is the pin: SHA-256 of charter version 1, from outside. `officers` are posts unlocked here."""

    node: str
    charter_digest: bytes
    signer: Signer = field(repr=False)
    witness: Signer = field(repr=False)
    witness_pq: Signer = field(repr=False)
    officers: Mapping[str, Signer] = field(default_factory=dict, repr=False)

    @property
    def member(self) -> str:
        return names.member_of(self.node)


@dataclass(frozen=True, slots=True)
class World:
    """What a node takes from outside besides messages: the time, randomness, and whether its process is busy. Tests
    give their own."""

    now: Clock = system_clock
    random: Random = os.urandom
    busy: Callable[[], bool] = field(default_factory=Load)
