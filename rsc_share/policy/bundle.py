"""A policy bundle: the files a quorum signed (by the digest in the charter), and the rows the directory adds.

    policy.toml          name, version, validity, and who needs an agreement
    schemes/*.toml       classification schemes
    agreements/*.toml    rows

On the wire a bundle is one canonical msgpack map of path to text, so it has one digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels.equivalence import equivalence_faults
from rsc_share.labels.label import scheme_id
from rsc_share.labels.scheme import Days, Scheme, SchemeSet
from rsc_share.labels.scheme_file import load_scheme
from rsc_share.labels.toml_values import read_days, read_toml, table, unique
from rsc_share.policy.rows import COMPARABLE, Row, parse_rows

MAX_BUNDLE = 4 * 1024 * 1024
MAX_FILES = 1024


@dataclass(frozen=True, slots=True)
class AgreementNeed:
    """Whose material needs a permit row. Elsewhere rows only narrow."""

    everybody: bool = False
    originators: frozenset[str] = frozenset()
    schemes: frozenset[str] = frozenset()

    def of(self, originator: str, scheme: str) -> bool:
        return self.everybody or originator in self.originators or scheme in self.schemes


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """One policy in force from `valid.first` to `valid.last` (UTC days). A value: compare by `key`.

    `digest` is that of the signed files; `key` also covers the rows and groups the directory added. `groups` are the
    charter's groups, needed only to resolve groups in a row's `from`.
    """

    name: str
    version: int
    valid: Days
    schemes: SchemeSet
    rows: tuple[Row, ...]
    need: AgreementNeed
    digest: bytes
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    key: bytes = field(init=False)
    memo: dict[str, Any] = field(init=False, repr=False)
    """Room for what is derived from this value (compiled tables); never part of it."""

    def __post_init__(self) -> None:
        added = [repr(_spelled(row)).encode() for row in self.rows if row.source != "bundle"]
        groups = {group: sorted(members) for group, members in sorted(self.groups.items())}
        object.__setattr__(self, "key", sha256(codec.pack([self.digest, added, groups])).digest())
        object.__setattr__(self, "memo", {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Bundle:
        """The bundle in a folder's files. Raises `LocalError` that names file, place and what belongs there."""
        try:
            return cls.unpack(pack_bundle(files))
        except RemoteError as error:
            raise LocalError(error.what, code="policy-file", **error.fields) from None

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        """The bundle somebody sent. Raises `RemoteError`."""
        return replace(_unpacked(data))  # with room of its own for what is derived from it

    @classmethod
    def _read(cls, files: Mapping[str, bytes]) -> Bundle:
        digest = sha256(pack_bundle(files)).digest()
        if "policy.toml" not in files:
            raise shape.wrong("policy.toml", "is missing")
        top = table(read_toml(files["policy.toml"], "policy.toml"), "policy.toml", _POLICY, ("agreement",))
        schemes: list[Scheme] = []
        rows: list[Row] = []
        for path in sorted(files):
            folder, _, name = path.partition("/")
            if folder == "schemes" and name.endswith(".toml"):
                schemes.append(load_scheme(files[path], path))
            elif folder == "agreements" and name.endswith(".toml"):
                rows += parse_rows(files[path], "bundle", name=path)
            elif path not in ("policy.toml", "README.md"):
                raise shape.wrong(path[:100], "has no place in a policy bundle")
        known = _sound(schemes)
        return cls(
            name=names.framework(top["policy"], "policy.toml: policy"),
            version=shape.integer(top["version"], "policy.toml: version", low=1),
            valid=read_days(top["valid"], "policy.toml: valid"),
            schemes=known,
            rows=_distinct(rows, known),
            need=_need(top.get("agreement", {}), "policy.toml: agreement"),
            digest=digest,
        )

    def with_rows(self, rows: Iterable[Row], *, groups: Mapping[str, Iterable[str]] | None = None) -> Bundle:
        """This bundle with the rows of the directory's agreements and restrictions, and the charter's groups."""
        resolved = self.groups if groups is None else {group: frozenset(of) for group, of in groups.items()}
        return replace(self, rows=(*self.rows, *rows), groups=MappingProxyType(dict(resolved)))


_POLICY = ("policy", "version", "valid")


def pack_bundle(files: Mapping[str, bytes]) -> bytes:
    """The one spelling of a bundle. Raises `RemoteError` for what is not UTF-8 text."""
    try:
        return codec.pack({path: data.decode("utf-8") for path, data in files.items()})
    except UnicodeDecodeError:
        raise shape.wrong("bundle", "holds a file that is not UTF-8") from None


def unpack_bundle(data: bytes) -> dict[str, bytes]:
    """The files of a packed bundle. Raises `RemoteError`."""
    value = codec.unpack(data, max_size=MAX_BUNDLE, max_items=MAX_FILES)
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        raise shape.wrong("bundle", "needs a map of path to text")
    return {path: text.encode("utf-8") for path, text in value.items()}


@lru_cache(maxsize=2)
def _unpacked(data: bytes) -> Bundle:
    """Most versions of a charter name the policy of the one before."""
    return Bundle._read(unpack_bundle(data))


def _sound(schemes: list[Scheme]) -> SchemeSet:
    try:
        found = SchemeSet(schemes)
    except LocalError as error:
        raise RemoteError(error.what) from None
    fault = next(equivalence_faults(found), None)
    if fault is not None:
        raise shape.wrong("schemes", fault)
    return found


def _distinct(rows: list[Row], schemes: SchemeSet) -> tuple[Row, ...]:
    seen: set[str] = set()
    tags = {tag.name for scheme in schemes.values() for tag in scheme.tags.values() if tag.type not in COMPARABLE}
    for row in rows:
        odd = sorted({tag for tag, _ in row.carrying} & tags)
        if odd:
            raise shape.wrong(row.id, f"looks at {', '.join(odd)}, which is neither restrictive nor informative")
        if row.id in seen:
            raise shape.wrong("agreements", f"the id {row.id} is there twice")
        seen.add(row.id)
    return tuple(rows)


def _need(value: Any, where: str) -> AgreementNeed:
    given = table(value, where, (), ("everybody", "originators", "schemes"))
    return AgreementNeed(
        everybody=shape.flag(given.get("everybody", False), f"{where}.everybody"),
        originators=frozenset(unique(names.member, given.get("originators", []), f"{where}.originators")),
        schemes=frozenset(unique(scheme_id, given.get("schemes", []), f"{where}.schemes")),
    )


def _spelled(row: Row) -> list[Any]:
    """Sets in order, so that one row has one spelling in every process."""
    spelled: list[Any] = []
    for item in fields(Row):
        value = getattr(row, item.name)
        if item.name == "carrying":
            value = [(tag, sorted(of)) for tag, of in value]
        spelled.append(sorted(value) if isinstance(value, frozenset) else value)
    return spelled
