"""The tables of a charter's text: members with their entitlements and first nodes, relays, channels."""

from __future__ import annotations

from typing import Any

from rsc_share import names, shape
from rsc_share.charter.model import (
    LIMITS,
    MEMBERS,
    NODE_ROLES,
    REALMS,
    ROLES,
    Channel,
    Member,
    MemberEntitlement,
    NodeSpec,
    Realm,
    Relay,
)
from rsc_share.charter.source import Table
from rsc_share.errors import RemoteError
from rsc_share.labels.label import level_name, scheme_id, tag_name, tag_value


def _levels(table: Table, key: str) -> dict[str, str]:
    """Scheme to level."""
    inner = table.table(key)
    return {table.check(key, scheme_id, scheme): inner.named(scheme, level_name) for scheme in sorted(inner.values)}


def read_member(root: Table, code: str, table: Table) -> Member:
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


def read_relay(root: Table, host: str, table: Table) -> Relay:
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


def read_channel(root: Table, name: str, table: Table, members: dict[str, Member]) -> Channel:
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
