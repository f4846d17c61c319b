"""When a log that was started may go on: what its witnesses, its readers and its own signatures say about the store."""

from __future__ import annotations

from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.parts import Head
from rsc_share.errors import StorageError
from rsc_share.relay.heads import Signed, rolled_back
from rsc_share.relay.live import LiveLog, State


def recovered(log: LiveLog, counting: DirectoryView, newest: DirectoryView, now: int) -> bool:
    """Whether k members vouch that what they saw is a prefix of what is here, and for a restored store all readers.

    Votes are counted by the witnessed directory, readers by all that is logged: here to ask more is to be careful.
    """
    if counting.log(log.origin) is None:
        return False
    vouching = log.witnessing.vouching & set(counting.witnesses(now, log.origin))
    return len(vouching) >= counting.charter.witness_quorum and not missed(log, newest, now)


def missed(log: LiveLog, view: DirectoryView, now: int) -> list[str]:
    """Nodes that a restored log still waits for. What one of them alone was shown must not be written over; who has no
    prekey any more has long been away, and was sent nothing."""
    if log.proved or log.state is not State.RECOVERING:
        return []
    readers = {node for node in view.active_nodes(log.origin, now) if view.prekey(node, now) is not None}
    return sorted(readers - log.witnessing.spoke)


def remembered(log: LiveLog, node: str, head: Head) -> StorageError:
    """Why a log stops of which `node` holds a tree that is not here. Written down outside, for later starts."""
    try:
        if log.outside is not None:
            log.outside.write(log.origin, Signed(head.size, head.root))
    except StorageError as error:
        return error
    return rolled_back(log.origin, log.size, head.size, node)
