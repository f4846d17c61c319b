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
from functools import lru_cache

from rsc_share import names
from rsc_share.charter import parameters as params
from rsc_share.charter.consistency import check
from rsc_share.charter.model import ON_EXPIRY, Charter, Closed, Fraction, Predecessor
from rsc_share.charter.source import Table, tables
from rsc_share.charter.text_parts import read_channel, read_member, read_relay

MAX_MEMBERS = 256
MAX_CHANNELS = 256
MAX_RELAYS = 64
RULES = (1,)
"""Rulebook versions this release knows. An unknown one is refused: better to stop than to judge by other rules."""
_HEAD = ("framework", "version", "previous", "valid", "rules", "on_expiry", "policy", "directory", "erasure")
_VOTES = ("quorum", "quorum_remove", "witness_quorum")
_TABLES = ("parameters", "member", "relay", "channel", "closed", "predecessor")


@lru_cache(maxsize=4)
def parse_charter(data: bytes, name: str = "charter") -> Charter:
    """The charter in `data`, consistent in itself; `LocalError` (code `charter`, fields `file line key`) otherwise.

    The same text is asked for three times when it is logged: for its policy, to be judged, and to be taken.
    """
    root, _ = tables(data, name)
    return read_charter(root, data)


def read_charter(root: Table, data: bytes) -> Charter:
    """The charter that `root` says, with `data` as its text. For `charter new`, whose text has no fingerprints yet."""
    root.closed(*_HEAD, *_VOTES, *_TABLES)
    version = root.whole("version", 1, 1_000_000)
    members = {code: read_member(root, code, table) for code, table in root.each("member", high=MAX_MEMBERS)}
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
        relays={host: read_relay(root, host, table) for host, table in root.each("relay", high=MAX_RELAYS)},
        channels={n: read_channel(root, n, table, members) for n, table in root.each("channel", high=MAX_CHANNELS)},
        closed=tuple(_closed(row) for row in root.rows("closed", high=MAX_CHANNELS)),
        erasure=_erasure(root),
        predecessor=_predecessor(root.table("predecessor")) if "predecessor" in root.values else None,
        text=data,
        digest=hashlib.sha256(data).digest(),
    )
    check(charter, root)
    return charter


def _erasure(root: Table) -> tuple[str, ...]:
    return root.several("erasure", names.officer, low=1, high=16) if "erasure" in root.values else ()


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


def _closed(table: Table) -> Closed:
    table.closed("log", "size", "root")
    return Closed(table.named("log", names.origin), table.whole("size", 0, 1 << 62), table.digest("root"))


def _predecessor(table: Table) -> Predecessor:
    table.closed("framework_id", "size", "root")
    return Predecessor(table.digest("framework_id"), table.whole("size", 1, 1 << 62), table.digest("root"))
