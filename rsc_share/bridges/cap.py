"""CAP 1.2 alerts in and out (OASIS Common Alerting Protocol 1.2, 1 July 2010).

Read strictly: a document type or an entity is refused before anything is expanded, elements must stand in the order
and number of the schema, numbers and times must be well formed. CAP 1.1 has the same elements and is read with a note
in the loss report; 1.0 and EDXL wrappers are refused. Elements of other vocabularies (signatures among them) and
attributes are lost and named; comments and processing instructions are no part of an alert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from xml.etree.ElementTree import Element as XmlElement
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import BaseModel, ValidationError

from rsc_share.bridges.cap_shape import ALERT, CAP_1_1, CAP_1_2, Leaf, Row, Table
from rsc_share.bridges.loss import LossReport, Source, read_source
from rsc_share.errors import LocalError, RemoteError
from rsc_share.messages.disaster import Alert

MAX_ALERT = 4 * 1024 * 1024
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class CapImport:
    """The alert, and what of the file is not in it."""

    alert: Alert
    loss: LossReport


@dataclass(frozen=True, slots=True)
class CapExport:
    """CAP 1.2 XML in UTF-8, and what of the alert is not in it."""

    data: bytes
    loss: LossReport


def read_alert(source: Source) -> CapImport:
    """Read a file or bytes. Raises `LocalError` (file not readable) or `RemoteError` (`bad-cap`, `too-big`)."""
    name, data = read_source(source, "CAP alert", MAX_ALERT)
    root = _parse(data, name)
    space, tag = _name(root)
    reading = _Reading(name, space)
    if tag != "alert" or space not in (CAP_1_2, CAP_1_1):
        raise reading.wrong(f"/{tag}", _unknown_root(space))
    if space == CAP_1_1:
        reading.lost.append("/alert (written as CAP 1.1, read by the rules of CAP 1.2)")
    alert = cast(Alert, reading.model(root, ALERT, "/alert"))
    return CapImport(alert, LossReport(tuple(reading.lost)))


def _parse(data: bytes, file: str) -> XmlElement:
    try:
        root: XmlElement = fromstring(data, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        what = f"{file}: line {line}, column {column}: not well-formed XML: {str(error).partition(':')[0]}"
        raise RemoteError(what, code="bad-cap", file=file, line=line) from None
    except DefusedXmlException:
        what = f"{file}: holds a document type or an entity, which no alert needs and attacks do"
        raise RemoteError(what, code="bad-cap", file=file) from None
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise RemoteError(f"{file}: {error}", code="bad-cap", file=file) from None
    return root


def _name(element: XmlElement) -> tuple[str, str]:
    """Namespace and local name."""
    space, brace, tag = element.tag.rpartition("}")
    return space.removeprefix("{") if brace else "", tag


def _printable(space: str) -> str:
    """A namespace may hold line breaks written as references: they must not reach a terminal or a log."""
    return "".join(char if char.isprintable() else "?" for char in space[:120])


def _unknown_root(space: str) -> str:
    if "EDXL" in space:
        return "this is an EDXL distribution: take the CAP alert out of it first"
    if "cap/1.0" in space or "cap:1.0" in space:
        return "CAP 1.0 is not read: ask for CAP 1.2"
    return f"not a CAP alert: needs the element alert of {CAP_1_2}"


@dataclass(slots=True)
class _Reading:
    """One alert under way. Places are XPath-like: `/alert/info[1]/area[2]`."""

    file: str
    space: str
    lost: list[str] = field(default_factory=list)

    def wrong(self, place: str, what: str) -> RemoteError:
        return RemoteError(f"{self.file}: {place}: {what}", code="bad-cap", file=self.file, where=place)

    def model(self, element: XmlElement, table: Table, place: str) -> BaseModel:
        self.attributes(element, place)
        found: dict[str, Any] = {}
        for row, children in self.grouped(element, table, place):
            values = [self.value(child, row, where) for child, where in children]
            if row.often == "many":
                found[row.name] = values
            elif values:
                found[row.name] = values[0]
        try:
            return table.model(**found)
        except ValidationError as error:
            raise self.invalid(error, table, place) from None

    def value(self, element: XmlElement, row: Row, place: str) -> Any:
        if isinstance(row.inside, Table):
            return self.model(element, row.inside, place)
        self.attributes(element, place)
        if len(element):
            raise self.wrong(place, "needs text, not elements")
        text = element.text or ""
        try:
            value = row.inside.read(text)
        except ValidationError as error:
            raise self.wrong(place, error.errors(include_input=False)[0]["msg"]) from None
        except ValueError as error:
            raise self.wrong(place, str(error)) from None
        if not row.inside.exact(text):
            self.lost.append(f"{place} (more digits than a double holds)")
        return value

    def grouped(
        self, element: XmlElement, table: Table, place: str
    ) -> Iterator[tuple[Row, list[tuple[XmlElement, str]]]]:
        """Each row of the table with the children that belong to it, after checking order and number."""
        tags = {row.tag: index for index, row in enumerate(table.rows)}
        groups: list[list[tuple[XmlElement, str]]] = [[] for _ in table.rows]
        last = 0
        self.no_text(element.text, place)
        for child in element:
            self.no_text(child.tail, place)
            space, tag = _name(child)
            if space != self.space:
                self.lost.append(f"{place}/{tag[:80]} (of {_printable(space) or 'no vocabulary'})")
                continue
            if tag not in tags:
                raise self.wrong(place, f"CAP has no element {tag[:80]!r} here")
            index = tags[tag]
            if index < last:
                raise self.wrong(
                    f"{place}/{tag}", f"stands after {table.rows[last].tag}, where the schema has it before"
                )
            last = index
            many = table.rows[index].often == "many"
            groups[index].append((child, f"{place}/{tag}[{len(groups[index]) + 1}]" if many else f"{place}/{tag}"))
        for row, group in zip(table.rows, groups, strict=True):
            if row.often == "one" and not group:
                raise self.wrong(place, f"{row.tag} is missing")
            if row.often != "many" and len(group) > 1:
                raise self.wrong(f"{place}/{row.tag}", "stands more than once")
            yield row, group

    def attributes(self, element: XmlElement, place: str) -> None:
        self.lost += [f"{place}/@{name.rpartition('}')[2][:80]}" for name in element.attrib]

    def no_text(self, text: str | None, place: str) -> None:
        if text is not None and text.strip():
            raise self.wrong(place, "text between elements")

    def invalid(self, error: ValidationError, table: Table, place: str) -> RemoteError:
        """Our model's complaint in CAP's words."""
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        tags = {row.name: row.tag for row in table.rows}
        name, *rest = [*first["loc"], ""]
        tag = f"/{tags[str(name)]}" if name in tags else ""
        index = f"[{rest[0] + 1}]" if rest and isinstance(rest[0], int) else ""
        return self.wrong(f"{place}{tag}{index}", first["msg"])


def write_alert(alert: Alert) -> CapExport:
    """The alert as CAP 1.2. Raises `LocalError` for a text that XML cannot hold."""
    lost: list[str] = []
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<alert xmlns="{CAP_1_2}">']
    _write_rows(alert, ALERT, "alert", lines, lost)
    lines.append("</alert>")
    return CapExport(("\n".join(lines) + "\n").encode(), LossReport(tuple(lost)))


def _write_rows(model: BaseModel, table: Table, place: str, lines: list[str], lost: list[str]) -> None:
    lost += [f"{place}.{name}" for name in model.model_extra or ()]
    for row in table.rows:
        value = getattr(model, row.name)
        for index, one in enumerate(value if row.often == "many" else [] if value is None else [value]):
            where = f"{place}.{row.name}[{index}]" if row.often == "many" else f"{place}.{row.name}"
            _write_one(one, row, where, lines, lost)


def _write_one(value: Any, row: Row, place: str, lines: list[str], lost: list[str]) -> None:
    if isinstance(row.inside, Leaf):
        if getattr(value, "microsecond", 0):
            lost.append(f"{place} (below a second)")
        text = row.inside.write(value)
        if _NOT_XML.search(text):
            raise LocalError(f"{place}: holds a control character", advice="XML cannot carry it: take it out")
        lines.append(f"<{row.tag}>{escape(text, {chr(13): '&#13;'})}</{row.tag}>")
        return
    lines.append(f"<{row.tag}>")
    _write_rows(value, row.inside, place, lines, lost)
    lines.append(f"</{row.tag}>")
