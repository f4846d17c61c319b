"""Prekeys by node, in the order of the directory. Most of a directory is prekeys, so they stand beside the states."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from rsc_share.charter.facts import NodeFact, Place, State
from rsc_share.charter.fold import not_ahead, party_of
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.parameters import PREKEY_INTERVAL
from rsc_share.charter.prekey import Prekey, read_prekey
from rsc_share.errors import RemoteError
from rsc_share.names import member_of

KEPT = 8
"""Public halves kept per node. 200 nodes log 100 MB of them a year, and nobody seals to the ninth newest."""


@dataclass(frozen=True, slots=True)
class PrekeyRecord:
    """A prekey in the directory: `public` 1,216 bytes (empty when eight newer ones are known), `id` 32, `created` and
    `logged_at` ms, and its directory index."""

    id: bytes
    public: bytes
    created: int
    logged_at: int
    index: int


class Prekeys:
    """Append-only; `newest` answers for any size of the directory."""

    __slots__ = ("_ids", "_indices", "_records")

    def __init__(self) -> None:
        self._ids: set[bytes] = set()
        self._indices: dict[str, list[int]] = {}
        self._records: dict[str, list[PrekeyRecord]] = {}

    def add(self, state: State, found: UnverifiedObject, place: Place) -> None:
        """Take a prekey signed by its own certified node, or raise `RemoteError` and change nothing."""
        read = read_prekey(found.content)
        _may_publish(state, place)
        party_of(state, member_of(read.node))
        fact = _signer(state, found, read, place.logged_at)
        found.only(fact.certificate.signing.key_id)
        self._in_order(state, read, place)
        found.verify(fact.certificate.signing, place.framework_id)
        self._ids.add(read.id)
        record = PrekeyRecord(read.id, read.public, read.created, place.logged_at, place.index)
        self._indices.setdefault(read.node, []).append(place.index)
        records = self._records.setdefault(read.node, [])
        records.append(record)
        if len(records) > KEPT:
            records[-KEPT - 1] = replace(records[-KEPT - 1], public=b"")

    def _in_order(self, state: State, read: Prekey, place: Place) -> None:
        not_ahead(state, read.created, place)
        if read.created + state.charter.parameters.prekey_max <= place.logged_at:
            raise RemoteError("the prekey had ended when it was logged", code="expired")
        if read.id in self._ids:
            raise RemoteError("a prekey is published once", code="duplicate")
        last = self._records.get(read.node, [None])[-1]
        if last is None:
            return
        if read.created <= last.created:
            raise RemoteError("created no later than the node's prekey before it", code="issued")
        if place.logged_at - last.logged_at < PREKEY_INTERVAL:
            raise RemoteError("a node logs at most one prekey in ten minutes", code="limit")

    def newest(self, node: str, size: int, after: int) -> PrekeyRecord | None:
        """The node's newest prekey with `after < index < size`."""
        indices = self._indices.get(node)
        if indices is None:
            return None
        position = bisect_left(indices, size) - 1
        if position < 0 or indices[position] <= after:
            return None
        return self._records[node][position]


def _may_publish(state: State, place: Place) -> None:
    """Rotation goes on after the charter's last day where the framework does: without it secrecy would stop."""
    charter = state.charter
    if not charter.in_force(place.logged_at) and charter.on_expiry == "freeze":
        raise RemoteError("the charter is not in force and freezes", code="charter-expired")


def _signer(state: State, found: UnverifiedObject, read: Prekey, now: int) -> NodeFact:
    """A certificate of that node, waiting for its NODE_DELAY or active: a new node has prekeys when its time comes."""
    facts = state.party(member_of(read.node)).nodes.get(read.node, ())
    for fact in reversed(facts):
        if not fact.revoked and now < fact.until and fact.certificate.signing.key_id in found.signatures:
            return fact
    raise RemoteError(f"not signed by a certified key of {read.node}", code="unsigned")
