"""The difference between two charters, in sentences that a legal officer can check against the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from rsc_share.charter.model import Channel, Charter, Member, NodeSpec, Relay
from rsc_share.charter.parameters import DAY, HOUR, MINUTE, SECOND, Parameters
from rsc_share.charter.quorum import consents, takes_away


def changes(old: Charter, new: Charter) -> tuple[str, ...]:
    """One sentence per change, most weighty first. Both charters have been parsed; nothing about signatures here."""
    return (
        *_members(old, new),
        *_rules(old, new),
        *_relays(old.relays, new.relays),
        *_channels(old, new),
        *_parameters(old.parameters, new.parameters),
        *_erasure(old, new),
        *_closed(old, new),
        *_consequences(old, new),
    )


def day(time: int) -> str:
    """The UTC date of a time in milliseconds."""
    return datetime.fromtimestamp(time // 1000, UTC).date().isoformat()


def span(time: int) -> str:
    """A duration as people say it: `10 min`, `24 h`, `90 d`."""
    for unit, least, name in ((DAY, 2 * DAY, "d"), (HOUR, HOUR, "h"), (MINUTE, MINUTE, "min"), (SECOND, SECOND, "s")):
        if time % unit == 0 and time >= least:
            return f"{time // unit} {name}"
    return f"{time} ms"


def listing(items: Any) -> str:
    return ", ".join(sorted(items)) or "nothing"


def _erasure(old: Charter, new: Charter) -> Iterator[str]:
    if old.erasure != new.erasure:
        yield f"Erasures may be ordered by {listing(new.erasure)}; it was {listing(old.erasure)}."


def _members(old: Charter, new: Charter) -> Iterator[str]:
    for code in sorted(old.members.keys() - new.members.keys()):
        yield f"{code} leaves: its nodes and officers end, and it receives nothing from then on."
    for code in sorted(new.members.keys() - old.members.keys()):
        yield f"{code} joins as {new.members[code].role}; every label released to @members includes it from then on."
        yield from _held(code, {}, new.members[code].entitlements)
    for code in sorted(old.members.keys() & new.members.keys()):
        yield from _member(code, old.members[code], new.members[code])


def _member(code: str, old: Member, new: Member) -> Iterator[str]:
    if old.role != new.role:
        yield f"{code} becomes {new.role}; it was {old.role}."
    if old.suspended != new.suspended:
        yield f"{code} is suspended." if new.suspended else f"{code} is no longer suspended."
    if old.authority != new.authority:
        yield f"{code} has another authority key: {new.authority}; it was {old.authority}."
    if old.duty != new.duty:
        yield f"{code} has another duty key: {new.duty or 'none'}; it was {old.duty or 'none'}."
    if old.groups != new.groups:
        yield f"{code} is in the groups {listing(new.groups)}; it was in {listing(old.groups)}."
    if old.title != new.title:
        yield f"{code} is called {new.title!r}; it was called {old.title!r}."
    yield from _held(code, old.entitlements, new.entitlements)
    for name in sorted(old.nodes.keys() | new.nodes.keys()):
        yield from _node(name, old.nodes.get(name), new.nodes.get(name))


def _node(name: str, old: NodeSpec | None, new: NodeSpec | None) -> Iterator[str]:
    if new is None:
        yield f"{name} is no longer named here, and ends unless {name.partition('/')[0]} has certified it."
    elif old is None:
        yield f"{name} is a new node, active at once, with signing key {new.signing}."
    elif old != new:
        what = "another signing key" if old.signing != new.signing else "the same signing key"
        yield (
            f"{name} changes: {what} {new.signing}, role {new.role}, realms {listing(new.realms)}, "
            f"accreditation {_levels(new.accreditation)}."
        )


def _held(code: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for scheme in sorted(old.keys() | new.keys()):
        before, after = old.get(scheme), new.get(scheme)
        if before == after:
            continue
        if after is None:
            yield f"{code} may read nothing in {scheme} any more."
            continue
        more = after.levels - (before.levels if before else frozenset())
        less = (before.levels if before else frozenset()) - after.levels
        yield f"{code} may read {scheme} {listing(after.levels)}{_gained(more, less)}."
        if before is not None and dict(before.tags) != dict(after.tags):
            yield f"{code} holds in {scheme} the tags {_tags(after.tags)}; it held {_tags(before.tags)}."


def _tags(tags: Mapping[str, frozenset[str]]) -> str:
    return "; ".join(f"{tag} {listing(values)}" for tag, values in sorted(tags.items())) or "none"


def _gained(more: frozenset[str], less: frozenset[str]) -> str:
    gained = f"; new is {listing(more)}" if more else ""
    return gained + (f"; gone is {listing(less)}" if less else "")


def _levels(levels: Mapping[str, str]) -> str:
    return ", ".join(f"{scheme} {level}" for scheme, level in sorted(levels.items())) or "none"


def _rules(old: Charter, new: Charter) -> Iterator[str]:
    if old.valid != new.valid:
        was = f"{day(old.valid[0])} to {day(old.valid[1] - 1)}"
        yield f"Valid from {day(new.valid[0])} to {day(new.valid[1] - 1)}, both days included; it was {was}."
    for name, before, after in (
        ("The quorum", old.quorum, new.quorum),
        ("The quorum for removing a member", old.quorum_remove, new.quorum_remove),
        ("The number of witnesses", old.witness_quorum, new.witness_quorum),
        ("What happens after the last day", old.on_expiry, new.on_expiry),
        ("The rulebook version", old.rules, new.rules),
        ("The digest of the policy bundle", old.policy.hex(), new.policy.hex()),
        ("The relay of the directory", old.directory_relay, new.directory_relay),
    ):
        if before != after:
            yield f"{name} is {after}; it was {before}."


def _relays(old: Mapping[str, Relay], new: Mapping[str, Relay]) -> Iterator[str]:
    for host in sorted(old.keys() - new.keys()):
        yield f"Relay {host} goes."
    for host in sorted(new.keys() - old.keys()):
        yield f"Relay {host} comes, run by {new[host].operator}."
    for host in sorted(old.keys() & new.keys()):
        before, after = old[host], new[host]
        if before.operator != after.operator:
            yield f"Relay {host} is run by {after.operator}; it was run by {before.operator}."
        if before.tls_pins != after.tls_pins:
            yield f"Relay {host} has the TLS keys {listing(after.tls_pins)}."
        if before.log_keys != after.log_keys:
            yield f"Relay {host} has other log keys."


def _channels(old: Charter, new: Charter) -> Iterator[str]:
    for name in sorted(old.channels.keys() - new.channels.keys()):
        yield f"Channel {name} ends."
    for name in sorted(new.channels.keys() - old.channels.keys()):
        channel = new.channels[name]
        yield f"Channel {name} ({channel.realm}) begins at {channel.relay}, with {listing(channel.members)}."
    for name in sorted(old.channels.keys() & new.channels.keys()):
        yield from _channel(name, old.channels[name], new.channels[name])


def _channel(name: str, old: Channel, new: Channel) -> Iterator[str]:
    if old.relay != new.relay:
        yield f"Channel {name} moves to {new.relay}; it was at {old.relay}."
    if new.members - old.members:
        yield f"Channel {name} takes in {listing(new.members - old.members)}."
    if old.members - new.members:
        yield f"Channel {name} loses {listing(old.members - new.members)}."
    if dict(old.ceiling) != dict(new.ceiling):
        yield f"Channel {name} has the ceiling {_levels(new.ceiling)}; it was {_levels(old.ceiling)}."
    if old.families != new.families:
        yield f"Channel {name} carries {listing(new.families)}; it carried {listing(old.families)}."
    for what in ("realm", "retention_days", "limits", "alternate", "listed"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            yield f"Channel {name}: {what.replace('_', ' ')} is {after}; it was {before}."


def _parameters(old: Parameters, new: Parameters) -> Iterator[str]:
    for item in fields(Parameters):
        before, after = getattr(old, item.name), getattr(new, item.name)
        if before != after:
            said = (after, before) if item.name == "nodes_max" else (span(after), span(before))
            yield f"{item.name.upper()} is {said[0]}; it was {said[1]}."


def _closed(old: Charter, new: Charter) -> Iterator[str]:
    for closed in new.closed:
        if closed not in old.closed:
            yield f"The log {closed.log} is closed at {closed.size} entries with root {closed.root.hex()}."


def _consequences(old: Charter, new: Charter) -> Iterator[str]:
    own = consents(old, new)
    if own:
        yield f"{listing(own)} must sign this version in person: it joins, or its keys or nodes change."
    states = len(old.states())
    if takes_away(old, new):
        yield f"This takes something away: {old.quorum_remove.needed(states)} of {states} members must sign."
    else:
        yield f"{old.quorum.needed(states)} of {states} members must sign."
