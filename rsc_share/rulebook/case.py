"""An entry about to be judged, with everything around it that the rows look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from rsc_share import names
from rsc_share.charter.certificate import NodeCertificate
from rsc_share.charter.core import Circle
from rsc_share.charter.parameters import Parameters
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import to_commitment
from rsc_share.envelope.entry import Signed, Stamp
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Openings, Ref
from rsc_share.labels.scheme import DAY
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import ChannelFacts, Facets
from rsc_share.rulebook.party import NODE
from rsc_share.rulebook.unseen import NOT_SHOWN, Unseen
from rsc_share.rulebook.view import Source, View

_KEPT = 4096
_permits = attrgetter("permitted")
_known_facets: dict[tuple[bytes, str, str, str | None, int], Facets] = {}


def _facets(channel: ChannelFacts, originator: str, message_type: str, purpose: str | None, time: int) -> Facets:
    """One value for all alike entries of a day: no policy knows anything finer (`Facets.key`)."""
    key = (channel.digest, originator, message_type, purpose, time)
    found = _known_facets.get(key)
    if found is None:
        if len(_known_facets) >= _KEPT:
            _known_facets.clear()
        found = _known_facets[key] = _new_facets(channel, originator, message_type, purpose, time)
    return found


def _new_facets(channel: ChannelFacts, originator: str, message_type: str, purpose: str | None, time: int) -> Facets:
    return Facets(
        time=time,
        channel=channel,
        originator=originator,
        family=names.family_of(message_type),
        type=message_type,
        purpose=purpose,
        releases=frozenset(),
    )


NO_OPENINGS: Openings = MappingProxyType({})


class Case:
    """An entry about to be judged, with what came beside it.

    What many rows ask for is worked out once, at its first use or here. An ordinary class, because it is the one value
    that every row reads from: compiled, its attributes are fields of a C structure.
    """

    __slots__ = (
        "_bundle",
        "_certificate",
        "_channel",
        "_circle",
        "_decided",
        "_decisions",
        "_facets",
        "_opened",
        "_permitted",
        "_unaddressed",
        "at",
        "bodies",
        "header",
        "held",
        "index",
        "nodes",
        "now",
        "openings",
        "parameters",
        "settled",
        "signed",
        "stamp",
        "then",
        "view",
    )

    at: DirectoryView
    """Trust as stamped: what is forbidden here is forbidden. Unset if the stamp names a directory not held here."""
    then: DirectoryView
    """Trust as the sender saw it: what was due there must have been done. Unset as `at`."""
    parameters: Parameters
    settled: int
    """The instant by which every sender must have known of a change: `logged_at` - 2 LAG."""

    def __init__(
        self,
        view: View,
        signed: Signed,
        stamp: Stamp,
        openings: Openings = NO_OPENINGS,
        bodies: Mapping[bytes, int] | None = None,
    ) -> None:
        """`bodies`: sizes of the bodies at hand by digest; None where bodies are not this party's to check."""
        self.view, self.signed, self.stamp, self.openings, self.bodies = view, signed, stamp, openings, bodies
        self.index: int = view.size
        self.header: Header = signed.header
        self.nodes: tuple[str, ...] = self.header.nodes
        self.now: int = stamp.logged_at
        """`now` in every rule is the relay's `logged_at`; local clocks decide nothing here."""
        self._certificate: NodeCertificate | None = None
        self._bundle: Bundle | None = None
        self._circle: Circle | None = None
        self._decided: dict[str, Decision] | None = None
        self._decisions: Sequence[Decision] | None = None
        self._permitted: frozenset[str] | None = None
        self._unaddressed: frozenset[str] | None = None
        self._opened: dict[str, int] | None = None
        self._channel: ChannelFacts | None = None
        self._facets: Facets | None = None
        directory = view.directory
        held, stamped, acted = directory.size, stamp.directory, self.header.directory.size
        self.held: int = held
        if 0 < stamped <= held:
            at = self.at = directory.at(stamped)
            self.parameters = at.parameters
            self.settled = max(0, stamp.logged_at - 2 * at.parameters.lag)
        if 0 < acted <= held:
            self.then = self.at if acted == stamped else directory.at(acted)

    def __replace__(self, **changes: Any) -> Case:
        kept = {name: getattr(self, name) for name in ("view", "signed", "stamp", "openings", "bodies")}
        return Case(**{**kept, **changes})

    @property
    def certificate(self) -> NodeCertificate:
        """The sender's, as stamped. Raises `Refused`, row 3."""
        found = self._certificate
        if found is None:
            found = self._certificate = self.at.sender(self.header.sender, self.now)
        return found

    @property
    def bundle(self) -> Bundle:
        """The policy in force as stamped."""
        found = self._bundle
        if found is None:
            found = self._bundle = self.at.bundle(self.now)
        return found

    @property
    def circle(self) -> Circle:
        """Nodes that may be addressed in this log, as stamped: active, of its members, and certified for its realm."""
        found = self._circle
        if found is None:
            found = self._circle = self.at.circle(self.header.log, self.now)
        return found

    @property
    def decided(self) -> dict[str, Decision]:
        """What policy says about this entry's label and each node that may be addressed here, as stamped."""
        found = self._decided
        if found is None:
            found = self._decided = dict(zip(self.circle.nodes, self._decide(), strict=self.header.label is not None))
        return found

    @property
    def permitted(self) -> frozenset[str]:
        """The nodes that may be addressed here and to which policy gives this entry's label, as stamped."""
        found = self._permitted
        if found is None:
            found = self._permitted = frozenset(compress(self.circle.nodes, map(_permits, self._decide())))
        return found

    @property
    def unaddressed(self) -> frozenset[str]:
        """Those of `permitted` that are not in `to`, but for the sending node."""
        found = self._unaddressed
        if found is None:
            found = self._unaddressed = self.permitted.difference(self.nodes, (self.header.sender,))
        return found

    def _decide(self) -> Sequence[Decision]:
        """About the nodes of `circle`, in their order, all at once: together the rows ask about each.

        Of an entry without a label there is nothing to decide.
        """
        found = self._decisions
        if found is None:
            label, circle = self.header.label, self.circle
            if label is None:
                return ()
            found = self.view.decide(self.bundle, label, circle.readers, "receive", self.facets)
            if len(found) != len(circle.nodes):
                raise ValueError("one decision about each node was asked for")
            self._decisions = found
        return found

    @property
    def opened(self) -> dict[str, int]:
        """The number in every *true* opening that is at hand, by node. What does not hash to `c` is no opening (I6)."""
        found = self._opened
        if found is None:
            found = self._opened = self._open()
        return found

    def prepare(self) -> None:
        """Work out what later rows will ask for and the entry alone decides."""
        if self._opened is None:
            self._opened = self._open()

    def _open(self) -> dict[str, int]:
        h, openings, found = self.header, self.openings, {}
        log, sender = h.log, h.sender
        for node, commitment in h.to:
            opening = openings.get(node)
            if opening is not None:
                n = opening.n
                if to_commitment(log=log, sender=sender, node=node, n=n, salt=opening.salt) == commitment:
                    found[node] = n
        return found

    @property
    def channel(self) -> ChannelFacts:
        found = self._channel
        if found is None:
            found = self._channel = self.at.channel_facts(self.header.log, self.now)
        return found

    @property
    def facets(self) -> Facets:
        found = self._facets
        if found is None:
            h, now = self.header, self.now
            found = self._facets = _facets(self.channel, h.member, h.type or "", h.purpose, now - now % DAY)
        return found

    def facets_under(self, channel: ChannelFacts, time: int) -> Facets:
        h = self.header
        return _facets(channel, h.member, h.type or "", h.purpose, time - time % DAY)

    def look_up(self, ref: Ref) -> Source | Unseen | None:
        """The entry that `ref` names; None where this party can say that there is none to refer to."""
        found = self.view.known(ref)
        return NOT_SHOWN if found is None and self.view.party is NODE else found

    @property
    def is_own(self) -> bool:
        return self.header.sender == self.view.me
