"""Hands at a terminal: commands run in this process, four founders' files made once for the whole session."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsc_share.cli.main import main

STATES = ("EST", "FIN", "LVA", "SWE")
HOST = "relay.example:8443"
SECRET = "correct horse battery"
LINE = re.compile(r"rsc-share: [^\n]+; now: [^\n]+ \[[a-z0-9-]+\]\n")

PLAN = """framework = "regional"
valid = [2026-01-01, 2099-12-31]

{members}[member.HUB]
role = "observer"

[channel.counter-terrorism]
realm = "operational"
relay = "relay.example:8443"
members = ["@members"]
ceiling = {{ REGIONAL = "SECRET" }}
families = ["threat", "terrorism"]
"""
_MEMBER = """[member.{code}]
role = "member"
entitlement.REGIONAL = {{ levels = ["RESTRICTED", "SECRET"] }}

"""


def plan_text(*codes: str) -> str:
    return PLAN.format(members="".join(_MEMBER.format(code=code) for code in codes or STATES))


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def fails(self, code: int, word: str) -> None:
        """One line in the fixed form, with the error's code, and nothing else that looks like an error."""
        found = LINE.search(self.err)
        assert self.code == code, self
        assert self.err.count("; now: ") == 1, self.err
        assert found is not None, self.err
        assert f"[{word}]" in found[0], self.err
        assert "Traceback" not in self.err + self.out


Run = Callable[..., Ran]


def runner(capsys: Any) -> Run:
    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(item) for item in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


@dataclass(frozen=True)
class Founders:
    """Folders of four states, an operator and a relay, and a signed packet of version 1."""

    root: Path
    secret: Path
    packet: Path
    digest: str

    def authority(self, code: str) -> Path:
        return self.root / code / "authority.keystore"

    @property
    def keys(self) -> Path:
        return self.root / "all-keys"

    def unlock(self) -> tuple[str, str]:
        return "--unlock-file", str(self.secret)


def do(*arguments: object) -> None:
    """A command that must succeed."""
    assert main([str(item) for item in arguments]) == 0, arguments


def found(root: Path, plan: str | None = None) -> Founders:
    """A framework founded by commands only, from the usual plan or another one."""
    secret = root / "secret"
    secret.write_text(f"{SECRET}\n")
    keys = root / "all-keys"
    keys.mkdir()
    (root / "empty").mkdir()
    unlock = ("--unlock-file", secret)
    for code in (*STATES, "HUB"):
        do("authority", "init", root / code, "--member", code, "--title", f"State of {code}", *unlock)
        do(
            "node",
            "init",
            root / f"{code}-node",
            "--node",
            f"{code}/mod-1",
            "--accreditation",
            "REGIONAL=SECRET",
            *unlock,
        )
    do("relay", "init", root / "relay", "--host", HOST, "--operator", "HUB", "--tls-pin", "ab" * 32, *unlock)
    for path in root.glob("*/*.keys"):
        if path.parent != keys:
            (keys / path.name).write_bytes(path.read_bytes())
    (root / "plan.toml").write_text(plan or plan_text())
    do("charter", "new", root / "charter.toml", "--from", root / "plan.toml", "--keys", keys)
    packet = root / "packet"
    do("charter", "propose", root / "charter.toml", "--out", packet, "--keys", keys)
    from rsc_share.charter.text import parse_charter

    digest = parse_charter((packet / "charter.toml").read_bytes()).digest.hex()
    founders = Founders(root, secret, packet, digest)
    for code in (*STATES, "HUB"):
        do("charter", "sign", packet, "--authority", founders.authority(code), "--digest-end", digest[-8:], *unlock)
    return founders
