"""The page that ministers sign in ink: what the charter says, its digest to be read aloud, and room for signatures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rsc_share.charter.changes import day, listing, span
from rsc_share.charter.model import Channel, Charter, Member
from rsc_share.charter.parameters import Parameters
from rsc_share.charter.quorum import concerns

WIDTH = 80
"""Columns; an A4 page in a typewriter face."""


def groups_of_eight(digest: bytes) -> tuple[str, ...]:
    """64 hexadecimal digits in 8 groups of 8: what is compared with the paper, group by group."""
    digits = digest.hex()
    return tuple(digits[at : at + 8] for at in range(0, 64, 8))


def spaced(digest: bytes) -> str:
    groups = groups_of_eight(digest)
    return f"{' '.join(groups[:4])}\n{' '.join(groups[4:])}"


def page(charter: Charter) -> str:
    """The annex as plain text of 80 columns. The digest covers the text file, comments included; it follows in full."""
    lines = [part.rstrip() for line in _page(charter) for part in _folded(line)]
    return "\n".join([*lines, *_heading("The text that is signed"), charter.text.decode()])


def _folded(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _page(charter: Charter) -> Iterator[str]:
    yield f"CHARTER OF THE FRAMEWORK {charter.framework}, VERSION {charter.version}"
    yield "=" * WIDTH
    yield ""
    yield "SHA-256 of the text:"
    yield from (f"    {line}" for line in spaced(charter.digest).splitlines())
    if charter.previous is not None:
        yield "SHA-256 of the version before:"
        yield from (f"    {line}" for line in spaced(charter.previous).splitlines())
    yield ""
    yield from _terms(charter)
    yield from _heading("Parties")
    for member in charter.members.values():
        yield from _member(member)
    yield from _heading("Relays")
    for host, relay in charter.relays.items():
        yield f"{host}, run by {relay.operator}"
        yield from (f"    log key  {key}" for key in relay.log_keys)
        yield from (f"    TLS key  {pin}" for pin in relay.tls_pins)
    yield from _heading("Channels")
    yield f"directory at {charter.directory_relay}, read by every party"
    for channel in charter.channels.values():
        yield from _channel(channel)
    yield from _remarks(charter)
    yield from _signatures(charter)


def _heading(title: str) -> tuple[str, str, str]:
    return "", title, "-" * WIDTH


def _terms(charter: Charter) -> Iterator[str]:
    states = len(charter.states())
    yield f"Valid from {day(charter.valid[0])} to {day(charter.valid[1] - 1)} (UTC, both days included)."
    after = "everything stands still" if charter.on_expiry == "freeze" else "it goes on, marked, and nothing is added"
    yield f"After the last day {after}."
    if charter.erasure:
        yield f"Erasures may be ordered by {listing(charter.erasure)}."
    yield f"A change needs {charter.quorum.needed(states)} of {states} members ({charter.quorum}),"
    yield f"removing a member {charter.quorum_remove.needed(states)} of {states} ({charter.quorum_remove})."
    yield f"A log entry is witnessed when {charter.witness_quorum} members have cosigned it."
    yield f"The rulebook is version {charter.rules}. SHA-256 of the policy bundle:"
    yield from (f"    {line}" for line in spaced(charter.policy).splitlines())
    numbers = charter.parameters
    if numbers != Parameters():
        yield f"A revocation bites within {span(numbers.lag)}; a new node waits {span(numbers.node_delay)}."


def _member(member: Member) -> Iterator[str]:
    standing = ", SUSPENDED" if member.suspended else ""
    yield f"{member.code}  {member.title}  ({member.role}{standing})"
    yield f"    authority {member.authority}"
    if member.duty is not None:
        yield f"    duty      {member.duty}"
    if member.groups:
        yield f"    groups    {listing(member.groups)}"
    for scheme, held in sorted(member.entitlements.items()):
        yield f"    may read  {scheme} {listing(held.levels)}"
    for name, node in sorted(member.nodes.items()):
        yield f"    node      {name} ({listing(node.realms)}), signing key"
        yield f"              {node.signing}"


def _channel(channel: Channel) -> Iterator[str]:
    ceiling = ", ".join(f"{scheme} {level}" for scheme, level in sorted(channel.ceiling.items())) or "none"
    yield f"{channel.name} ({channel.realm}) at {channel.relay}"
    yield f"    members   {listing(channel.members)}"
    yield f"    ceiling   {ceiling}"
    yield f"    carries   {listing(channel.families)}"


def _remarks(charter: Charter) -> Iterator[str]:
    found = concerns(charter)
    if found:
        yield from _heading("Remarks by the program")
        yield from found


def _signatures(charter: Charter) -> Iterator[str]:
    yield from _heading("Signatures")
    yield "Signed after comparing the digest above with the one shown by our own program."
    for code, member in charter.members.items():
        yield ""
        yield f"{code:<10}{(member.title or member.role)[:28]:<30}{'_' * 24}  {'_' * 12}"
        yield f"{'':<40}{'signature':<26}date"
