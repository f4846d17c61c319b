"""The public key file (`EST.keys`): what a party sends to whoever writes the charter, or to its authority.

TOML, nothing secret. Mail may fold it or change its line ends: what counts are the keys inside and their fingerprints,
and one code over all of it that two people compare by telephone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rsc_share import names
from rsc_share.charter.model import NODE_ROLES, REALMS, NodeRole
from rsc_share.charter.source import Source, Table
from rsc_share.cli.files import read_file
from rsc_share.codec import pack
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels import toml10
from rsc_share.labels.label import level_name, scheme_id

SUFFIX = ".keys"
Kind = Literal["authority", "node", "relay"]
USES: Mapping[Kind, Mapping[str, Suite]] = {
    "authority": {"authority": Suite.HYBRID, "duty": Suite.ED25519},
    "node": {"signing": Suite.ED25519, "witness": Suite.ED25519, "witness-pq": Suite.ML_DSA_44},
    "relay": {"log": Suite.ED25519, "log-pq": Suite.ML_DSA_44},
}
OPTIONAL = ("duty",)
_NAMED: Mapping[Kind, Callable[[Any, str], str]] = {
    "authority": names.member,
    "node": names.node,
    "relay": names.host,
}
_HEAD = {
    "authority": "The authority of a member: certifies its nodes and signs charters.",
    "node": "A node asks its member's authority for a certificate, or to be named in the charter.",
    "relay": "The log keys of a relay.",
}


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Public keys of one owner, by use. `facts` are plain values: a title, realms, TLS pins and the like."""

    kind: Kind
    name: str
    keys: Mapping[str, PublicKey]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return self.name.replace("/", "-").replace(":", "-") + SUFFIX

    @property
    def code(self) -> bytes:
        """SHA-256 over everything the file says: what is compared by telephone."""
        keys = {use: key.key_id for use, key in self.keys.items()}
        return hashlib.sha256(pack([self.kind, self.name, keys, dict(self.facts)])).digest()

    def text(self) -> bytes:
        lines = [
            "# Public keys; nothing here is secret.",
            f"# {_HEAD[self.kind]}",
            "# Compare the code with the sender by telephone or on paper before you use it:",
            *(f"#     {line}" for line in _two_lines(self.code.hex())),
            f'kind = "{self.kind}"',
            f'name = "{self.name}"',
            *(f"{name} = {spelled(value)}" for name, value in sorted(self.facts.items())),
        ]
        for use, key in self.keys.items():
            block = textwrap.wrap(base64.b64encode(key.raw).decode(), 76)
            lines += ["", f"[key.{use}]", f'suite = "{Suite(key.suite).name}"', f'fingerprint = "{key.fingerprint}"']
            lines += ['public = """', *block, '"""']
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> KeyFile:
        """Raises `LocalError` (`key-file`) with the place and what is wrong with it."""
        try:
            return _parse(read_file(path), str(path))
        except LocalError as error:
            code = "key-file" if error.code == "charter" else error.code
            raise LocalError(error.what, code=code, advice=error.advice) from None


def _two_lines(digest: str) -> tuple[str, str]:
    groups = [digest[at : at + 8] for at in range(0, 64, 8)]
    return " ".join(groups[:4]), " ".join(groups[4:])


def spelled(value: Any) -> str:
    """A plain value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        safe = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in value)
        return f'"{"".join(safe)}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{spelled(key)} = {spelled(value[key])}" for key in sorted(value)) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spelled(item) for item in value) + "]"
    return str(value)


def _parse(data: bytes, name: str) -> KeyFile:
    try:
        text = data.decode("utf-8")
        values = toml10.loads(text)
    except (ValueError, RecursionError) as error:
        what = f"{name} is not a key file: {type(error).__name__ if isinstance(error, RecursionError) else error}"
        raise LocalError(what, code="key-file", advice="ask its owner for it again") from None
    root = Table(Source(name, tuple(text.split("\n"))), (), values)
    kind: Kind = root.choice("kind", tuple(USES))
    root.closed("kind", "name", "key", *_FACTS[kind])
    keys = _keys(root.table("key"), kind)
    facts = {fact: read(root, fact) for fact, read in _FACTS[kind].items() if fact in values}
    return KeyFile(kind, root.named("name", _NAMED[kind]), keys, facts)


def _keys(table: Table, kind: Kind) -> dict[str, PublicKey]:
    table.closed(*USES[kind])
    found = {}
    for use, suite in USES[kind].items():
        if use not in table.values and use in OPTIONAL:
            continue
        table.need(use)
        found[use] = _key(table.table(use), suite)
    return found


def _key(table: Table, suite: Suite) -> PublicKey:
    table.closed("suite", "fingerprint", "public")
    table.choice("suite", (suite.name,))
    spelling = table.need("public")
    try:
        raw = base64.b64decode("".join(spelling.split()), validate=True) if type(spelling) is str else b""
        key = PublicKey(suite, raw)
    except (binascii.Error, ValueError):
        raise table.wrong("public", "is not base64: the file is damaged") from None
    except RemoteError as error:
        raise table.wrong("public", f"{error.what}: the file is damaged") from None
    if key.fingerprint != table.fingerprint("fingerprint"):
        raise table.wrong("fingerprint", "is not that of the key under it: the file was changed")
    return key


def _realms(table: Table, key: str) -> list[str]:
    return sorted(table.several(key, lambda value, where: _one_of(value, where, REALMS), low=1, high=2))


def _one_of(value: Any, where: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise RemoteError(f"{where}: is not one of {', '.join(allowed)}")
    return str(value)


def _levels(table: Table, key: str) -> dict[str, str]:
    inner = table.table(key)
    return {inner.check(scheme, scheme_id, scheme): inner.named(scheme, level_name) for scheme in sorted(inner.values)}


def _role(table: Table, key: str) -> NodeRole:
    return table.choice(key, NODE_ROLES)


_FACTS: Mapping[Kind, Mapping[str, Callable[[Table, str], Any]]] = {
    "authority": {"title": lambda table, key: table.text(key)},
    "node": {"realms": _realms, "accreditation": _levels, "role": _role},
    "relay": {
        "operator": lambda table, key: table.named(key, names.member),
        "tls_pins": lambda table, key: list(table.fingerprints(key, low=0, high=8)),
    },
}
