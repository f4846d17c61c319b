"""`rsc-share relay`: settings with every mistake at once, a process that serves, drains and reloads, and its codes."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import signal
import socket
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cli_world import HOST, Founders, Run
from relay_process import DURABLE, LABEL, folder_of, home_of, serving, started, to_everybody

from rsc_share import Node, RemoteError, Unavailable, Unlock
from rsc_share.cli.relay_files import settings_of
from rsc_share.crypto.tls import read_certificate
from rsc_share.errors import LocalError
from rsc_share.messages import ThreatAssessment
from rsc_share.relay.heads import Signed
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.settings import BadSettings, read_settings
from rsc_share.relay.service import Relay
from rsc_share.relay.store.file_heads import FileHeads
from rsc_share.relay.store.protocol import Broken

# --- init and settings


def test_init_writes_all_a_relay_needs(founders: Founders) -> None:
    folder = founders.root / "relay"
    assert sorted(path.name for path in folder.iterdir()) == [
        "log.keystore",
        "relay-example-8443.keys" if (folder / "relay-example-8443.keys").exists() else "relay.example-8443.keys",
        "relay.toml",
        "tls.crt",
        "tls.key",
    ]
    assert (folder / "tls.key").stat().st_mode & 0o077 == 0
    pin, _ = read_certificate((folder / "tls.crt").read_bytes())
    assert f'tls_pins = ["{pin}", "{"ab" * 32}"]' in next(folder.glob("*.keys")).read_text()


def test_init_prints_the_pin_and_the_way_to_dial(run: Run, tmp_path: Path, founders: Founders) -> None:
    ran = run("relay", "init", tmp_path / "r", "--host", HOST, "--operator", "HUB", *founders.unlock())
    pin, _ = read_certificate((tmp_path / "r/tls.crt").read_bytes())
    assert ran.code == 0
    assert pin in ran.out.replace(" ", "")
    assert f"wss://{HOST}#{pin}" in ran.err


def test_a_fresh_relay_toml_lacks_only_what_nobody_can_know_yet(founders: Founders) -> None:
    path = founders.root / "relay/relay.toml"
    with pytest.raises(BadSettings) as found:
        settings_of(path)
    assert [problem.split(": ")[1] for problem in found.value.problems] == ["charter"]


def test_every_mistake_is_told_at_once_with_its_line_and_nothing_starts(
    run: Run, founders: Founders, tmp_path: Path
) -> None:
    folder = folder_of(
        founders,
        tmp_path,
        **{
            'log_level = "info"': 'log_level = "loud"\nconsole = "everybody"',
            "connections = 2048": "connections = 0",
            "ballast = 0": "ballast = -1",
            "sessions_per_member = 16": 'stall_seconds = "long"\nsesions = 3\nentries_per_second = 0',
            'tls_key = "tls.key"': 'tls_kee = "tls.key"',
            f'host = "{HOST}"': 'host = "Relay Example"',
        },
    )
    ran = run("relay", "run", folder / "relay.toml")
    ran.fails(2, "settings")
    lines = (folder / "relay.toml").read_text().split("\n")
    for key in (
        "log_level",
        "console",
        "ballast",
        "connections",
        "entries_per_second",
        "stall_seconds",
        "sesions",
        "tls_kee",
        "host",
    ):
        number = next(n for n, line in enumerate(lines, 1) if line.startswith(key))
        assert f"relay.toml:{number}: " in ran.err, (key, ran.err)
    for form in (
        "debug, info",
        "from 1 to",
        "number of seconds",
        "is no limit",
        "is no key",
        "host name",
        "missing",
        "local, health",
    ):
        assert form in ran.err
    assert "has 10 things to correct; nothing was started" in ran.err
    assert ran.out == ""


def test_files_that_are_not_there_are_mistakes_too(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path)
    (folder / "tls.key").unlink()
    (folder / "passphrase").unlink()
    ran = run("relay", "run", folder / "relay.toml")
    ran.fails(2, "settings")
    assert "tls_key: there is no file" in ran.err
    assert "passphrase_file: there is no file" in ran.err


def test_a_file_that_is_no_toml_is_one_mistake(run: Run, tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text("host = \n")
    run("relay", "run", tmp_path / "relay.toml").fails(2, "settings")
    run("relay", "run", tmp_path / "none.toml").fails(2, "no-file")


def test_limits_left_out_have_their_usual_value(founders: Founders, tmp_path: Path) -> None:
    path = folder_of(founders, tmp_path) / "relay.toml"
    text = path.read_text()
    read = read_settings(text[: text.index("[limits]")].encode(), "relay.toml")
    assert read.limits == Limits()
    assert read_settings(text.encode() + b"calls = 5\n", "relay.toml").limits == Limits(calls=5)


def test_a_damaged_store_is_not_served_until_a_check_has_passed(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **DURABLE)
    run("relay", "check", folder / "relay.toml").fails(2, "local")
    run("relay", "run", folder / "relay.toml").fails(2, "no-charter")
    (folder / "store/broken").write_text("an error of the disk\n")
    ran = run("relay", "run", folder / "relay.toml")
    ran.fails(74, "unchecked")
    assert "relay check" in ran.err
    found = json.loads(run("relay", "check", folder / "relay.toml", "--json").out)
    assert found == {"blobs": 0, "entries": 0, "findings": [], "online": False, "released": True}
    run("relay", "run", folder / "relay.toml").fails(2, "no-charter")


def test_the_ballast_is_given_away_by_command_once(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **DURABLE, **{"ballast = 0": "ballast = 65536"})
    run("relay", "run", folder / "relay.toml").fails(2, "no-charter")  # the store was opened: its ballast is there
    assert (folder / "store/ballast").stat().st_size == 65_536
    ran = run("relay", "rescue", folder / "relay.toml")
    assert (ran.code, "65536 bytes are free" in ran.out) == (0, True)
    assert not (folder / "store/ballast").exists()
    assert run("relay", "rescue", folder / "relay.toml").code == 1
    run("relay", "run", folder / "relay.toml").fails(2, "no-charter")
    assert (folder / "store/ballast").exists(), "a start with room to spare makes another"
    run("relay", "rescue", folder_of(founders, tmp_path / "memory") / "relay.toml").fails(2, "store")


def test_a_store_in_memory_is_not_checked(run: Run, founders: Founders, tmp_path: Path) -> None:
    run("relay", "check", folder_of(founders, tmp_path) / "relay.toml").fails(2, "store")


def test_a_relay_without_a_charter_serves_nobody(run: Run, founders: Founders, tmp_path: Path) -> None:
    ran = run("relay", "run", folder_of(founders, tmp_path) / "relay.toml")
    ran.fails(2, "no-charter")
    assert "not founded again: correct `store`" in ran.err, "who mistypes a folder must not be told to fork the logs"


def test_no_ballast_and_no_check_where_there_is_no_store(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **{'store = "store"': 'store = "stoer"'})
    for command in ("check", "rescue"):
        ran = run("relay", command, folder / "relay.toml")
        ran.fails(2, "local")
        assert "there is no store in" in ran.err
    assert not (folder / "stoer").exists()


def test_an_address_in_use_is_said_once(run: Run, founders: Founders, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        folder = folder_of(founders, tmp_path)
        text = (folder / "relay.toml").read_text().replace('listen = "127.0.0.1:0"', f'listen = "{address}"')
        (folder / "relay.toml").write_text(text)
        ran = run("relay", "run", folder / "relay.toml", "--found", founders.packet)
    ran.fails(75, "listen")
    assert f"{address} cannot be listened at: Address already in use; now: " in ran.err


def test_a_packet_of_another_framework_founds_nothing(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **{founders.digest: "cd" * 32})
    run("relay", "run", folder / "relay.toml", "--found", founders.packet).fails(1, "wrong-charter")


def test_a_tls_key_the_charter_does_not_pin_is_refused(run: Run, founders: Founders, tmp_path: Path) -> None:
    run("relay", "init", tmp_path / "other", "--host", HOST, "--operator", "HUB", *founders.unlock())
    folder = folder_of(founders, tmp_path)
    for name in ("tls.key", "tls.crt"):
        (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    run("relay", "run", folder / "relay.toml", "--found", founders.packet).fails(2, "tls-pin")
    (folder / "tls.crt").write_bytes((founders.root / "relay/tls.crt").read_bytes())
    run("relay", "run", folder / "relay.toml", "--found", founders.packet).fails(2, "tls")


def test_an_old_copy_of_the_store_does_not_start_and_says_what_to_do(
    run: Run, founders: Founders, tmp_path: Path
) -> None:
    run("relay", "init", tmp_path / "other", "--host", HOST, "--operator", "HUB", *founders.unlock())
    folder = folder_of(founders, tmp_path, **DURABLE)
    own = {name: (folder / name).read_bytes() for name in ("tls.key", "tls.crt")}
    for name in own:
        (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    run("relay", "run", folder / "relay.toml", "--found", founders.packet).fails(2, "tls-pin")  # the charter is logged
    for name, data in own.items():
        (folder / name).write_bytes(data)
    heads = FileHeads.open(folder / "store.heads")
    found = heads.read(f"{HOST}/regional/directory")
    assert found is not None
    heads.write(f"{HOST}/regional/directory", Signed(found.size + 1, bytes(32)))
    heads.close()
    for more in ([], ["--restored"]):
        ran = run("relay", "run", folder / "relay.toml", *more)
        ran.fails(74, "rolled-back")
        assert "put the newest store in its place" in ran.err
    shutil.rmtree(folder / "store.heads")
    ran = run("relay", "run", folder / "relay.toml")
    ran.fails(74, "no-outside-head")
    assert "--restored" in ran.err


def test_log_keys_the_charter_does_not_name_are_refused(run: Run, founders: Founders, tmp_path: Path) -> None:
    run("relay", "init", tmp_path / "other", "--host", HOST, "--operator", "HUB", *founders.unlock())
    folder = folder_of(founders, tmp_path)
    (folder / "log.keystore").write_bytes((tmp_path / "other/log.keystore").read_bytes())
    (folder / "log.keystore").chmod(0o600)
    run("relay", "run", folder / "relay.toml", "--found", founders.packet).fails(2, "log-keys")


def test_status_of_a_relay_that_does_not_run(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **{'health = "127.0.0.1:0"': 'health = "127.0.0.1:1"'})
    run("relay", "status", folder / "relay.toml").fails(69, "unavailable")


def test_a_log_that_stops_ends_the_process_with_74(
    run: Run, founders: Founders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopping(relay: Relay) -> None:
        relay.stop(relay.directory_log, Broken("the entries do not make the head"))

    monkeypatch.setattr(Relay, "tick", stopping)
    ran = run("relay", "run", folder_of(founders, tmp_path) / "relay.toml", "--found", founders.packet)
    ran.fails(74, "broken")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["level"] for event in events if event["event"] == "stopped"] == ["error"]


# --- a process


async def ask(port: int, path: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(get)


async def test_nodes_talk_over_a_relay_process_that_drains_at_sigterm(founders: Founders, tmp_path: Path) -> None:
    """Four nodes, system clocks, real TLS; then the end an operator brings about."""
    folder = folder_of(founders, tmp_path)
    async with serving(folder, founders) as (process, port, health), AsyncExitStack() as stack:
        assert any("THE STORE IS IN MEMORY" in event["event"] for event in process.events)
        assert (await ask(health, "/livez"))[0] == 200
        assert (await ask(health, "/readyz"))[0] == 503, "nobody has witnessed anything yet"
        nodes = {}
        for code in ("EST", "FIN", "LVA", "SWE"):
            home = home_of(founders, tmp_path, code, port)
            nodes[code] = await stack.enter_async_context(Node.open(home, unlock=Unlock.file(founders.secret)))
        channel = nodes["EST"].channel("counter-terrorism")
        async with asyncio.timeout(60):
            receipt = await (await to_everybody(channel, "over the wire")).receipt()
            async with nodes["FIN"].channel("counter-terrorism").subscribe(ThreatAssessment) as inbox:
                message = await anext(inbox)
                assert (message.reference, message.body.title) == (receipt.reference, "over the wire")
                await message.done()
        assert (await ask(health, "/readyz"))[0] == 200
        _, metrics = await ask(health, "/metrics")
        log = f"{HOST}/regional/counter-terrorism"
        for line in (
            f'rsc_entries_total{{code="logged",log="{log}"}}',
            f'rsc_log_size{{log="{log}"}}',
            f'rsc_witness_age_seconds{{log="{log}"}}',
            f'rsc_commit_seconds_count{{log="{log}"}}',
            "rsc_sessions 4.0",
            "rsc_certificate_days 36",
            "rsc_clock_step_seconds",
        ):
            assert line in metrics, line
        process.signal(signal.SIGTERM)
        code, err = await process.end()
        assert (code, err) == (0, "")
        names = [event["event"] for event in process.events]
        assert names.index("asked to stop") < names.index("draining") < names.index("stopped")
        with pytest.raises(Unavailable):
            await nodes["EST"].engine.port(log).logs()


async def test_a_relay_that_was_killed_goes_on_with_all_it_acknowledged(founders: Founders, tmp_path: Path) -> None:
    """SIGKILL, and the same folder again: the nodes dial by themselves, nothing is lost, nothing is there twice."""
    folder = folder_of(founders, tmp_path, **DURABLE)
    async with AsyncExitStack() as stack:
        async with serving(folder, founders) as (process, port, _):
            config = folder / "relay.toml"
            config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"'))
            nodes = {}
            for code in ("EST", "FIN", "LVA", "SWE"):
                home = home_of(founders, tmp_path, code, port)
                nodes[code] = await stack.enter_async_context(Node.open(home, unlock=Unlock.file(founders.secret)))
            channel = nodes["EST"].channel("counter-terrorism")
            async with asyncio.timeout(60):
                for number in range(3):
                    await (await to_everybody(channel, f"before {number}")).receipt()
            process.signal(signal.SIGKILL)
            assert (await process.end())[0] == -signal.SIGKILL
        late = await channel.publish(ThreatAssessment(title="while it was away", text=[]), label=LABEL)
        async with started("relay", "run", config) as process:
            await process.event("serving")
            async with (
                asyncio.timeout(60),
                nodes["FIN"].channel("counter-terrorism").subscribe(ThreatAssessment) as inbox,
            ):
                await late.receipt()
                titles = [(await anext(inbox)).body.title for _ in range(4)]
            assert titles == ["before 0", "before 1", "before 2", "while it was away"]
            async with started("relay", "check", config, "--json") as checking:
                code, _ = await checking.end(parse=False)
            assert code == 0
            process.signal(signal.SIGTERM)
            assert (await process.end())[0] == 0


async def test_the_console_of_a_relay_process_shows_its_store(founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **DURABLE)
    async with serving(folder, founders) as (_, _, health):
        status, text = await ask(health, "/console/state.json")
        found = json.loads(text)
        assert (status, found["version"], found["durable"]) == (200, 1, True)
        assert found["logs"][0]["log"] == f"{HOST}/regional/directory"
        assert {row["state"] for row in found["logs"]} == {"recovering"}
        assert found["disk"]["store"] == (folder / "store/store.sqlite3").stat().st_size > 0
        assert 3_600 < found["certificate_days"] <= 3_650
        status, text = await ask(health, "/console")
        assert (status, "waits for witnesses" in text) == (200, True)
        assert (await ask(health, "/console/console.js"))[0] == 200
        metrics = (await ask(health, "/metrics"))[1]
        assert "\nrsc_free_bytes " in metrics
        assert "\nrsc_wal_bytes " in metrics


async def test_a_console_that_is_off_is_not_there(founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **{'log_level = "info"': 'log_level = "info"\nconsole = "off"'})
    async with serving(folder, founders) as (_, _, health):
        assert [(await ask(health, path))[0] for path in ("/livez", "/console", "/console/state.json")] == [
            200,
            404,
            404,
        ]


async def test_sighup_takes_all_or_nothing(founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path)
    config = folder / "relay.toml"
    good = config.read_text()
    async with serving(folder, founders) as (process, _, _):
        config.write_text(good.replace('"info"', '"loud"').replace("connections = 2048", "connections = 5"))
        process.signal(signal.SIGHUP)
        kept = await process.event("not reloaded: everything stays as it was")
        assert "log_level" in kept["problems"][0]
        config.write_text(good.replace("connections = 2048", "connections = 5").replace(f'"{HOST}"', '"x.example"'))
        process.signal(signal.SIGHUP)
        assert (await process.event("reloaded"))["needs_restart"] == ["host"]
        (folder / "tls.crt").write_text("spoiled")
        process.signal(signal.SIGHUP)
        assert "tls" in (await process.event("not reloaded: everything stays as it was"))["problems"][0]
        process.signal(signal.SIGTERM)
        assert (await process.end())[0] == 0


async def test_status_of_a_relay_that_runs(run: Run, founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path)
    async with serving(folder, founders) as (_, _, health):
        config = folder / "relay.toml"
        config.write_text(config.read_text().replace('health = "127.0.0.1:0"', f'health = "127.0.0.1:{health}"'))
        ran = await asyncio.to_thread(run, "relay", "status", config)
        assert ran.code == 1, "nobody has witnessed anything yet"
        assert f"{HOST}/regional/directory" in ran.out
        assert "recovering" in ran.out
        found = (await asyncio.to_thread(run, "relay", "status", config, "--json")).json
        assert found == {"logs": dict.fromkeys(found["logs"], "recovering"), "ready": False}
        config.write_text(config.read_text().replace(f'"127.0.0.1:{health}"', '"off"'))
        (await asyncio.to_thread(run, "relay", "status", config)).fails(2, "no-health")


async def test_a_port_somebody_holds_is_exit_code_75(founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path)
    async with serving(folder, founders) as (_, port, _):
        config = folder / "relay.toml"
        config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"'))
        async with started("relay", "run", config, "--found", founders.packet) as second:
            code, err = await second.end()
    assert code == 75
    assert "[listen]" in err


async def test_a_node_with_another_pin_does_not_start(founders: Founders, tmp_path: Path) -> None:
    async with serving(folder_of(founders, tmp_path), founders) as (_, port, _):
        home = home_of(founders, tmp_path, "EST", port, pin="cd" * 32)
        with pytest.raises(RemoteError) as found:
            async with Node.open(home, unlock=Unlock.file(founders.secret)):
                pass
        assert found.value.code == "wrong-pin"
        home = home_of(founders, tmp_path / "second", "EST", port)
        (home / "node.toml").write_text((home / "node.toml").read_text().split("#", 1)[0] + '"\n')
        with pytest.raises(LocalError):
            async with Node.open(home, unlock=Unlock.file(founders.secret)):
                pass


async def test_tls_older_than_1_3_is_refused(founders: Founders, tmp_path: Path) -> None:
    async with serving(folder_of(founders, tmp_path), founders) as (_, port, _):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
