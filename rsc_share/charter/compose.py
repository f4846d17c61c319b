"""Writing a charter's text from values: for `charter new`, for amendments, and for the test kit.

`parse_charter(compose(charter))` gives the same values back. The text and digest of the value that is passed in are
not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rsc_share.charter.model import (
    Channel,
    Charter,
    Fraction,
    Member,
    NodeRole,
    NodeSpec,
    OnExpiry,
    Predecessor,
    Realm,
    Relay,
)
from rsc_share.charter.parameters import DAY, Parameters, text_key, to_text
from rsc_share.crypto.signing import PublicKey
from rsc_share.errors import LocalError

TWO_THIRDS = Fraction(2, 3)
THREE_QUARTERS = Fraction(3, 4)


def new_charter(
    framework: str,
    *,
    valid: tuple[int, int],
    members: Iterable[Member],
    relays: Iterable[Relay],
    channels: Iterable[Channel],
    directory_relay: str,
    policy: bytes,
    witness_quorum: int,
    quorum: Fraction = TWO_THIRDS,
    quorum_remove: Fraction = THREE_QUARTERS,
    on_expiry: OnExpiry = "freeze",
    parameters: Parameters | None = None,
    predecessor: Predecessor | None = None,
    erasure: Iterable[str] = (),
) -> Charter:
    """Values of a version 1. `valid` is `[from, until)` ms at midnights UTC. Compose it, then parse it to be sure."""
    return Charter(
        framework=framework,
        version=1,
        previous=None,
        valid=valid,
        rules=1,
        on_expiry=on_expiry,
        quorum=quorum,
        quorum_remove=quorum_remove,
        witness_quorum=witness_quorum,
        policy=policy,
        directory_relay=directory_relay,
        parameters=parameters or Parameters(),
        members={member.code: member for member in members},
        relays={relay.host: relay for relay in relays},
        channels={channel.name: channel for channel in channels},
        closed=(),
        predecessor=predecessor,
        erasure=tuple(sorted(erasure)),
        text=b"",
        digest=b"",
    )


def next_charter(charter: Charter, **changes: Any) -> Charter:
    """Values of the version after a parsed charter, with fields of `Charter` changed."""
    return replace(charter, version=charter.version + 1, previous=charter.digest, text=b"", digest=b"", **changes)


def node_spec(
    name: str,
    signing: PublicKey,
    witness: tuple[PublicKey, PublicKey],
    *,
    realms: Iterable[Realm] = ("operational", "exercise"),
    accreditation: Mapping[str, str] | None = None,
    role: NodeRole = "full",
) -> NodeSpec:
    """A first node from its keys: Ed25519 for signing, Ed25519 and ML-DSA-44 for witnessing."""
    fingerprints = witness[0].fingerprint, witness[1].fingerprint
    return NodeSpec(name, signing.fingerprint, fingerprints, frozenset(realms), dict(accreditation or {}), role)


def channel(
    name: str,
    relay: str,
    members: Iterable[str],
    *,
    realm: Realm = "operational",
    ceiling: Mapping[str, str] | None = None,
    families: Iterable[str] = (),
    **more: Any,
) -> Channel:
    """A channel; `members` are codes and groups as the text lists them, resolved when the text is parsed."""
    return Channel(name, realm, relay, frozenset(), tuple(members), dict(ceiling or {}), frozenset(families), **more)


def compose(charter: Charter) -> bytes:
    """The text. `LocalError` where a value has no place in it (a validity that does not end at midnight UTC)."""
    blocks = [_head(charter), _parameters(charter.parameters)]
    for _, member in sorted(charter.members.items()):
        blocks += [_member(member), *(_node(member.code, node) for _, node in sorted(member.nodes.items()))]
    blocks += [_relay(relay) for _, relay in sorted(charter.relays.items())]
    blocks += [_channel(found) for _, found in sorted(charter.channels.items())]
    for closed in charter.closed:
        blocks.append(["[[closed]]", *_lines(log=closed.log, size=closed.size, root=closed.root.hex())])
    if charter.predecessor is not None:
        last = charter.predecessor
        fields = _lines(framework_id=last.framework_id.hex(), size=last.size, root=last.root.hex())
        blocks.append(["[predecessor]", *fields])
    return ("\n\n".join("\n".join(block) for block in blocks if block) + "\n").encode()


def _head(charter: Charter) -> list[str]:
    lines = _lines(framework=charter.framework, version=charter.version)
    if charter.previous is not None:
        lines += _lines(previous=charter.previous.hex())
    first, last = _day(charter.valid[0]), _day(charter.valid[1] - DAY)
    lines.append(f"valid = [{first}, {last}]  # UTC, both days included")
    lines += _lines(rules=charter.rules, on_expiry=charter.on_expiry)
    for key, rule in (("quorum", charter.quorum), ("quorum_remove", charter.quorum_remove)):
        lines += _lines(**{key: [rule.part, rule.whole]})
    if charter.erasure:
        lines += _lines(erasure=list(charter.erasure))
    return lines + _lines(
        witness_quorum=charter.witness_quorum, policy=charter.policy.hex(), directory=charter.directory_relay
    )


def _day(time: int) -> str:
    if time % DAY:
        raise LocalError("a charter's validity begins and ends at midnight UTC", code="charter")
    return datetime.fromtimestamp(time // 1000, UTC).date().isoformat()


def _parameters(parameters: Parameters) -> list[str]:
    usual, mine = to_text(Parameters()), to_text(parameters)
    for key, value in mine.items():
        name = key.removesuffix("_seconds")
        if text_key(name) != name and value * 1000 != getattr(parameters, name):
            raise LocalError(f"{key} is not a whole number of seconds", code="charter")
    changed = {key: value for key, value in mine.items() if value != usual[key]}
    return ["[parameters]", *_lines(**changed)] if changed else []


def _member(member: Member) -> list[str]:
    lines = [f"[member.{member.code}]", *_lines(role=member.role, authority=member.authority)]
    if member.duty is not None:
        lines += _lines(duty=member.duty)
    if member.title:
        lines += _lines(title=member.title)
    if member.suspended:
        lines += _lines(suspended=True)
    if member.groups:
        lines += _lines(groups=sorted(member.groups))
    for scheme, held in sorted(member.entitlements.items()):
        tags = {tag: sorted(values) for tag, values in held.tags.items()}
        lines.append(f"entitlement.{_key(scheme)} = {_value({'levels': sorted(held.levels), 'tags': tags})}")
    return lines


def _node(code: str, node: NodeSpec) -> list[str]:
    lines = [f"[member.{code}.node.{node.name.partition('/')[2]}]"]
    lines += _lines(signing=node.signing, witness=list(node.witness), realms=sorted(node.realms))
    if node.accreditation:
        lines += _lines(accreditation=dict(node.accreditation))
    return lines if node.role == "full" else lines + _lines(role=node.role)


def _relay(relay: Relay) -> list[str]:
    fields = _lines(operator=relay.operator, log_keys=list(relay.log_keys), tls_pins=list(relay.tls_pins))
    return [f"[relay.{_value(relay.host)}]", *fields]


def _channel(found: Channel) -> list[str]:
    lines = [f"[channel.{found.name}]", *_lines(realm=found.realm, relay=found.relay, members=list(found.listed))]
    lines += _lines(ceiling=dict(found.ceiling), families=sorted(found.families))
    for key, value in (
        ("retention_days", found.retention_days),
        ("limits", dict(found.limits)),
        ("alternate", found.alternate),
    ):
        if value:
            lines += _lines(**{key: value})
    return lines


def _lines(**values: Any) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_value(value[key])}" for key in sorted(value))
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(_value(item) for item in value)}]"
