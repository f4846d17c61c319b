"""The text form of a label: what people type and read. `parse_label(render_label(x)) == x`.

    REGIONAL SECRET SOURCE-SENSITIVE PROJECT NORTHWIND REL TO FIN, LVA
    TLP:AMBER+STRICT REL TO @members
    EST RESTRICTED ORIGINATOR ONLY
    NATO SECRET REL TO @nato, SWE

Scheme, level, then tag values in any order, then the audience. Letters of either case are read, capitals are written.
Without REL TO the scheme's default audience is written in; a scheme that declares none wants it said. In a scheme
whose REL TO adds to a base group (NATO), `ONLY` at the end narrows instead: `NATO SECRET REL TO EST, LVA ONLY`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import NoReturn

from rsc_share.errors import RemoteError
from rsc_share.labels.label import EVERYBODY, Label, LabelError, reader
from rsc_share.labels.scheme import Scheme, SchemeSet, Tag
from rsc_share.labels.scheme_file import NOBODY
from rsc_share.labels.validity import validate

RELEASABLE, ALONE, EXACTLY = "REL TO", "ORIGINATOR ONLY", "ONLY"
MAX_TEXT = 65_536


def parse_label(text: str, schemes: SchemeSet, *, originators: Iterable[str] = ()) -> Label:
    """The label `text` says, made by `originators`. Raises `LabelError` with `position` and `expected`."""
    if len(text) > MAX_TEXT:
        raise LabelError(f"a label of more than {MAX_TEXT} characters", position=MAX_TEXT, expected=())
    cursor = _Cursor(text)
    scheme = schemes[cursor.word(tuple(schemes), "a scheme")]
    if cursor.take(scheme.separator) is None and scheme.separator != " ":
        cursor.fail(f"{scheme.id} is followed by {scheme.separator!r}", (scheme.separator,))
    level = cursor.word(tuple(scheme.levels), f"a level of {scheme.id}")
    tags = _tags(cursor, scheme)
    audience = _audience(cursor, scheme, level)
    try:
        label = Label.of(scheme.id, level, tags=tags, originators=originators, audience=audience)
        validate(label, schemes)
    except LabelError as error:
        raise LabelError(
            f"{text!r}: {error.what}", position=cursor.at, expected=error.fields.get("expected", ())
        ) from None
    return label


def render_label(label: Label, schemes: SchemeSet) -> str:
    """The text of `label`. Raises `LabelError` if its scheme does not know it."""
    scheme = schemes.scheme(label.scheme)
    head = scheme.id + scheme.separator + scheme.level(label.level).name
    for name, _ in label.tags:
        scheme.tag(name)
    carried = dict(label.tags)
    tags = (_render_tag(tag, carried[name]) for name, tag in scheme.tags.items() if name in carried)
    return " ".join((head, *tags, _render_audience(label, scheme)))


def banner(label: Label, schemes: SchemeSet) -> str:
    """The display marking for the top of a page: computed here, never taken from a sender."""
    scheme = schemes.scheme(label.scheme)
    level = scheme.level(label.level)
    head = scheme.id + scheme.separator + level.name
    return (level.banner or head) + render_label(label, schemes).removeprefix(head)


def portion(label: Label, schemes: SchemeSet) -> str:
    """The short marking in front of a paragraph, such as `(R-S//SS)`."""
    scheme = schemes.scheme(label.scheme)
    marks = [scheme.level(label.level).portion or label.level]
    for name, values in label.tags:
        known = scheme.tag(name).values
        marks += [(known[value].portion if value in known else "") or value for value in values]
    return f"({'//'.join(marks)})"


def _render_tag(tag: Tag, values: tuple[str, ...]) -> str:
    written = ", ".join(sorted(values, key=lambda value: (value not in tag.values, value))) or NOBODY
    return f"{tag.prefix} {written}" if tag.prefix else written


def _render_audience(label: Label, scheme: Scheme) -> str:
    if not label.audience:
        return ALONE
    # A sole originator always reads: it is said first, and not stored.
    alone = label.originators if len(label.originators) == 1 and EVERYBODY not in label.audience else ()
    written = f"{RELEASABLE} {', '.join((*alone, *label.audience))}"
    extends = scheme.audience_mode == "extend"
    return f"{written} {EXACTLY}" if extends and not set(scheme.base_audience) <= set(label.audience) else written


def _tags(cursor: _Cursor, scheme: Scheme) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    bare = {value: tag.name for tag in scheme.tags.values() if not tag.prefix for value in tag.values}
    prefixes = {tag.prefix: tag for tag in scheme.tags.values() if tag.prefix}
    while not cursor.ended and cursor.peek((RELEASABLE, ALONE)) is None:
        start = cursor.at
        word = cursor.word((*bare, *prefixes), f"a tag of {scheme.id}, {RELEASABLE} or {ALONE}", (RELEASABLE, ALONE))
        if word in bare:
            name, values = bare[word], [word]
            cursor.take(",")
        else:
            name = prefixes[word].name
            if name in found:
                cursor.at = start
                cursor.fail(f"{word} is there twice", (RELEASABLE, ALONE))
            values = _values(cursor, prefixes[word])
        found.setdefault(name, []).extend(values)
    return found


def _values(cursor: _Cursor, tag: Tag) -> list[str]:
    known = (*tag.values, NOBODY) if tag.type == "permissive" else tuple(tag.values)
    values = [cursor.word(known, f"a value of {tag.prefix}")]
    while values[0] != NOBODY and cursor.take(",") is not None:
        values.append(cursor.word(tuple(tag.values), f"a value of {tag.prefix}"))
    return [] if values == [NOBODY] else values


def _audience(cursor: _Cursor, scheme: Scheme, level: str) -> set[str]:
    if cursor.take(ALONE) is not None:
        cursor.end()
        return set()
    if cursor.ended:
        if scheme.default_audience is None or scheme.levels[level].named:
            cursor.fail(f"{scheme.id} {level} has no default audience: say who it is for", (RELEASABLE, ALONE))
        return set(scheme.default_audience)
    cursor.take(RELEASABLE)
    listed = {cursor.reader()}
    while cursor.take(",") is not None:
        listed.add(cursor.reader())
    extends = scheme.audience_mode == "extend"
    exactly = extends and cursor.take(EXACTLY) is not None
    cursor.end()
    return listed | set(scheme.base_audience) if extends and not exactly else listed


class _Cursor:
    """A place in a text, moving over known words."""

    def __init__(self, text: str) -> None:
        self.text, self.upper, self.at = text, text.upper(), 0
        if len(self.upper) != len(text):  # such as the German sharp s, which two capitals replace
            self.upper = text
        self._skip()

    @property
    def ended(self) -> bool:
        return self.at == len(self.text)

    def peek(self, words: Collection[str]) -> str | None:
        """The longest of `words` that stands here whole."""
        for word in sorted(words, key=len, reverse=True):
            after = self.at + len(word)
            if self.upper.startswith(word, self.at) and (not word[-1].isalnum() or self._boundary(after)):
                return word
        return None

    def take(self, word: str) -> str | None:
        found = self.peek((word,)) if word.strip() else None
        if found is not None:
            self.at += len(found)
            self._skip()
        return found

    def word(self, words: Collection[str], what: str, others: Collection[str] = ()) -> str:
        found = self.peek(words)
        if found is None:
            self.fail(f"here stands {self._here()!r}, needs {what}", (*words, *others))
        self.at += len(found)
        self._skip()
        return found

    def reader(self) -> str:
        end = self.at
        while end < len(self.text) and self.text[end] not in " ,":
            end += 1
        written = self.text[self.at : end]
        try:
            found = reader(written.lower() if written.startswith("@") else written.upper())
        except RemoteError as error:
            self.fail(f"{written!r} {error.what.partition(': ')[2]}", (EVERYBODY, "EST"))
        self.at = end
        self._skip()
        return found

    def end(self) -> None:
        if not self.ended:
            self.fail(f"{self._here()!r} after the audience", (",", "the end"))

    def fail(self, what: str, expected: Collection[str]) -> NoReturn:
        close = get_close_matches(self._here().upper(), expected, n=1)
        advice = f"did you mean {close[0]}?" if close else f"right here: {', '.join(expected)}" if expected else ""
        raise LabelError(
            f"{self.text!r} at {self.at + 1}: {what}", advice=advice, position=self.at, expected=tuple(expected)
        )

    def _here(self) -> str:
        return self.text[self.at :].split(" ")[0].split(",")[0]

    def _boundary(self, at: int) -> bool:
        return at == len(self.text) or self.text[at] in " ,:"

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
