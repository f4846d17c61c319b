"""What a relay's operator may bound. The defaults are for a federation of some tens of members on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share.relay.quota import Rates

USUAL = Rates()


@dataclass(frozen=True, slots=True)
class Limits:
    """`waiting` connections are those that have not proved who they are: for them nothing is kept but a buffer."""

    connections: int = 2_048
    waiting: int = 256
    waiting_per_address: int = 16
    sessions_per_member: int = 16
    entries_per_second: int = USUAL.entries_per_second
    bytes_per_second: int = USUAL.bytes_per_second
    in_flight_bytes: int = USUAL.in_flight_bytes
    """Of one member, all channels together; bytes are those of entries and bodies. A channel's may be lower."""
    calls: int = 32
    """Calls of one session that may be open."""
    call_bytes: int = 20 << 20
    """Bytes of those calls together; a charter with its policy is the largest."""
    greeting_seconds: float = 10.0
    """From the first byte to a good token; the TLS handshake has as long again."""
    stall_seconds: float = 60.0
    """How long answers may wait for a node that does not take them."""
    heartbeat_seconds: float = 30.0
    drain_seconds: float = 8.0
    blob_bytes_per_second: int = 64 << 20
    """Bytes of attachments a second, all nodes and both directions together: the rest is for messages."""
    blob_bytes_per_member: int = 64 << 30
    """Bytes of attachments that one member may have here. A channel's `blob_bytes` may be lower, never higher."""

    @property
    def rates(self) -> Rates:
        """The part that bounds what is handed in."""
        return Rates(self.entries_per_second, self.bytes_per_second, self.in_flight_bytes)


RUNNING = 4
"""Calls of one session that are worked on at once: a flood of one node's waits in its own queue."""
BACKLOG = 1 << 20
"""Bytes of answers of one session above which none of its calls is begun."""
