"""Reads a scheme from its TOML file. Every problem names the place in the file and what belongs there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from rsc_share import names, shape
from rsc_share.errors import RemoteError
from rsc_share.labels.label import level_name, reader, scheme_id, tag_name, tag_value
from rsc_share.labels.scheme import (
    FOREVER,
    TAG_TYPES,
    Combination,
    Days,
    Equivalence,
    Level,
    Membership,
    Rule,
    Scheme,
    Tag,
    TagValue,
)
from rsc_share.labels.toml_values import (
    read_combination,
    read_day,
    read_days,
    read_obligations,
    read_toml,
    table,
    tables,
    unique,
)

NOBODY = "NONE"
"""How a permissive tag without values is written: nobody holds what two labels have in common there."""

_NEEDED = ("scheme", "title", "version", "level")
_ALLOWED = ("separator", "audience_mode", "default_audience", "base_audience", "tag", "rule", "groups", "equivalence")


def load_scheme(data: bytes, name: str) -> Scheme:
    """The scheme in one TOML file; `name` is the file's, for the message. Raises `RemoteError`."""
    top = table(read_toml(data, name), name, _NEEDED, _ALLOWED)
    levels = [_level(item, where, rank) for rank, (item, where) in enumerate(tables(top["level"], f"{name}: level"))]
    tags = [_tag(item, where) for item, where in tables(top.get("tag", []), f"{name}: tag")]
    groups = table(top.get("groups", {}), f"{name}: groups", (), top.get("groups", {}))
    default = top.get("default_audience")
    scheme = Scheme(
        id=scheme_id(top["scheme"], f"{name}: scheme"),
        title=shape.text(top["title"], f"{name}: title", low=1),
        version=shape.integer(top["version"], f"{name}: version", low=1),
        levels=_by_name(levels, f"{name}: level"),
        tags=_by_name(tags, f"{name}: tag"),
        separator=shape.choice(top.get("separator", " "), f"{name}: separator", (" ", ":")),
        audience_mode=shape.choice(top.get("audience_mode", "restrict"), f"{name}: audience_mode", _MODES),
        default_audience=None if default is None else unique(reader, default, f"{name}: default_audience"),
        base_audience=unique(reader, top.get("base_audience", []), f"{name}: base_audience"),
        rules=tuple(_rule(item, where) for item, where in tables(top.get("rule", []), f"{name}: rule")),
        groups=tuple(row for group in sorted(groups) for row in _group(group, groups[group], f"{name}: groups")),
        equivalences=tuple(
            _equivalence(item, where) for item, where in tables(top.get("equivalence", []), f"{name}: equivalence")
        ),
    )
    _check_inside(scheme, name)
    return scheme


_MODES: tuple[Any, ...] = ("restrict", "extend")


def _by_name(found: list[Any], where: str) -> Mapping[str, Any]:
    by_name = {item.name: item for item in found}
    if len(by_name) != len(found):
        raise shape.wrong(where, "names something twice")
    return MappingProxyType(by_name)


def _level(value: Any, where: str, rank: int) -> Level:
    allowed = ["banner", "portion", "public_release", "obsolete", "replaced_by", "named", "obligations"]
    row = table(value, where, ("name",), allowed)
    return Level(
        name=level_name(row["name"], f"{where}.name"),
        rank=rank,
        banner=shape.text(row.get("banner", ""), f"{where}.banner"),
        portion=shape.text(row.get("portion", ""), f"{where}.portion"),
        public_release=shape.flag(row.get("public_release", False), f"{where}.public_release"),
        obsolete=shape.flag(row.get("obsolete", False), f"{where}.obsolete"),
        replaced_by=shape.text(row.get("replaced_by", ""), f"{where}.replaced_by"),
        named=shape.flag(row.get("named", False), f"{where}.named"),
        obligations=read_obligations(row.get("obligations", {}), f"{where}.obligations"),
    )


def _tag(value: Any, where: str) -> Tag:
    row = table(value, where, ("name", "type", "value"), ("prefix", "single", "originator_control"))
    values = [_tag_value(item, spot, rank) for rank, (item, spot) in enumerate(tables(row["value"], f"{where}.value"))]
    kind = shape.choice(row["type"], f"{where}.type", TAG_TYPES)
    return Tag(
        name=tag_name(row["name"], f"{where}.name"),
        type=kind,
        values=_by_name(values, f"{where}.value"),
        prefix=tag_value(row["prefix"], f"{where}.prefix") if "prefix" in row else "",
        single=shape.flag(row.get("single", kind == "handling"), f"{where}.single"),
        originator_control=shape.flag(row.get("originator_control", False), f"{where}.originator_control"),
    )


def _tag_value(value: Any, where: str, rank: int) -> TagValue:
    row = table(value, where, ("name",), ("portion", "obsolete", "replaced_by"))
    return TagValue(
        name=tag_value(row["name"], f"{where}.name"),
        rank=rank,
        portion=shape.text(row.get("portion", ""), f"{where}.portion"),
        obsolete=shape.flag(row.get("obsolete", False), f"{where}.obsolete"),
        replaced_by=shape.text(row.get("replaced_by", ""), f"{where}.replaced_by"),
    )


def _rule(value: Any, where: str) -> Rule:
    row = table(value, where, ("when",), ("requires", "excludes"))
    return Rule(
        when=read_combination(row["when"], f"{where}.when"),
        requires=read_combination(row.get("requires", {}), f"{where}.requires"),
        excludes=read_combination(row.get("excludes", {}), f"{where}.excludes"),
    )


def _group(group: str, value: Any, where: str) -> Iterator[Membership]:
    names.group(group, where)
    for item, spot in tables(value, f"{where}.{group}"):
        row = table(item, spot, ("member",), ("first", "last"))
        first = read_day(row["first"], f"{spot}.first") if "first" in row else 0
        last = read_day(row["last"], f"{spot}.last") if "last" in row else FOREVER
        yield Membership(group, names.member(row["member"], f"{spot}.member"), Days(first, last))


def _equivalence(value: Any, where: str) -> Equivalence:
    row = table(value, where, ("to", "valid", "levels"), ("tags", "requires"))
    levels = table(row["levels"], f"{where}.levels", (), row["levels"] if type(row["levels"]) is dict else ())
    tags: dict[tuple[str, str], tuple[str, str]] = {}
    for item, spot in tables(row.get("tags", []), f"{where}.tags"):
        pair = shape.row(item, spot, 4)
        tags[tag_name(pair[0], spot), tag_value(pair[1], spot)] = (tag_name(pair[2], spot), tag_value(pair[3], spot))
    return Equivalence(
        to=scheme_id(row["to"], f"{where}.to"),
        valid=read_days(row["valid"], f"{where}.valid"),
        levels=MappingProxyType({level_name(k, where): level_name(v, where) for k, v in levels.items()}),
        tags=MappingProxyType(tags),
        requires=read_combination(row.get("requires", {}), f"{where}.requires"),
    )


def _check_inside(scheme: Scheme, name: str) -> None:
    """Everything a scheme says about itself exists in it, and every word of its text form means one thing."""
    if not scheme.levels:
        raise shape.wrong(f"{name}: level", "needs at least one level")
    if scheme.audience_mode == "extend" and not scheme.base_audience:
        raise shape.wrong(f"{name}: base_audience", "is what RELEASABLE TO adds to: an extending scheme needs one")
    for part, combination in _combinations(scheme):
        for key, values in combination.items():
            known = scheme.levels if key == "level" else scheme.tags[key].values if key in scheme.tags else {}
            if not values <= set(known):
                raise shape.wrong(f"{name}: {part}", f"names {key} {sorted(values - set(known))}, which is not here")
    _check_order(scheme, name)
    for tag in scheme.tags.values():
        if tag.originator_control and tag.type != "informative":
            raise shape.wrong(f"{name}: tag {tag.name}", "controls by its originator: it has to be informative")
        if tag.type == "permissive" and (not tag.prefix or NOBODY in tag.values):
            raise shape.wrong(f"{name}: tag {tag.name}", f"is permissive: it needs a prefix, and no value {NOBODY}")
    words = [value for tag in scheme.tags.values() if not tag.prefix for value in tag.values]
    words += [tag.prefix for tag in scheme.tags.values() if tag.prefix]
    if len(set(words)) != len(words) or {"REL TO", "ORIGINATOR ONLY"} & set(words):
        raise RemoteError(f"{name}: tag: two values without a prefix read the same in a label's text", where=name)


def _check_order(scheme: Scheme, name: str) -> None:
    """A higher level never binds less: else raising a label could open it to somebody."""
    for low, high in pairwise(scheme.levels.values()):
        if (low.named and not high.named) or (high.public_release and not low.public_release):
            raise shape.wrong(f"{name}: level {high.name}", f"is above {low.name} and binds its readers less")
    for i, row in enumerate(scheme.equivalences):
        # More restrictive values must never open a mapping, so only tags that test nobody can be a condition.
        tested = {key for key in row.requires if key == "level" or scheme.tags[key].type == "restrictive"}
        # Two permissive tags that became one would let in whoever holds a value of either.
        tags = {(tag, other) for (tag, _), (other, _) in row.tags.items()}
        if not len(tags) == len({tag for tag, _ in tags}) == len({other for _, other in tags}):
            raise shape.wrong(f"{name}: equivalence[{i}].tags", "needs one tag there for each tag here")
        if tested:
            raise shape.wrong(f"{name}: equivalence[{i}].requires", f"cannot depend on {', '.join(sorted(tested))}")


def _combinations(scheme: Scheme) -> Iterator[tuple[str, Combination]]:
    for i, rule in enumerate(scheme.rules):
        yield from ((f"rule[{i}]", part) for part in (rule.when, rule.requires, rule.excludes))
    for i, row in enumerate(scheme.equivalences):
        yield f"equivalence[{i}].requires", row.requires
        yield f"equivalence[{i}].levels", {"level": frozenset(row.levels)}
        yield from ((f"equivalence[{i}].tags", {tag: frozenset((value,))}) for tag, value in row.tags)
