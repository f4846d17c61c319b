"""Which parsers share a process. Ten minutes for each of seventy parsers are twelve hours of a core, for a family two.

Parsers that call the same code stand together, so that what one input finds helps the next. Every input carries the
name of its parser in front: a corpus survives a new order of things, and a crash says by itself whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from every import BY_NAME
from targets import Target

from rsc_share.envelope import contents

Families = dict[str, tuple[str, ...]]
FAMILIES: Families = {
    "values": ("codec", "names"),
    "envelope": ("header", "signature block", "stamp", "entry", "directory entry"),
    "contents": tuple(f"content of a {kind}" for kind in contents.READERS),
    "directory": ("directory object", "certificate", "revocation", "prekey", "agreement", "restriction"),
    "charter": ("charter text", "keyring", "charter signatures"),
    "policy": ("policy bundle", "policy file", "rows", "scheme", "label", "label text"),
    "notes": ("note", "note signatures", "checkpoint", "cosignature", "verifier key", "tlog-proof"),
    "session": ("submission", "tail", "offer", "outcome", "refusal"),
    "frames": ("session frame", "session token", "call", "answer", "welcome"),
    "secrets": ("body", "node's body", "keystore", "keystore secrets"),
    "messages": ("payload", "message", "scale", "json", "stix", "cap"),
    "export": ("manifest", "openings", "view", "orders", "absent bodies", "export paths", "tile path", "entry bundle"),
    "home": ("node settings", "member's key file", "signature file", "relay address", "relay settings"),
}
_END = b"\0"
"""Ends the name. No name holds it."""


def chosen(only: Iterable[str] | None) -> Families:
    """All families, or those that were asked for: by their own name, or cut down to the targets that were named."""
    if only is None:
        return FAMILIES
    wanted = set(only)
    if unknown := wanted - FAMILIES.keys() - BY_NAME.keys():
        raise SystemExit(f"neither a family nor a target: {', '.join(sorted(unknown))}")
    found = {
        family: tuple(name for name in names if family in wanted or name in wanted)
        for family, names in FAMILIES.items()
    }
    return {family: names for family, names in found.items() if names}


def address(target: Target, data: bytes) -> bytes:
    """An input as the family's process takes it and stores it."""
    return target.name.encode() + _END + data


def addressed(data: bytes) -> tuple[Target, bytes] | None:
    """Whose input it is, and the input. libFuzzer begins with inputs that are nobody's."""
    name, border, rest = data.partition(_END)
    target = BY_NAME.get(name.decode("latin-1"))
    return (target, rest) if target and border else None
