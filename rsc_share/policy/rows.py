"""Rows of agreements: the closed vocabulary in which states say who may have what.

A row has no expressions, no patterns and no clock but its validity days. Three places hold rows: the quorum-signed
bundle, `agreement` entries (signed by their parties: they permit only the signers' own material) and `restriction`
entries (one member alone: they only narrow, and only its own material).

What a row may say depends on its effect, so that no row can make more protection mean more access:

- a `permit` may have `max_level` and `except`, never `min_level` or `tags`;
- a `deny` or `require-release` may have `min_level` and `tags`; a `ceiling` has `max_level`, perhaps `tags`;
- `except` and `tags` name restrictive and informative tags of the label's own scheme. A row that names a tag of another
  type takes it as carried: a permit misses, a denial hits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from rsc_share import names, shape
from rsc_share.labels.label import level_name, reader, scheme_id
from rsc_share.labels.scheme import ACTIONS, ALWAYS, Combination, Days, Obligations
from rsc_share.labels.toml_values import read_combination, read_days, read_obligations, read_toml, table, tables, unique

COMPARABLE = ("restrictive", "informative")
"""The types of tag a row may look at: those of which a joined label has at least what its parts have."""

Effect = Literal["permit", "deny", "ceiling", "require-release"]
EFFECTS: tuple[Effect, ...] = ("permit", "deny", "ceiling", "require-release")
Source = Literal["bundle", "agreement", "restriction"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FAMILY = re.compile(r"[a-z][a-z0-9.-]{0,119}(/[a-z][a-z0-9-]*)*")
_PURPOSE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LEVEL = re.compile(r"([A-Z][A-Z0-9-]{1,31})[ :](.+)")

_NEEDED: Mapping[Effect, Collection[str]] = MappingProxyType(
    {
        "permit": ("from", "to", "actions", "valid"),
        "deny": ("from", "to"),
        "ceiling": ("from", "to", "max_level"),
        "require-release": ("from", "to"),
    }
)
_ALLOWED: Mapping[Effect, Collection[str]] = MappingProxyType(
    {
        "permit": ("max_level", "except", "obligations"),
        "deny": ("actions", "valid", "min_level", "tags"),
        "ceiling": ("actions", "valid", "tags"),
        "require-release": ("actions", "valid", "min_level", "tags"),
    }
)
_EVERYWHERE = ("id", "effect", "families", "channels", "purpose", "basis")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. An empty `families`, `channels` or `purposes` means any; levels are (scheme, level).

    `senders` (in the file: `from`) are originators or groups, `to` readers or groups, `carrying` (`except` of a
    permit, `tags` of the others) tag values of which one is enough. `signers`: who signed the row alone; empty: the
    bundle. The `id` of such a row starts with its signers, so it cannot pass for a row of the bundle.
    """

    id: str
    effect: Effect
    senders: frozenset[str]
    to: frozenset[str]
    actions: frozenset[str]
    families: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    max_level: tuple[str, str] | None = None
    min_level: tuple[str, str] | None = None
    carrying: tuple[tuple[str, frozenset[str]], ...] = ()
    valid: Days = ALWAYS
    obligations: Obligations = ()
    basis: str = ""
    source: Source = "bundle"
    signers: frozenset[str] = frozenset()


def parse_rows(data: bytes, source: Source, signers: Iterable[str] = (), *, name: str = "rows") -> tuple[Row, ...]:
    """The rows of one TOML file, signed by `signers` (members; for the bundle none). Raises `RemoteError`.

    Empty data is no rows: that lifts a restriction.
    """
    signed_by = frozenset(signers)
    if (source == "bundle") == bool(signed_by) or (source == "restriction" and len(signed_by) != 1):
        raise shape.wrong(name, f"{source} rows with {len(signed_by)} signers")
    top = table(read_toml(data, name), name, (), ("agreement",))
    rows = tuple(
        _row(item, where, source, signed_by) for item, where in tables(top.get("agreement", []), f"{name}: row")
    )
    ids = [row.id for row in rows]
    if len(set(ids)) != len(ids):
        raise shape.wrong(name, "two rows have one id")
    return rows


def _row(value: Any, where: str, source: Source, signers: frozenset[str]) -> Row:
    effect: Effect = shape.choice(value.get("effect") if type(value) is dict else None, f"{where}.effect", EFFECTS)
    fields = table(value, where, ("id", "effect", *_NEEDED[effect]), (*_EVERYWHERE, *_ALLOWED[effect]))
    row_id = _matching(_ID, fields["id"], f"{where}.id", "an id such as EST-FIN-2026-ct")
    where = f"{where} {row_id}"
    carrying = read_combination(fields.get("except" if effect == "permit" else "tags", {}), f"{where}.tags")
    row = Row(
        id="/".join(("+".join(sorted(signers)), row_id)) if signers else row_id,
        effect=effect,
        senders=frozenset(unique(reader, fields["from"], f"{where}.from", low=1)),
        to=frozenset(unique(reader, fields["to"], f"{where}.to", low=1)),
        actions=frozenset(_actions(fields.get("actions", list(ACTIONS)), f"{where}.actions")),
        families=frozenset(_words(_FAMILY, fields, "families", where)),
        channels=frozenset(unique(names.channel, fields.get("channels", []), f"{where}.channels")),
        purposes=frozenset(_words(_PURPOSE, fields, "purpose", where)),
        max_level=_level(fields, "max_level", where),
        min_level=_level(fields, "min_level", where),
        carrying=_sorted(carrying, where),
        valid=read_days(fields["valid"], f"{where}.valid") if "valid" in fields else ALWAYS,
        obligations=read_obligations(fields.get("obligations", {}), f"{where}.obligations"),
        basis=shape.text(fields.get("basis", ""), f"{where}.basis", high=500),
        source=source,
        signers=signers,
    )
    _check_reach(row, where)
    return row


def _check_reach(row: Row, where: str) -> None:
    """A row that was not signed by the quorum speaks for its signers' own material only."""
    if row.source == "bundle":
        return
    if not row.senders <= row.signers:
        raise shape.wrong(f"{where}.from", f"is not material of those who sign ({', '.join(sorted(row.signers))})")
    if row.source == "restriction" and row.effect not in ("deny", "ceiling"):
        raise shape.wrong(f"{where}.effect", "a restriction by one member can only deny or set a ceiling")


def _actions(value: Any, where: str) -> tuple[str, ...]:
    return unique(lambda item, spot: shape.choice(item, spot, ACTIONS), value, where, low=1)


def _words(pattern: re.Pattern[str], fields: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    def read(value: Any, spot: str) -> str:
        return _matching(pattern, value, spot, "a plain lower-case name")

    return unique(read, fields.get(key, []), f"{where}.{key}")


def _matching(pattern: re.Pattern[str], value: Any, where: str, what: str) -> str:
    if type(value) is not str or not pattern.fullmatch(value):
        raise shape.wrong(where, f"is not {what}")
    return value


def _level(fields: Mapping[str, Any], key: str, where: str) -> tuple[str, str] | None:
    if key not in fields:
        return None
    found = _LEVEL.fullmatch(fields[key]) if type(fields[key]) is str else None
    if found is None:
        raise shape.wrong(f"{where}.{key}", "is not a scheme and a level such as REGIONAL SECRET")
    return scheme_id(found[1], f"{where}.{key}"), level_name(found[2], f"{where}.{key}")


def _sorted(carrying: Combination, where: str) -> tuple[tuple[str, frozenset[str]], ...]:
    if "level" in carrying:
        raise shape.wrong(where, "says levels with max_level or min_level")
    return tuple(sorted(carrying.items(), key=lambda pair: pair[0]))
