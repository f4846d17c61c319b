"""From a founding plan and the key files of all parties to the text of a charter.

A plan is a charter's text without what the program knows better: version, rules, fingerprints, first nodes and the
policy digest. `[relay]` may be left out: the relays' key files say it. Example:

    framework = "regional"
    valid = [2026-01-01, 2028-12-31]

    [member.EST]
    role = "member"
    groups = ["@nordic"]
    entitlement.REGIONAL = { levels = ["RESTRICTED", "SECRET"] }

    [channel.counter-terrorism]
    realm = "operational"
    relay = "relay.example:8443"
    members = ["@members"]
    ceiling = { REGIONAL = "SECRET" }
    families = ["threat", "terrorism"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rsc_share.charter.compose import compose
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Charter
from rsc_share.charter.source import Table, tables
from rsc_share.charter.text import parse_charter, read_charter
from rsc_share.cli.files import files_below
from rsc_share.cli.keyfile import SUFFIX, KeyFile, Kind
from rsc_share.errors import LocalError

_OURS = ("version", "previous", "rules", "policy", "closed")
_REALMS = ["operational", "exercise"]


def charter_of(plan: bytes, name: str, files: Iterable[KeyFile], policy: bytes) -> Charter:
    """Version 1 as parsed from its final text. `policy`: digest of the packed bundle. Raises `LocalError`."""
    root, _ = tables(plan, name)
    for key in _OURS:
        if key in root.values:
            raise root.wrong(key, "is written by the program: leave it out")
    filled(root, sort_files(files))
    root.values.update(version=1, rules=1, policy=policy.hex())
    return parse_charter(compose(read_charter(root, plan)), "the charter made from it")


def ring_of(charter: Charter, files: Iterable[KeyFile], before: KeyRing | None) -> KeyRing:
    """The keys the charter names, from the files and the version before. Raises `LocalError` (`keys`)."""
    known = dict(before.keys) if before is not None else {}
    known |= {key.fingerprint: key for file in files for key in file.keys.values()}
    wanted = expected_suites(charter)
    missing = [fingerprint for fingerprint in wanted if fingerprint not in known]
    if missing:
        raise LocalError(
            f"no key file holds {missing[0]}, which the charter names",
            code="keys",
            advice="name the key files of all parties with --keys",
        )
    return KeyRing.of(known[fingerprint] for fingerprint in wanted)


def sort_files(files: Iterable[KeyFile]) -> Mapping[Kind, dict[str, KeyFile]]:
    """By kind and name. Two files of one owner with different keys: somebody must say which is right."""
    found: dict[Kind, dict[str, KeyFile]] = {"authority": {}, "node": {}, "relay": {}}
    for file in files:
        before = found[file.kind].setdefault(file.name, file)
        if before != file:
            what = f"two key files of {file.kind} {file.name} differ"
            raise LocalError(what, code="keys", advice="ask its owner by telephone which code is right")
    return found


def filled(root: Table, files: Mapping[Kind, Mapping[str, KeyFile]]) -> None:
    """Put into a plan what the key files say."""
    members = root.table("member")
    for code, member in root.each("member", high=256):
        if code not in files["authority"]:
            raise members.wrong(code, f"there is no key file of {code}: ask it for the one `authority init` made")
        _member(member, files["authority"][code])
    for name, file in sorted(files["node"].items()):
        _node(root, name, file)
    for host, file in sorted(files["relay"].items()):
        _relay(root, host, file)
    relays = root.table("relay").values
    if "directory" not in root.values and len(relays) == 1:
        root.values["directory"] = next(iter(relays))
    root.values.setdefault("on_expiry", "freeze")
    root.values.setdefault("quorum", [2, 3])
    root.values.setdefault("quorum_remove", [3, 4])
    root.values.setdefault("witness_quorum", _witness_quorum(members.values, relays))


def _member(table: Table, file: KeyFile) -> None:
    for key in ("authority", "duty", "node"):
        if key in table.values:
            raise table.wrong(key, "comes from the key files: leave it out")
    table.values["authority"] = file.keys["authority"].fingerprint
    if "duty" in file.keys:
        table.values["duty"] = file.keys["duty"].fingerprint
    if "title" in file.facts:
        table.values.setdefault("title", file.facts["title"])


def _node(root: Table, name: str, file: KeyFile) -> None:
    code, _, post = name.partition("/")
    if code not in root.table("member").values:
        raise root.wrong("member", f"there is a key file of {name}, and no member {code} in the plan")
    fingerprints = {use: key.fingerprint for use, key in file.keys.items()}
    root.values["member"][code].setdefault("node", {})[post] = {
        "signing": fingerprints["signing"],
        "witness": [fingerprints["witness"], fingerprints["witness-pq"]],
        "realms": file.facts.get("realms", _REALMS),
        "accreditation": file.facts.get("accreditation", {}),
        "role": file.facts.get("role", "full"),
    }


def _relay(root: Table, host: str, file: KeyFile) -> None:
    relays = root.values.setdefault("relay", {})
    given = root.table("relay").table(host)
    given.closed("operator", "tls_pins")
    relays[host] = {
        "operator": given.values.get("operator", file.facts.get("operator", "")),
        "log_keys": [file.keys["log"].fingerprint, file.keys["log-pq"].fingerprint],
        "tls_pins": given.values.get("tls_pins", file.facts.get("tls_pins", [])),
    }


def _witness_quorum(members: Mapping[str, Any], relays: Mapping[str, Any]) -> int:
    """The least k with (n+f)/2 < k for f = (n-1)/3 witnesses that may lie, over the relay with the most of them."""
    states = {code for code, table in members.items() if isinstance(table, dict) and table.get("role") == "member"}
    operators = [table.get("operator") for table in relays.values() if isinstance(table, dict)]
    most = max((len(states - {operator}) for operator in operators), default=1)
    return (most + (most - 1) // 3) // 2 + 1


def read_keys(paths: Iterable[Path]) -> list[KeyFile]:
    """Key files by name, and all in the folders named."""
    return [KeyFile.read(path) for path in files_below(paths, SUFFIX)]
