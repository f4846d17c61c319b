"""What a party knows when it judges an entry, and the entry with everything around it that the rows look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Flag, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from rsc_share import names
from rsc_share.charter.certificate import NodeCertificate
from rsc_share.charter.directory import Directory
from rsc_share.charter.parameters import Parameters
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import to_commitment
from rsc_share.crypto.signing import VerifyCache
from rsc_share.envelope.contents import Content
from rsc_share.envelope.entry import Signed, Stamp
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Opening, Openings, Ref
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import DAY
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide_each
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import ChannelFacts, Facets, Subject
from rsc_share.rulebook.facts import Facts
from rsc_share.value import Value

T = TypeVar("T")


class Party(Flag):
    """Who judges: the relay before logging, a reading node, an auditor with the whole log."""

    RELAY = auto()
    NODE = auto()
    AUDITOR = auto()
    ALL = RELAY | NODE | AUDITOR


class Source(Value, frozen=True):
    """What an admitted entry that another one refers to said."""

    ref: Ref
    kind: str
    sender: str
    type: str | None
    label: Label | None
    nodes: tuple[str, ...]
    commits: tuple[bytes, ...]
    content: Content | None
    target: Ref | None

    @classmethod
    def of(cls, index: int, signed: Signed) -> Source:
        h = signed.header
        return cls(
            ref=Ref(h.log, index, signed.header_hash),
            kind=h.kind,
            sender=h.sender,
            type=h.type,
            label=h.label,
            nodes=h.nodes,
            commits=tuple(part.commit for part in h.parts),
            content=h.content,
            target=h.refs.target,
        )


@lru_cache(maxsize=4096)
def _facets(channel: ChannelFacts, originator: str, message_type: str, purpose: str | None, time: int) -> Facets:
    """One value for all alike entries of a day: no policy knows anything finer (`Facets.key`)."""
    return Facets(
        time=time,
        channel=channel,
        originator=originator,
        family=names.family_of(message_type),
        type=message_type,
        purpose=purpose,
        releases=frozenset(),
    )


Decide = Callable[[Bundle, Label, tuple[Subject, ...], str, Facets], Sequence[Decision]]
"""One decision for each subject, in their order."""
Known = Callable[[Ref], Source | None]
RootAt = Callable[[int], bytes | None]


def nothing_known(ref: Ref) -> Source | None:
    return None


def opening_true(log: str, sender: str, node: str, commitment: bytes, opening: Opening) -> bool:
    """Whether `opening` is what the sender committed to for `node`."""
    return to_commitment(log=log, sender=sender, node=node, n=opening.n, salt=opening.salt) == commitment


class View(Value, frozen=True):
    """One party's knowledge of one log up to `size` entries, under the directory it holds.

    `witnessed`: the directory size that k members cosigned; nobody may act on more (I4). `confirmed_at`: for a node,
    the time (ms) of the newest k-cosigned directory checkpoint it holds, after which row 15 can be judged.
    """

    party: Party
    log: str
    directory: Directory
    directory_root: RootAt
    witnessed: int
    facts: Facts
    size: int
    last: Stamp | None
    root_at: RootAt
    signatures: VerifyCache
    known: Known = nothing_known
    me: str = ""
    confirmed_at: int | None = None
    decide: Decide = decide_each
    """The policy decision: a relay may put a cache in front, an auditor a second opinion behind."""


class Once(Generic[T]):
    """A property that is computed at its first use and then a plain attribute.

    As `functools.cached_property`, which in Python 3.11 takes a lock for every first use.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, case: Any, owner: type) -> T:
        found = case.__dict__[self._name] = self._make(case)
        return found


NO_OPENINGS: Openings = MappingProxyType({})


class Case(Value, dict=True, frozen=True):
    """An entry about to be judged, with what came beside it."""

    view: View
    signed: Signed
    stamp: Stamp
    openings: Openings = NO_OPENINGS
    bodies: Mapping[bytes, int] | None = None
    """Sizes of the bodies at hand by digest; None where bodies are not this party's to check."""

    @Once
    def header(self) -> Header:
        return self.signed.header

    @property
    def index(self) -> int:
        return self.view.size

    @Once
    def now(self) -> int:
        """`now` in every rule is the relay's `logged_at`; local clocks decide nothing here."""
        return self.stamp.logged_at

    @Once
    def at(self) -> DirectoryView:
        """Trust as stamped: what is forbidden here is forbidden."""
        return self.view.directory.at(self.stamp.directory)

    @Once
    def then(self) -> DirectoryView:
        """Trust as the sender saw it: what was due there must have been done."""
        return self.view.directory.at(self.header.directory.size)

    @Once
    def certificate(self) -> NodeCertificate:
        """The sender's, as stamped. Raises `Refused`, row 3."""
        return self.at.sender(self.header.sender, self.now)

    @Once
    def settled(self) -> int:
        """The instant by which every sender must have known of a change: `logged_at` - 2 LAG."""
        return max(0, self.now - 2 * self.parameters.lag)

    @Once
    def parameters(self) -> Parameters:
        return self.at.charter.parameters

    @Once
    def bundle(self) -> Bundle:
        """The policy in force as stamped."""
        return self.at.bundle(self.now)

    @Once
    def nodes(self) -> tuple[str, ...]:
        """The audience, sorted."""
        return self.header.nodes

    @Once
    def active(self) -> frozenset[str]:
        """Nodes that may be addressed in this log, as stamped: active, of its members, and certified for its realm."""
        return self.at.active_set(self.header.log, self.now)

    @Once
    def decided(self) -> dict[str, Decision]:
        """What policy says about this entry's label and each node that may be addressed here, as stamped.

        All at once: every row asks about some of them, and together they ask about all.
        """
        label, at, h = self.header.label, self.at, self.header
        if label is None:
            return {}
        nodes, subjects = at.active_nodes(h.log, self.now), at.readers(h.log, self.now)
        return dict(zip(nodes, self.view.decide(self.bundle, label, subjects, "receive", self.facets), strict=True))

    @Once
    def opened(self) -> dict[str, int]:
        """The number in every *true* opening that is at hand, by node. What does not hash to `c` is no opening (I6)."""
        h, openings = self.header, self.openings
        return {
            node: opening.n
            for node, commitment in h.to
            if (opening := openings.get(node)) is not None and opening_true(h.log, h.sender, node, commitment, opening)
        }

    @Once
    def channel(self) -> ChannelFacts:
        return self.at.channel_facts(self.header.log, self.now)

    @Once
    def facets(self) -> Facets:
        return self.facets_under(self.channel, self.now)

    def facets_under(self, channel: ChannelFacts, time: int) -> Facets:
        h = self.header
        return _facets(channel, h.member, h.type or "", h.purpose, time - time % DAY)

    @property
    def is_own(self) -> bool:
        return self.header.sender == self.view.me
