"""Pieces of a page. Whatever comes from outside is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from rsc_share.audit.findings import spelled
from rsc_share.audit.times import dtg, iso


def section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def para(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def bullets(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(f"<dt>{escape(name)}</dt><dd>{cell(value)}</dd>" for name, value in rows)
    return f"<dl>{cells}</dl>"


def cell(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return '<span class="none">none</span>'
    return escape(spelled(value))


def time_cell(time: int | None) -> str:
    return '<span class="none">-</span>' if time is None else f'{dtg(time)} <span class="iso">{iso(time)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """`rows` hold HTML already: numbers and escaped text."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def css_text(text: str) -> str:
    """`text` inside a CSS string: every character that could end it or mean something there is escaped."""
    return "".join(char if char.isalnum() or char in " -()@,./" else f"\\{ord(char):x} " for char in text)


def groups(digest: str) -> str:
    """Eight groups of eight, as people compare it with paper."""
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
