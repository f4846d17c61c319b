"""`docs/operations.md`: its walk-through works as it is pasted, and its commands and options exist."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from rsc_share.cli.main import build

GUIDES = Path(__file__).parents[2] / "docs"
TEXT = (GUIDES / "operations.md").read_text()
TEN_MINUTES = 600


def blocks() -> list[str]:
    """What a new operator pastes, in order."""
    found = re.search(r"^## Ten minutes.*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return re.findall(r"^```sh\n(.*?)^```", found[0], re.MULTILINE | re.DOTALL)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def script() -> str:
    """All blocks but the installation, which this environment is; on ports that are free here."""
    install, *rest = blocks()
    assert "pip install" in install
    assert not any("pip " in block for block in rest)
    text = "".join(rest)
    sessions, health = free_ports(2)
    settings = r"s/0\.0\.0\.0/127.0.0.1/"
    assert settings in text
    assert "localhost:8443" in text
    return text.replace("8443", str(sessions)).replace(settings, f"{settings}; s/9443/{health}/")


@pytest.mark.slow
def test_a_relay_and_two_nodes_talk_after_what_the_guide_says(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    begun = time.monotonic()
    log = tmp_path / "log"
    with log.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail", "-c", script()],
            env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = shell.wait(TEN_MINUTES)
        finally:
            if shell.poll() is None or shell.returncode != 0:
                with suppress(ProcessLookupError):  # a shell that failed may have been the last of its group
                    os.killpg(shell.pid, signal.SIGKILL)  # its relay and nodes, too
                shell.wait()
    said = log.read_text()
    assert code == 0, said
    assert "Traceback" not in said
    assert said.count('"title": "Attempt on a ferry terminal"') == 2, "heard once before the kill and once after it"
    assert len(re.findall(r"^EST/mod-1/counter-terrorism/[0-9]+$", said, re.MULTILINE)) == 1
    assert re.search(r"^NO FINDINGS( ABOVE AN OBSERVATION)?$", said, re.MULTILINE)
    assert "checkpoints that reach the end of 2 of 2 logs" in said
    assert time.monotonic() - begun < TEN_MINUTES


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every `rsc-share ...` of the guides, in blocks and within sentences."""
    for guide in ("operations.md", "auditing.md", "embedding.md"):
        text = (GUIDES / guide).read_text().replace("\\\n", " ")
        for line in re.findall(
            r"rsc-share ((?:audit|authority|charter|demo|drill|node|policy|relay)\b[^\n`|<>&;)]*)", text
        ):
            yield guide, shlex.split(line.replace("'", " ").replace("(", " "))


@cache
def tree(room: str) -> Any:
    return typer.main.get_command(build(room))


def below(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and what is left of them. Groups are Typer's own, not click's."""
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_every_command_and_option_a_guide_names_exists() -> None:
    seen = 0
    for guide, words in commands():
        command, rest = below(tree(words[0]), words)
        if hasattr(command, "commands"):
            assert not rest or not re.fullmatch(r"[a-z-]+", rest[0]), (guide, words)
            continue
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= known, (guide, words, given - known)
        seen += 1
    assert seen > 20
