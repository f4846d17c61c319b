"""The socket of a running node: who may use it, what it does, and what it does with nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.cli.json_log import JsonLog
from rsc_share.cli.main import main
from rsc_share.cli.node_watch import Watch
from rsc_share.errors import LocalError, PolicyDenied, RscError, Unavailable
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.note import Note
from rsc_share.names import channel_of
from rsc_share.node import asking, door
from rsc_share.node.asking import ask
from rsc_share.node.door import Door
from rsc_share.node.node import Node
from rsc_share.testing.founding import HOST

MAIN = f"{HOST}/test-framework/main"
BODY = '{"pattern": "p", "stix_id": "i"}'
PUBLISH = {
    "body": BODY,
    "channel": "main",
    "key": None,
    "label": GREEN,
    "precedence": "ROUTINE",
    "type": "cyber/indicator/1",
    "wait": True,
    "attach": [],
}


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[tuple[Bench, Node]]:
    """A node with its background task and its door open."""
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        async with Node.open(bench.path, unlock=bench.unlock) as node, Door(node, bench.path):
            bench.fw.host(node)
            await bench.fw.settle()
            yield bench, node
            bench.fw.let_go(node)


async def answers(folder: Path, name: str, fields: dict, count: int | None = None) -> list:
    return [answer async for answer in ask(folder, name, fields, count)]


async def test_publish_is_queued_then_logged(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        (queued, fields), (logged, receipt) = await answers(bench.path, "publish", PUBLISH)
        assert (queued, logged) == ("queued", "logged")
        assert fields["members"] == ["FIN", "LVA"]
        assert receipt["reference"].startswith("EST/mod-1/main/")
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA")) == ["p"]


async def test_a_refusal_comes_back_as_what_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        with pytest.raises(PolicyDenied, match="nobody"):
            await answers(bench.path, "publish", {**PUBLISH, "label": "REGIONAL SECRET ORIGINATOR ONLY"})
        with pytest.raises(LocalError, match="no channel"):
            await answers(bench.path, "publish", {**PUBLISH, "channel": "other"})
        with pytest.raises(LocalError, match="no message type"):
            await answers(bench.path, "publish", {**PUBLISH, "type": "cyber/nothing/1"})
        with pytest.raises(LocalError, match="pattern") as wrong:
            await answers(bench.path, "publish", {**PUBLISH, "body": '{"secret-word": "x"}'})
        assert "\n" not in str(wrong.value)


async def test_a_listener_gets_each_message_until_it_confirmed_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        for n in range(3):
            await bench.fw.node("LVA").channel("main").publish(indicator(f"p{n}"), label=GREEN)
        await bench.fw.settle()
        wanted = {"channel": "main", "consumer": "c", "save": None}
        stream = ask(bench.path, "listen", wanted)
        _, first = await anext(stream)
        await stream.aclose()  # it died before it said done
        assert json.loads(first["body"])["pattern"] == "p0"
        given = await retried(bench.path, wanted, 2)
        assert [json.loads(fields["body"])["pattern"] for _, fields in given] == ["p0", "p1"]
        assert [fields["redelivered"] for _, fields in given] == [True, False]
        ((_, last),) = await retried(bench.path, wanted, 1)
        assert json.loads(last["body"])["pattern"] == "p2"


async def retried(folder: Path, wanted: dict, count: int) -> list:
    """The door notices a hang-up a moment after it happened; until then the consumer's name is taken."""
    while True:
        try:
            return await answers(folder, "listen", wanted, count)
        except LocalError as error:
            if "subscribed already" not in str(error):
                raise
            await asyncio.sleep(0)


async def test_status_says_what_waits_and_shows_no_content(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        await answers(bench.path, "publish", {**PUBLISH, "body": '{"pattern": "the-word", "stix_id": "i"}'})
        ((_, found),) = await answers(bench.path, "status", {})
        (log,) = found["logs"].values()
        assert found["node"] == "EST/mod-1"
        assert log["sends"]
        assert found["stopped"] is None
        assert "the-word" not in json.dumps(found)


async def test_a_backup_of_a_running_node(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        ((_, found),) = await answers(bench.path, "backup", {"out": str(tmp_path / "b")})
        assert (tmp_path / "b").stat().st_size > 0
        assert found["rows"] >= 0


async def test_the_socket_is_the_owners_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    async with running(tmp_path) as (bench, _):
        assert (bench.path / "socket").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "node" / "socket").exists()
    with pytest.raises(LocalError, match="no node runs"):
        await answers(tmp_path / "node", "status", {})


async def test_another_user_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (bench, _):
        monkeypatch.setattr(door, "peer_uid", lambda _: os.geteuid() + 1)
        with pytest.raises(LocalError, match="has stopped"):
            await answers(bench.path, "status", {})
        monkeypatch.undo()
        assert await answers(bench.path, "status", {})


async def test_a_socket_left_by_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        (bench.path / "socket").write_bytes(b"")
        async with Node.open(bench.path, unlock=bench.unlock) as node, Door(node, bench.path):
            assert await answers(bench.path, "status", {})


async def test_a_door_that_closes_on_a_waiting_guest_logs_no_bug(tmp_path: Path) -> None:
    bugs: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
    async with running(tmp_path) as (bench, _):
        stream = ask(bench.path, "listen", {"channel": "main", "consumer": "c", "save": None})
        waiting = asyncio.ensure_future(anext(stream))
        for _ in range(20):  # until it waits behind the door
            await asyncio.sleep(0)
    with pytest.raises(LocalError, match="has stopped") as stopped:
        await waiting
    assert "rsc-share node run" in (stopped.value.advice or "")
    assert bugs == []


async def test_status_names_a_relay_that_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as (bench, node):
        ((_, found),) = await answers(bench.path, "status", {})
        assert found["relays"] == {HOST: None}
        assert await asyncio.to_thread(main, ["node", "status", str(bench.path)]) == 0
        node.engine.ports[HOST] = Away(node.engine.ports[HOST])  # type: ignore[index]
        capsys.readouterr()
        assert await asyncio.to_thread(main, ["node", "status", str(bench.path)]) == 1
        assert f"no session with {HOST}: nobody answers [cut-off]" in capsys.readouterr().out


async def test_status_says_what_to_do_about_an_alarm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as (bench, node):
        node.engine.alarms.raise_("token", "x", "the token is over", node.now())
        assert await asyncio.to_thread(main, ["node", "status", str(bench.path)]) == 0
        assert "token: the token is over; now: set this machine's clock" in capsys.readouterr().out


class Away:
    """A port that has lost its session."""

    failure = Unavailable("nobody answers", code="cut-off")

    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)


async def test_the_log_tells_alarms_and_relays_that_go_once(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, node):
        out = StringIO()
        watch = Watch(node, JsonLog(out))
        port = node.engine.ports[HOST]
        watch.look()
        node.engine.ports[HOST] = Away(port)  # type: ignore[index]
        watch.look()
        watch.look()
        node.engine.ports[HOST] = port  # type: ignore[index]
        watch.look()
        node.engine.alarms.raise_("token", "x", "the token is over", node.now())
        said = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [line["event"] for line in said] == [
            "relay answers",
            "no session with relay",
            "relay answers",
            "alarm",
        ]
        assert (said[1]["code"], said[1]["relay"]) == ("cut-off", HOST)
        assert "clock" in said[3]["now"]


class Unread(StringIO):
    """A log whose reader is gone."""

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


async def test_a_node_whose_log_nobody_takes_any_more_goes_on(tmp_path: Path) -> None:
    """An alarm is told in the midst of a turn: it would have been the last one."""
    async with running(tmp_path) as (_, node):
        watch = Watch(node, JsonLog(Unread()))
        watch.look()
        node.engine.alarms.raise_("token", "x", "the token is over", node.now())
        assert [alarm.code for alarm in node.alarms] == ["token"]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 1 << 31),
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        asking.framed(["nothing", {}]),
        asking.framed(["publish", {}]),
        asking.framed(["status", {"x": 1}]),
        asking.framed([1, 2]),
        asking.framed(["status", []]),
        b"\x00",
        b"",
    ],
)
async def test_nonsense_ends_its_own_connection_only(tmp_path: Path, data: bytes) -> None:
    async with running(tmp_path) as (bench, _):
        reader, writer = await asyncio.open_unix_connection(bench.path / "socket")
        writer.write(data)
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert not said or b"error" in said
        assert await answers(bench.path, "status", {})


async def test_the_commands_talk_to_the_node_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as (bench, _):
        (tmp_path / "body.json").write_text(BODY)
        home = str(bench.path)
        common = ["--channel", "main", "--label", GREEN, "--type", "cyber/indicator/1"]

        async def run(*arguments: str) -> tuple[int, str]:
            code = await asyncio.to_thread(main, arguments)
            return code, capsys.readouterr().out

        code, out = await run(
            "node", "publish", home, *common, "--body", str(tmp_path / "body.json"), "--wait", "--json"
        )
        assert code == 0
        assert json.loads(out)["reference"].startswith("EST/mod-1/main/")
        await bench.fw.node("LVA").channel("main").publish(indicator("from LVA"), label=GREEN)
        await bench.fw.settle()
        code, out = await run("node", "listen", home, "--channel", "main", "--count", "1")
        assert (code, json.loads(out)["body"]["pattern"]) == (0, "from LVA")
        code, out = await run("node", "status", home)
        assert code == 0
        assert "EST/mod-1" in out
        code, out = await run("node", "status", str(tmp_path))
        assert code == 69


async def test_what_proves_itself_is_handed_in_once_by_anybodys_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The founders' way to a further node, the next charter, a revocation: a command, not a program of their own."""
    async with running(tmp_path) as (bench, _):
        now, founded = bench.fw.clock.now, bench.fw.founded
        lost = revoke(Revocation("LVA/mod-1", "node", "stolen", now), founded.framework_id, bench.fw.party("LVA").duty)
        (tmp_path / "revocation").write_bytes(lost)
        for _ in range(2):
            code = await asyncio.to_thread(
                main, ["node", "hand-in", str(bench.path), str(tmp_path / "revocation"), "--json"]
            )
            assert code == 0
            said = json.loads(capsys.readouterr().out)
            assert said == {
                "index": bench.fw.relay_service.directory.size - 1,
                "log": bench.fw.relay_service.directory_log.origin,
            }
        assert not bench.fw.relay_service.view.is_active("LVA/mod-1", now)


@pytest.mark.parametrize(
    "fields",
    [
        {"bodies": [], "object": b"\x93\x01"},
        {"bodies": [], "object": b""},
        {"bodies": [b"x"] * 17, "object": b"\x93\x01"},
        {"bodies": ["x"], "object": b"\x93\x01"},
        {"object": b"\x93\x01"},
    ],
)
async def test_what_proves_nothing_is_not_logged(tmp_path: Path, fields: dict) -> None:
    async with running(tmp_path) as (bench, _):
        size = bench.fw.relay_service.directory.size
        with pytest.raises(RscError):
            await answers(bench.path, "hand-in", fields)
        assert bench.fw.relay_service.directory.size == size


async def test_a_wrong_body_is_told_in_the_messages_own_words(tmp_path: Path) -> None:
    body = '{"title": "t", "text": [{"content": "secret-word", "label": "TLP:GREEN"}]}'
    async with running(tmp_path) as (bench, _):
        with pytest.raises(LocalError) as found:
            await answers(bench.path, "publish", {**PUBLISH, "type": "threat/assessment/1", "body": body})
    assert "text.0.value: Field required" in found.value.what
    assert "[" not in found.value.what, "the program's own names"
    assert "secret-word" not in found.value.what


async def test_checkpoints_are_what_this_member_saw_witnessed_and_nobody_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (bench, node):
        await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        out = tmp_path / "handed-over"

        async def run(*more: str) -> int:
            return await asyncio.to_thread(main, ["node", "checkpoints", str(bench.path), "--out", str(out), *more])

        assert await run("--json") == 0
        assert json.loads(capsys.readouterr().out) == {"logs": ["directory", "main"], "out": str(out)}
        notes = {channel_of(log): note for log, note in node.engine.notes().items()}
        assert {path.name: path.read_bytes() for path in out.iterdir()} == notes
        sizes = {name: Checkpoint.parse(Note.parse(note).text).size for name, note in notes.items()}
        assert sizes["main"] == bench.fw.relay_service.logs[MAIN].size
        for name, note in notes.items():
            members = {line.name.split("/")[1] for line in Note.parse(note).signatures if "/" in line.name}
            assert len(members & {"EST", "FIN", "LVA"}) >= 2, name
        assert await run() == 2, "what was handed over once is not replaced"
        assert "[exists]" in capsys.readouterr().err
    code = await asyncio.to_thread(main, ["node", "checkpoints", str(bench.path), "--out", str(tmp_path / "late")])
    assert code == 69, "the call is right; nobody is there"
    assert "[not-running]" in capsys.readouterr().err
