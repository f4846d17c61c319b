"""The five programs embedders write (tests/api/scripts), run against the library as they stand.

Only two things are arranged from outside: where the well-known directories lie, and that a script's last line, which
starts an event loop of its own, is left to the test.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from rsc_share import Node, PolicyDenied
from rsc_share.messages import Indicator, ThreatAssessment
from rsc_share.node.home import Home
from rsc_share.testing import Framework

SCRIPTS = Path(__file__).parent / "scripts"
SECRET = b"correct horse battery staple"


def load(name: str) -> SimpleNamespace:
    """The script's names, without running the line that starts its loop."""
    tree = ast.parse((SCRIPTS / name).read_text())
    tree.body = [node for node in tree.body if not ast.unparse(node).startswith("sys.exit")]
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)  # noqa: S102 - our own scripts
    return SimpleNamespace(**namespace)


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`/var/lib/rsc/est`, `est` and `/run/secrets/rsc` lie in a folder of the test's own."""
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    monkeypatch.setenv("RSC_KEY", SECRET.decode())
    real = Home.open.__func__  # type: ignore[attr-defined]

    def opened(cls: type[Home], path: Path, unlock: Any) -> Home:
        if unlock._where == "/run/secrets/rsc":
            unlock = type(unlock).file(tmp_path / "secret")
        return real(cls, tmp_path / path.name, unlock)

    monkeypatch.setattr(Home, "open", classmethod(opened))
    return tmp_path


@contextlib.asynccontextmanager
async def running(coroutine: Any) -> Any:
    task = asyncio.ensure_future(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_s1_a_service_stores_messages_and_erases_recalled_ones(homes: Path) -> None:
    script = load("s1_service.py")
    stored: asyncio.Queue[ThreatAssessment] = asyncio.Queue()
    erased: asyncio.Queue[str] = asyncio.Queue()

    async def store(_: object, assessment: ThreatAssessment) -> None:
        await stored.put(assessment)

    async def erase(reference: str) -> None:
        await erased.put(reference)

    script.consume.__globals__.update(store=store, erase=erase)
    async with Framework.create("EST", "LVA", "FIN", channel="counter-terrorism", seed=1) as fw:
        await fw.move_out("EST", homes / "est", SECRET)
        app = web.Application()
        context = script.rsc(app)
        await anext(context)
        try:
            channel = fw.node("FIN").channel("counter-terrorism")
            report = ThreatAssessment(title="t", text=[])
            sent = await channel.publish(report, label="REGIONAL SECRET REL TO @members")
            receipt = await sent.receipt()
            assert (await asyncio.wait_for(stored.get(), 20)).title == "t"
            await channel.recall(receipt.reference, reason="wrong")
            assert await asyncio.wait_for(erased.get(), 20) == receipt.reference
        finally:
            with contextlib.suppress(StopAsyncIteration):
                await anext(context)


STIX = """{"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [{"type": "indicator",
"spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "created": "2026-01-01T00:00:00.000Z",
"modified": "2026-01-01T00:00:00.000Z", "pattern": "[ipv4-addr:value = '198.51.100.1']", "pattern_type": "stix",
"valid_from": "2026-01-01T00:00:00Z", "x_odd": 1}]}"""


async def test_s2_an_import_queues_all_or_none(homes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = load("s2_import.py")
    (homes / "bundle.json").write_text(STIX)
    async with Framework.create("EST", "LVA", "LTU", channel="cyber", seed=2) as fw:
        await fw.move_out("EST", homes / "est", SECRET)
        assert await script.main(homes / "bundle.json") == 0
        await fw.settle()
        assert "x_odd" in capsys.readouterr().err
        async with fw.node("LVA").channel("cyber").subscribe(Indicator) as inbox:
            assert (await anext(inbox)).body.stix_id == "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
        await fw.suspend("LTU", by="EST")
        assert await script.main(homes / "bundle.json") == 3
        assert "LTU 0 agreement" in capsys.readouterr().err


async def test_s3_own_types_travel_and_arrive_typed(homes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = load("s3_custom.py")
    plan = Framework.create("EST", "LVA", channel="air", types=[script.DroneSighting], seed=3)
    async with plan as fw:
        await fw.move_out("EST", homes / "est", SECRET)
        async with running(script.main()):
            async with fw.node("LVA").channel("air").subscribe(script.DroneSighting) as inbox:
                message = await anext(inbox)
                assert (message.body.heading, message.sender) == (270, "EST/mod-1")
            answer = script.DroneSighting(grade="A1", heading=90, kind="rotary")
            sent = await fw.node("LVA").channel("air").publish(answer, label="EST RESTRICTED REL TO EST")
            receipt = await sent.receipt()
            out = ""
            while receipt.reference not in out:
                await asyncio.sleep(0.001)
                out += capsys.readouterr().out
            assert f"{receipt.reference} 90" in out


async def test_s4_a_gateway_under_test_in_the_embedders_own_suite() -> None:
    await load("s4_test.py").test_suspended_neighbour_gets_nothing()


async def test_s5_partial_release_denial_receipt_and_recall(capsys: pytest.CaptureFixture[str]) -> None:
    script = load("s5_partial.py")
    async with Framework.create("EST", "LVA", "FIN", seed=5) as fw:
        channel = fw.node("EST").channel("main")

        async def reader(node: Node) -> None:
            async with node.channel("main").subscribe(ThreatAssessment) as inbox:
                message = await anext(inbox)
                await script.read(message)
                await message.done()

        async with running(reader(fw.node("FIN"))), running(reader(fw.node("LVA"))):
            reference = await asyncio.wait_for(script.send(channel), 20)
            await fw.settle()
        assert reference.startswith("EST/mod-1/main/")
        out = capsys.readouterr().out
        assert "portion 2 withheld by ('EST',)" in out
        assert "EST SECRET" in out
        await fw.suspend("LVA", by="EST")
        with pytest.raises(PolicyDenied):
            await script.send(channel)
        assert not (await fw.audit()).findings
