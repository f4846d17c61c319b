"""The console as a person sees it, in a headless Chromium."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import browser
import pytest
from console_world import log, world

from rsc_share.relay.store.protocol import Broken
from rsc_share.session.frames import Weather

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium on this machine")
COUNTING = """
const later = setTimeout;
window.turns = 0;
window.setTimeout = (work, ms) => later(() => { if (ms === 1000) turns++; work(); }, ms);
"""
"""Counts the turns of the page's script, so that a test can wait for them and not for a length of time."""
PICTURES = os.environ.get("CONSOLE_PICTURES")


async def test_the_page_is_live_fits_and_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Four nodes, traffic, refusals, a stopped log; light and dark, narrow and wide.

    Pictures stay where CONSOLE_PICTURES says, for whoever wants to look.
    """
    for name, length in (("store.sqlite3", 431_000_000), ("store.sqlite3-wal", 2_400_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(length)  # a hole: only its length is shown
    async with world(tmp_path) as here, browser.tab(tmp_path / "profile") as tab:
        for second in range(300 if PICTURES else 30):
            await here.second(second * second % 7 if second % 40 < 25 else 1, "cyber")
            if second % 100 > 70:
                await here.second(2, "disasters")
        here.fw.meters.outcomes(log("cyber"), [Weather("rate-limited", 100)] * 7 + [Weather("not-tried", None)] * 40)
        here.fw.meters.turned_away("tls-handshake")
        here.fw.relay_service.stop(here.fw.relay_service.logs[log("disasters")], Broken("the tiles do not fit"))
        await here.second()
        await tab.ask("Page.addScriptToEvaluateOnNewDocument", source=COUNTING)
        await tab.look_like(1400, 900, "light")
        await tab.go(here.url)
        assert await tab.run("document.title") == "Stopped in part: relay.example"
        assert await tab.run("document.querySelectorAll('table caption').length") == 6

        for width in (800, 1400):
            for scheme in ("light", "dark"):
                await tab.look_like(width, 900, scheme)
                assert await tab.run("document.documentElement.scrollWidth <= innerWidth"), width
                picture = await tab.picture()
                assert struct.unpack(">I", picture[16:20])[0] == width
                if PICTURES is not None:
                    (Path(PICTURES) / f"{scheme}-{width}.png").write_bytes(picture)

        # It moves by itself, and what a person holds stays.
        await tab.run("document.querySelector('.wide').focus(); window.held = document.activeElement; 1")
        before = here.fw.relay_service.logs[log("cyber")].size
        await here.second(3)
        await tab.until(f"document.querySelector('tbody').innerText.includes('{before + 3}')")
        assert await tab.run("document.activeElement === window.held && window.held.isConnected")

        # Paused, it stays; what was missed comes afterwards.
        await tab.run("document.getElementById('pause').click()")
        assert await tab.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
        shown = await tab.run("document.querySelector('main').innerHTML")
        await here.second(1)
        asked = len(tab.requests)
        await tab.until(f"turns >= {await tab.run('turns')} + 2")
        assert await tab.run("document.querySelector('main').innerHTML") == shown
        assert len(tab.requests) == asked
        await tab.run("document.getElementById('pause').click()")
        await tab.until(f"document.querySelector('tbody').innerText.includes('{before + 4}')")

        assert {request.rpartition(":")[2].partition("/")[2] for request in tab.requests} == {
            "console", "console/console.css", "console/console.js"
        }  # fmt: skip
        assert all(request.startswith(f"http://127.0.0.1:{here.port}/") for request in tab.requests)
        assert tab.complaints == []


async def test_a_page_whose_relay_is_gone_does_not_look_alive(tmp_path: Path) -> None:
    async with browser.tab(tmp_path / "profile") as tab:
        async with world(tmp_path) as here:
            await tab.go(here.url)
            assert await tab.run("document.getElementById('lost').hidden")
        await tab.until("!document.getElementById('lost').hidden")
        assert "No answer from the relay since" in await tab.run("document.getElementById('lost').textContent")
        assert (await tab.run("document.title")).startswith("No answer: ")


async def test_without_scripts_the_page_is_there_and_renews_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as here, browser.tab(tmp_path / "profile") as tab:
        await tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        await tab.go(here.url)
        shown = await tab.ask("DOM.getDocument", depth=-1)
        node = (await tab.ask("DOM.querySelector", nodeId=shown["root"]["nodeId"], selector="html"))["nodeId"]
        text = (await tab.ask("DOM.getOuterHTML", nodeId=node))["outerHTML"]
        assert "test-framework/<wbr>cyber" in text
        assert '<meta http-equiv="refresh" content="5">' in text
        assert not any(request.endswith(".js") for request in tab.requests)
