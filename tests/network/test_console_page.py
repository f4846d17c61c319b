"""How the page of the console is written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

from console_world import GIB, GOOD, ROW

from rsc_share.relay.net.console.alarms import alarms
from rsc_share.relay.net.console.page import MOST_SESSIONS, page
from rsc_share.relay.net.console.routes import ASSETS
from rsc_share.relay.net.console.state import CodeRow, SessionRow
from rsc_share.relay.net.console.words import duration, rate, size, spark
from rsc_share.testing.clock import START

EVIL = "<script src=//evil.example/x.js></script>\"'&<!--"


class Outline(HTMLParser):
    """Tags and attributes of a page; complains of what is not closed."""

    VOID = ("meta", "link", "wbr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_names_stay_text_wherever_they_stand() -> None:
    """No grammar lets such a name in; the page does not rely on it."""
    row = replace(ROW, log=f"{EVIL}/{EVIL}/x", state=EVIL)
    state = replace(
        GOOD,
        host=EVIL,
        logs=(row,),
        sessions=(SessionRow(EVIL, EVIL, START, 1),),
        refused=(CodeRow(EVIL, 1, 1),),
        turned_away=(CodeRow(EVIL, 1, 1),),
        ended=(CodeRow(EVIL, 1, 1),),
    )
    stopped = replace(state, logs=(replace(row, state="stopped"),))
    written = page(replace(stopped, alarms=alarms(stopped))) + page(state)
    assert "<script src=//" not in written
    assert "<!--" not in written
    for text in (page(state), page(replace(stopped, alarms=alarms(stopped)))):
        tags = [tag for tag, _ in Outline(text).tags]
        assert tags.count("script") == 1


def test_the_page_is_whole_without_its_script() -> None:
    written = page(GOOD)
    for said in ("12,345", "12,300", "2 s", "3.5", "≤ 2 ms", "≤ 5 ms", "stale-head", "EST/mod-1", "90 s", "2.0 KiB",
                 "50.0 GiB of 100.0 GiB", "365 days", "+0.001 s", "All is well",
                 "2 of 2 logs take entries"):  # fmt: skip
        assert said in written, said
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in written


def test_tables_have_captions_and_scopes_and_no_state_is_a_colour_alone() -> None:
    stopped = replace(GOOD, logs=tuple(replace(ROW, state=s) for s in ("ready", "stopped", "clock", "recovering")))
    written = page(replace(stopped, alarms=alarms(stopped)))
    tags = Outline(written).tags
    assert [tag for tag, _ in tags].count("table") == [tag for tag, _ in tags].count("caption") == 6
    assert all(found.get("scope") in ("row", "col") for tag, found in tags if tag == "th")
    assert all(found.get("aria-hidden") == "true" for tag, found in tags if tag == "svg")
    shapes = dict(re.findall(r'class="state"><svg class="mark (\w+)".*?<path d="([^"]+)"/></svg> \w+<', written))
    assert set(shapes) == {"good", "stop", "attention"}
    assert len(set(shapes.values())) == 3
    for state in ("ready", "stopped", "clock", "recovering"):
        assert re.search(rf"</svg> {state}<", written), state


def test_nothing_on_the_page_comes_from_elsewhere_or_stands_inline() -> None:
    """Files of the package too: no address but paths of the same origin, nothing the policy would have to allow."""
    folder = files("rsc_share.relay.net.console")
    texts = {name: (folder / name).read_text() for name in ASSETS} | {"page": page(GOOD)}
    for name, text in texts.items():
        for forbidden in ("http:", "https:", '"//', "'//", "(//", "url(", "@import", "@font-face", "data:", "eval(",
                          "innerHTML", "document.write", "cookie", "localStorage"):  # fmt: skip
            assert forbidden not in text, (name, forbidden)
    for tag, found in Outline(texts["page"]).tags:
        assert "style" not in found, tag
        assert not [key for key in found if key.startswith("on")], tag
        for key in ("src", "href"):
            assert (found.get(key) or "/console/").startswith("/console/"), (tag, found)


def test_a_thousand_sessions_do_not_make_the_page_grow_for_ever() -> None:
    many = tuple(SessionRow("EST", f"EST/mod-{n}", START, 0) for n in range(MOST_SESSIONS + 300))
    written = page(replace(GOOD, sessions=many))
    assert "300 more are in state.json" in written
    assert written.count("EST/mod-") == MOST_SESSIONS
    assert len(json.loads(json.dumps(replace(GOOD, sessions=many).wire()))["sessions"]) == MOST_SESSIONS + 300


def test_numbers_are_written_for_people() -> None:
    assert [duration(ms) for ms in (-5, 119_999, 120_000, 7_200_000, 172_800_000)] == [
        "0 s",
        "119 s",
        "2 min",
        "2 h",
        "2 d",
    ]
    assert [size(n) for n in (0, 1_023, 1_536, 5 * GIB, 1 << 60)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "1024.0 PiB",
    ]
    assert [rate(n) for n in (0.0, 0.25, 9.99, 12_345.6)] == ["0", "0.2", "10.0", "12,346"]
    assert "M297 28L297 28.0L299 1.0L300 14.5L300 28z" in spark(((3.0, 0.0), (1.0, 4.0), (0.0, 2.0)))
    assert "<path" not in spark(())
