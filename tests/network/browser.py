"""A headless Chromium, spoken to in its own protocol: what a person would see, and what the browser complains of."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0


class Tab:
    """One page. `requests` are the addresses it asked for, `complaints` what went to its console."""

    def __init__(self, line: ClientWebSocketResponse) -> None:
        self._line, self._session, self._number = line, "", 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._line:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            elif said["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                self.complaints.append(json.dumps(said["params"]))
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        call: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        await self._line.send_json(call | ({"sessionId": self._session} if self._session else {}))
        async with asyncio.timeout(PATIENCE):
            said = await answer
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self) -> None:
        target = await self.ask("Target.createTarget", url="about:blank")
        found = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.ask(f"{domain}.enable")

    async def go(self, url: str) -> None:
        self._loaded.clear()
        await self.ask("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        found = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, condition: str) -> None:
        """Return when it holds. The browser looks again and again; nothing here waits for a length of time."""
        script = (
            f"new Promise(done => {{ const look = () => ({condition}) ? done(true) : setTimeout(look, 20); look(); }})"
        )
        assert await self.run(script) is True

    async def look_like(self, width: int, height: int, scheme: str) -> None:
        """`scheme`: light or dark."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        found = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a browser of its own; `folder` becomes its profile."""
    assert PROGRAM is not None
    own = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--headless=new", "--hide-scrollbars", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={folder}", *own,
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    listening: asyncio.Task[None] | None = None
    drain: asyncio.Task[bytes] | None = None
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while not (line := await process.stderr.readline()).startswith(b"DevTools listening on "):
                assert line, "the browser ended"
        drain = asyncio.create_task(process.stderr.read())
        async with ClientSession() as http, http.ws_connect(line.split()[-1].decode(), max_msg_size=1 << 26) as socket:
            found = Tab(socket)
            listening = asyncio.create_task(found.listen())
            await found.open()
            yield found
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await asyncio.gather(*filter(None, (listening, drain)), return_exceptions=True)
