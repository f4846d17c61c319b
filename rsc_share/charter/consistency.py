"""What a charter must be in itself, before anybody signs it: names that exist, keys that are one owner's, quorums
that can be reached and cannot be reached twice."""

from __future__ import annotations

from collections.abc import Iterator

from rsc_share import names
from rsc_share.charter.model import Charter
from rsc_share.charter.source import Table


def check(charter: Charter, root: Table) -> None:
    """Raise `LocalError` with the line where the charter contradicts itself."""
    _parties(charter, root)
    _places(charter, root)
    _keys(charter, root)
    _quorums(charter, root)
    _witnesses(charter, root)


def _parties(charter: Charter, root: Table) -> None:
    for post in charter.erasure:
        if names.member_of(post) not in charter.members:
            raise root.wrong("erasure", f"{post} is of no party to this charter")
    if not charter.states():
        raise root.wrong("member", "no party has the role member")
    for code, member in charter.members.items():
        if len(member.nodes) > charter.parameters.nodes_max:
            where = root.table("member").table(code)
            raise where.wrong("node", f"has more than nodes_max = {charter.parameters.nodes_max} nodes")


def _places(charter: Charter, root: Table) -> None:
    if charter.directory_relay not in charter.relays:
        raise root.wrong("directory", f"relay {charter.directory_relay} is not in the charter")
    for host, relay in charter.relays.items():
        if relay.operator not in charter.members:
            raise root.table("relay").table(host).wrong("operator", f"{relay.operator} is not a party to this charter")
    for name, channel in charter.channels.items():
        table = root.table("channel").table(name)
        if channel.relay not in charter.relays:
            raise table.wrong("relay", f"relay {channel.relay} is not in the charter")
        alternate = channel.alternate
        if alternate is not None and (alternate == name or alternate not in charter.channels):
            raise table.wrong("alternate", f"{alternate} is not another channel of this charter")
        if alternate is not None and charter.channels[alternate].realm != channel.realm:
            raise table.wrong("alternate", f"{alternate} is in the other realm")
    _closed(charter, root)


def _closed(charter: Charter, root: Table) -> None:
    live = {charter.origin(name) for name in charter.channels} | {charter.directory}
    seen: set[str] = set()
    for row, closed in zip(root.rows("closed", high=1 << 30), charter.closed, strict=True):
        if closed.log in live:
            raise row.wrong("log", f"{closed.log} is closed and in use: a new log needs another relay or channel")
        if closed.log in seen:
            raise row.wrong("log", f"{closed.log} is closed twice")
        seen.add(closed.log)


def keys_of(charter: Charter) -> Iterator[tuple[str, str]]:
    """Every fingerprint in the text with its owner, such as `authority EST` or `signing EST/mod-1`."""
    for code, member in charter.members.items():
        yield member.authority, f"authority {code}"
        if member.duty is not None:
            yield member.duty, f"duty {code}"
        for name, node in member.nodes.items():
            yield node.signing, f"signing {name}"
            yield node.witness[0], f"witness {name}"
            yield node.witness[1], f"witness {name}"
    for host, relay in charter.relays.items():
        yield relay.log_keys[0], f"log {host}"
        yield relay.log_keys[1], f"log {host}"


def _keys(charter: Charter, root: Table) -> None:
    owners: dict[str, str] = {}
    for fingerprint, owner in keys_of(charter):
        if fingerprint in owners:
            where = f"is listed for {owners[fingerprint]} and for {owner}"
            raise root.wrong(None, f"key {fingerprint[:16]}… {where}: one key, one owner")
        owners[fingerprint] = owner


def _quorums(charter: Charter, root: Table) -> None:
    states = charter.states()
    able = sum(1 for member in states if member.votes)
    needed = charter.quorum.needed(len(states))
    if able < needed:
        raise root.wrong(
            "quorum", f"cannot be reached: {needed} of {len(states)} must sign and only {able} are not suspended"
        )
    if charter.quorum_remove.part * charter.quorum.whole < charter.quorum.part * charter.quorum_remove.whole:
        raise root.wrong(
            "quorum_remove", "is lower than quorum: removing a member would be easier than naming a channel"
        )


def _witnesses(charter: Charter, root: Table) -> None:
    """(n+f)/2 < k <= n-f for some f >= 0: two groups of k share an honest witness, and k can be reached."""
    k = charter.witness_quorum
    used = {charter.directory_relay} | {channel.relay for channel in charter.channels.values()}
    for host in sorted(used):
        operator = charter.relays[host].operator
        everyone = [member for member in charter.states() if member.code != operator]
        able = sum(1 for member in everyone if not member.suspended)
        if k > able:
            raise root.wrong("witness_quorum", f"{k} cannot be reached: {able} members may witness the logs of {host}")
        if 2 * k <= len(everyone):
            raise root.wrong(
                "witness_quorum",
                f"{k} of {len(everyone)} witnesses for {host} is not more than half: two trees could both have {k}",
            )
