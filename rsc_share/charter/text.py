"""From the charter's text to a `Charter`. What people read is what they sign: nothing here has a default that widens.

framework = "regional"
version = 1
valid = [2026-01-01, 2028-12-31]        # UTC, both days included
rules = 1
on_expiry = "freeze"
quorum = [2, 3]                         # of all members, suspended ones counted
quorum_remove = [3, 4]
witness_quorum = 3
policy = "<64 hex digits>"              # SHA-256 of the packed policy bundle
directory = "relay.example:8443"        # the relay that keeps the directory

[member.EST]
role = "member"
authority = "<fingerprint>"
duty = "<fingerprint>"
groups = ["@nordic"]
entitlement.REGIONAL = { levels = ["RESTRICTED", "SECRET"], tags = { caveat = ["CT"] } }

[member.EST.node.mod-1]
signing = "<fingerprint>"
witness = ["<Ed25519 fingerprint>", "<ML-DSA-44 fingerprint>"]
realms = ["operational"]
accreditation = { REGIONAL = "SECRET" }
"""

from __future__ import annotations

import hashlib
from typing import Any

from rsc_share import names, shape
from rsc_share.charter import parameters as params
from rsc_share.charter.consistency import check
from rsc_share.charter.model import (
    LIMITS,
    MEMBERS,
    NODE_ROLES,
    ON_EXPIRY,
    REALMS,
    ROLES,
    Channel,
    Charter,
    Closed,
    Fraction,
    Member,
    MemberEntitlement,
    NodeSpec,
    Predecessor,
    Realm,
    Relay,
)
from rsc_share.charter.source import Table, tables
from rsc_share.errors import RemoteError
from rsc_share.labels.label import level_name, scheme_id, tag_name, tag_value

MAX_MEMBERS = 256
MAX_CHANNELS = 256
MAX_RELAYS = 64
RULES = (1,)
"""Rulebook versions this release knows. An unknown one is refused: better to stop than to judge by other rules."""
_HEAD = ("framework", "version", "previous", "valid", "rules", "on_expiry", "policy", "directory")
_VOTES = ("quorum", "quorum_remove", "witness_quorum")
_TABLES = ("parameters", "member", "relay", "channel", "closed", "predecessor")


def parse_charter(data: bytes, name: str = "charter") -> Charter:
    """The charter in `data`, consistent in itself; `LocalError` (code `charter`, fields `file line key`) otherwise."""
    root, _ = tables(data, name)
    root.closed(*_HEAD, *_VOTES, *_TABLES)
    version = root.whole("version", 1, 1_000_000)
    members = {code: _member(root, code, table) for code, table in root.each("member", high=MAX_MEMBERS)}
    charter = Charter(
        framework=root.named("framework", names.framework),
        version=version,
        previous=_previous(root, version),
        valid=root.days("valid"),
        rules=_rules(root),
        on_expiry=root.choice("on_expiry", ON_EXPIRY),
        quorum=_fraction(root, "quorum"),
        quorum_remove=_fraction(root, "quorum_remove"),
        witness_quorum=root.whole("witness_quorum", 1, MAX_MEMBERS),
        policy=root.digest("policy"),
        directory_relay=root.named("directory", names.host),
        parameters=_parameters(root.table("parameters")),
        members=members,
        relays={host: _relay(root, host, table) for host, table in root.each("relay", high=MAX_RELAYS)},
        channels={n: _channel(root, n, table, members) for n, table in root.each("channel", high=MAX_CHANNELS)},
        closed=tuple(_closed(row) for row in root.rows("closed", high=MAX_CHANNELS)),
        predecessor=_predecessor(root.table("predecessor")) if "predecessor" in root.values else None,
        text=data,
        digest=hashlib.sha256(data).digest(),
    )
    check(charter, root)
    return charter


def _previous(root: Table, version: int) -> bytes | None:
    if version > 1:
        return root.digest("previous")
    if "previous" in root.values:
        raise root.wrong("previous", "version 1 has no previous version")
    return None


def _rules(root: Table) -> int:
    rules = root.whole("rules", 1, 1_000)
    if rules not in RULES:
        raise root.wrong("rules", f"this release knows rulebook {', '.join(map(str, RULES))} only: upgrade")
    return rules


def _fraction(root: Table, key: str) -> Fraction:
    part, whole = root.pair(key, 1, 1_000)
    if part > whole or part * 2 <= whole:
        raise root.wrong(key, "is not more than one half and at most one: two halves could each found a version")
    return Fraction(part, whole)


def _parameters(table: Table) -> params.Parameters:
    table.closed(*params.TEXT_KEYS)
    found = {
        field: table.whole(key, *params.bounds(field)) for key, field in params.TEXT_KEYS.items() if key in table.values
    }
    result = params.from_text(found)
    reason = params.incoherent(result)
    if reason:
        raise table.wrong(None, reason)
    return result


def _levels(table: Table, key: str) -> dict[str, str]:
    """Scheme to level."""
    inner = table.table(key)
    return {table.check(key, scheme_id, scheme): inner.named(scheme, level_name) for scheme in sorted(inner.values)}


def _member(root: Table, code: str, table: Table) -> Member:
    root.check("member", names.member, code)
    table.closed("role", "authority", "duty", "title", "suspended", "groups", "entitlement", "node")
    groups = table.several("groups", names.group)
    if MEMBERS in groups:
        raise table.wrong("groups", f"{MEMBERS} is built in: every party with role member is in it")
    return Member(
        code=code,
        role=table.choice("role", ROLES),
        authority=table.fingerprint("authority"),
        duty=table.fingerprint("duty") if "duty" in table.values else None,
        title=table.text("title") if "title" in table.values else "",
        suspended=table.flag("suspended", False),
        groups=frozenset(groups),
        entitlements={
            table.check("entitlement", scheme_id, s): _entitlement(t) for s, t in table.each("entitlement", high=64)
        },
        nodes={node.name: node for node in (_node(code, n, t) for n, t in table.each("node", high=64))},
    )


def _entitlement(table: Table) -> MemberEntitlement:
    table.closed("levels", "tags")
    tags = table.table("tags")
    return MemberEntitlement(
        levels=frozenset(table.several("levels", level_name, low=1, high=64)),
        tags={tags.check(tag, tag_name, tag): frozenset(tags.several(tag, tag_value)) for tag in sorted(tags.values)},
    )


def _realms(table: Table) -> frozenset[Realm]:
    found = table.several("realms", lambda value, where: shape.choice(value, where, REALMS), low=1, high=2)
    return frozenset(realm for realm in REALMS if realm in found)


def _node(code: str, name: str, table: Table) -> NodeSpec:
    table.closed("signing", "witness", "realms", "accreditation", "role")
    try:
        full = names.node(f"{code}/{name}")
    except RemoteError as error:
        raise table.wrong(None, error.what) from None
    first, second = table.fingerprints("witness", low=2, high=2)
    return NodeSpec(
        name=full,
        signing=table.fingerprint("signing"),
        witness=(first, second),
        realms=_realms(table),
        accreditation=_levels(table, "accreditation"),
        role=table.choice("role", NODE_ROLES) if "role" in table.values else "full",
    )


def _relay(root: Table, host: str, table: Table) -> Relay:
    root.check("relay", names.host, host)
    table.closed("operator", "log_keys", "tls_pins")
    first, second = table.fingerprints("log_keys", low=2, high=2)
    return Relay(
        host=host,
        operator=table.named("operator", names.member),
        log_keys=(first, second),
        tls_pins=table.fingerprints("tls_pins", low=0, high=8),
    )


def _party(value: Any, where: str) -> str:
    return names.group(value, where) if type(value) is str and value.startswith("@") else names.member(value, where)


def _family(value: Any, where: str) -> str:
    names.message_type(f"{value}/x/1", where)
    return str(value)


def _channel(root: Table, name: str, table: Table, members: dict[str, Member]) -> Channel:
    root.check("channel", names.channel, name)
    if name == names.DIRECTORY:
        raise table.wrong(None, "the directory is not written as a channel; its relay is the key `directory`")
    table.closed("realm", "relay", "members", "ceiling", "families", "retention_days", "limits", "alternate")
    listed = table.several("members", _party, low=1)
    return Channel(
        name=name,
        realm=table.choice("realm", REALMS),
        relay=table.named("relay", names.host),
        members=_resolve(table, listed, members),
        listed=listed,
        ceiling=_levels(table, "ceiling"),
        families=frozenset(table.several("families", _family)),
        retention_days=table.whole("retention_days", 1, 100_000) if "retention_days" in table.values else None,
        limits=_limits(table.table("limits")),
        alternate=table.named("alternate", names.channel) if "alternate" in table.values else None,
    )


def _resolve(table: Table, listed: tuple[str, ...], members: dict[str, Member]) -> frozenset[str]:
    found: set[str] = set()
    for item in listed:
        if item.startswith("@"):
            inside = {code for code, m in members.items() if item == MEMBERS or item in m.groups}
            if not inside:
                raise table.wrong("members", f"nobody is in {item}")
            found |= inside
        elif item not in members:
            raise table.wrong("members", f"{item} is not a party to this charter")
        elif members[item].role == "auditor":
            raise table.wrong("members", f"{item} is an auditor: it reads the log and takes no part in the channel")
        else:
            found.add(item)
    return frozenset(code for code in found if members[code].role != "auditor")


def _limits(table: Table) -> dict[str, int]:
    table.closed(*LIMITS)
    return {key: table.whole(key, 1, 1 << 50) for key in LIMITS if key in table.values}


def _closed(table: Table) -> Closed:
    table.closed("log", "size", "root")
    return Closed(table.named("log", names.origin), table.whole("size", 0, 1 << 62), table.digest("root"))


def _predecessor(table: Table) -> Predecessor:
    table.closed("framework_id", "size", "root")
    return Predecessor(table.digest("framework_id"), table.whole("size", 1, 1 << 62), table.digest("root"))
