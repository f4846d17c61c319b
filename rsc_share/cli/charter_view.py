"""A charter and its signatures as tables and as JSON. Nothing is decided here."""

from __future__ import annotations

from typing import Any

from rsc_share.charter.changes import day, listing
from rsc_share.charter.model import Charter, Member
from rsc_share.charter.quorum import concerns
from rsc_share.charter.rules import charter_groups
from rsc_share.cli.output import GOOD, LOOK, PLAIN, WRONG, rows, say
from rsc_share.cli.packet import Packet
from rsc_share.cli.sigfile import Count
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.lint import Codes, lint


def charter_values(charter: Charter) -> dict[str, Any]:
    """For JSON; days are UTC and both included."""
    return {
        "framework": charter.framework,
        "version": charter.version,
        "digest": charter.digest.hex(),
        "previous": charter.previous.hex() if charter.previous else None,
        "valid": [day(charter.valid[0]), day(charter.valid[1] - 1)],
        "on_expiry": charter.on_expiry,
        "quorum": str(charter.quorum),
        "quorum_remove": str(charter.quorum_remove),
        "witness_quorum": charter.witness_quorum,
        "policy": charter.policy.hex(),
        "directory": charter.directory,
        "members": {code: _member_values(member) for code, member in charter.members.items()},
        "relays": {host: {"operator": r.operator, "tls_pins": list(r.tls_pins)} for host, r in charter.relays.items()},
        "channels": {
            name: {
                "realm": channel.realm,
                "relay": channel.relay,
                "members": sorted(channel.members),
                "ceiling": dict(channel.ceiling),
                "families": sorted(channel.families),
            }
            for name, channel in charter.channels.items()
        },
        "remarks": list(concerns(charter)),
    }


def _member_values(member: Member) -> dict[str, Any]:
    return {
        "role": member.role,
        "title": member.title,
        "suspended": member.suspended,
        "authority": member.authority,
        "duty": member.duty,
        "groups": sorted(member.groups),
        "entitlements": {scheme: sorted(held.levels) for scheme, held in member.entitlements.items()},
        "nodes": sorted(member.nodes),
    }


def in_force(charter: Charter, now: int) -> tuple[str, str]:
    """In words, and the colour."""
    first, last = day(charter.valid[0]), day(charter.valid[1] - 1)
    if now < charter.valid[0]:
        return f"valid from {first} to {last} (not yet)", LOOK
    if now >= charter.valid[1]:
        return f"EXPIRED: it was valid from {first} to {last}", WRONG
    return f"valid from {first} to {last}", GOOD


def print_charter(charter: Charter, now: int) -> None:
    """Everything the text says but its digest, which a signer reads from paper."""
    say(f"Charter of {charter.framework}, version {charter.version}", "bold")
    say(*in_force(charter, now))
    say(
        f"Quorum {charter.quorum}, to remove a member {charter.quorum_remove}; witnesses {charter.witness_quorum}; "
        f"after the last day: {charter.on_expiry}; directory {charter.directory}"
    )
    say()
    heads = ("member", "role", "may read", "groups", "nodes", "title")
    rows(heads, (_member_row(member) for member in charter.members.values()))
    say()
    relays = charter.relays.values()
    rows(("relay", "run by", "TLS keys"), (((r.host, r.operator, str(len(r.tls_pins))), PLAIN) for r in relays))
    say()
    heads = ("channel", "realm", "relay", "members", "ceiling", "carries")
    rows(heads, ((_channel_cells(charter, name), PLAIN) for name in charter.channels))
    for remark in concerns(charter):
        say(f"Remark: {remark}", LOOK)


def _member_row(member: Member) -> tuple[tuple[str, ...], str]:
    role = f"{member.role}, SUSPENDED" if member.suspended else member.role
    held = "; ".join(f"{scheme} {listing(e.levels)}" for scheme, e in sorted(member.entitlements.items()))
    cells = (member.code, role, held or "nothing", ", ".join(sorted(member.groups)), ", ".join(sorted(member.nodes)))
    return (*cells, member.title), WRONG if member.suspended else PLAIN


def _channel_cells(charter: Charter, name: str) -> tuple[str, ...]:
    channel = charter.channels[name]
    ceiling = ", ".join(f"{scheme} {level}" for scheme, level in sorted(channel.ceiling.items())) or "none"
    members, carries = listing(channel.members), listing(channel.families)
    return name, channel.realm, channel.relay, members, ceiling, carries


def print_policy(packet: Packet) -> None:
    """The policy that is signed with the charter, and what the linter calls an error in it."""
    bundle, charter = Bundle.unpack(packet.bundle), packet.charter
    say(f"Policy {bundle.name}, version {bundle.version}: {len(bundle.schemes)} schemes, {len(bundle.rows)} rows")
    for finding in lint(bundle, known_codes(charter)):
        if finding.severity == "error":
            say(f"Remark: policy, {finding.where}: {finding.what}", LOOK)


def known_codes(charter: Charter) -> Codes:
    """What a policy may name under this charter."""
    families = {family for channel in charter.channels.values() for family in channel.families}
    return Codes(set(charter.members), set(charter_groups(charter)), families, set(charter.channels))


def standings(packet: Packet, counted: Count) -> list[tuple[str, str, str]]:
    """(member, role, `signed | missing | may sign | suspended`) for every party of this version and the one before."""
    members = dict(packet.previous.charter.members) if packet.previous is not None else {}
    members.update(packet.charter.members)
    return [(code, member.role, _standing(packet, counted, code, member)) for code, member in sorted(members.items())]


def _standing(packet: Packet, counted: Count, code: str, member: Member) -> str:
    if code in counted.tally.signed:
        return "signed"
    if code in counted.tally.missing:
        return "missing"
    if member.votes and not counted.tally.complete:
        return "may sign"
    return "suspended" if member.suspended else "not needed"


def status_values(packet: Packet, counted: Count) -> dict[str, Any]:
    tally = counted.tally
    return {
        "framework": packet.charter.framework,
        "version": packet.charter.version,
        "digest": packet.charter.digest.hex(),
        "complete": tally.complete,
        "parties": [{"member": c, "role": r, "standing": s} for c, r, s in standings(packet, counted)],
        "missing": sorted(tally.missing),
        "votes": {"of": "members", "this": list(tally.new), "previous": list(tally.old) if packet.previous else None},
        "bad": dict(sorted(counted.bad.items())),
    }


def print_status(packet: Packet, counted: Count) -> None:
    styles = {"signed": GOOD, "missing": LOOK, "may sign": LOOK}
    found = standings(packet, counted)
    rows(("party", "role", "signature"), ((cells, styles.get(cells[2], PLAIN)) for cells in found))
    for name, why in sorted(counted.bad.items()):
        say(f"{name} does not count: {why}", WRONG)
    tally = counted.tally
    for which, (have, need) in (("the version before", tally.old), ("this version", tally.new)):
        if need:
            say(f"{have} of the {need} members that {which} needs", GOOD if have >= need else LOOK)
    if tally.complete:
        say("Complete: the next step is `charter verify`.", GOOD)
    elif tally.missing:
        say(f"Missing: {', '.join(sorted(tally.missing))}", LOOK)
