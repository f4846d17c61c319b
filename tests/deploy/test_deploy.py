"""The files in deploy/: samples that load, units that name commands that exist, and what a service tells systemd."""

from __future__ import annotations

import asyncio
import configparser
import re
import shlex
import socket
from pathlib import Path

import pytest

from rsc_share import notify
from rsc_share.cli.main import main
from rsc_share.node.home import Settings
from rsc_share.relay.net.settings import read_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def service(path: Path) -> dict[str, str]:
    """The last value of each key, as systemd takes it where a key is no list."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return dict(parser["Service"])


def test_the_sample_of_a_relay_parses() -> None:
    settings = read_settings((DEPLOY / "relay.toml").read_bytes(), "relay.toml", DEPLOY)
    assert settings.host == "relay.example:8443"
    assert settings.health is not None
    assert settings.health.address == "127.0.0.1"


def test_the_sample_of_a_node_parses() -> None:
    settings = Settings.read(DEPLOY / "node.toml")
    assert settings.node == "EST/mod-1"
    assert list(settings.relays) == ["relay.example:8443"]


def test_there_is_a_unit_for_each_service() -> None:
    assert [path.name for path in UNITS] == ["rsc-node@.service", "rsc-relay.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_names_a_command_that_exists(unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, room, command, *arguments = shlex.split(service(unit)["ExecStart"])
    assert program == "/opt/rsc/bin/rsc-share"
    assert main([room, command, "--help"]) == 0
    told = capsys.readouterr().out
    for option in (word for word in arguments if word.startswith("--")):
        assert option in told


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_does_not_start_again_what_a_person_must_look_at(unit: Path) -> None:
    found = service(unit)
    assert (found["Type"], found["Restart"]) == ("notify", "on-failure")
    assert found["RestartPreventExitStatus"].split() == ["2", "74"]
    assert found["ProtectSystem"] == "strict"
    assert float(found["WatchdogSec"]) > 0


def test_the_container_runs_a_command_that_exists_and_not_as_root(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001"]
    (given,) = re.findall(r'^CMD \["(\w+)", "(\w+)"', text, re.MULTILINE)
    assert main([*given, "--help"]) == 0
    capsys.readouterr()


async def test_a_service_says_when_it_serves_lives_and_stops(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        environment = {notify.SOCKET: str(tmp_path / "notify"), notify.WATCHDOG: "3000"}
        loop, alive = asyncio.get_running_loop(), [True]
        async with asyncio.timeout(30):
            async with notify.serving(lambda: alive[0], environment):
                heard = [await loop.sock_recv(manager, 100) for _ in range(3)]
            while heard[-1] != b"STOPPING=1":
                heard.append(await loop.sock_recv(manager, 100))
    assert heard[0] == b"READY=1"
    assert set(heard[1:-1]) == {b"WATCHDOG=1"}


@pytest.mark.parametrize("environment", [{}, {notify.SOCKET: "relative"}, {notify.SOCKET: "/nowhere/at/all"}])
def test_without_a_manager_nothing_is_sent(environment: dict[str, str]) -> None:
    assert not notify.tell("READY=1", environment)
    assert notify.watchdog_seconds({notify.WATCHDOG: "soon"}) is None
