"""The questions of `charter new` on a terminal. The answers become a founding plan that people can edit and keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rsc_share import names
from rsc_share.charter.model import REALMS, ROLES
from rsc_share.cli.ask import line, yes
from rsc_share.cli.keyfile import KeyFile, spelled
from rsc_share.cli.output import note
from rsc_share.errors import LocalError, RemoteError

_TRIES = 3


def interview(files: Sequence[KeyFile], today: int) -> bytes:
    """A plan for the owners of these key files. `today`: ms UTC, for the days that are offered."""
    members = sorted(file.name for file in files if file.kind == "authority")
    relays = sorted(file.name for file in files if file.kind == "relay")
    if not members or not relays:
        missing = "an authority" if not members else "a relay"
        raise LocalError(f"there is no key file of {missing}", code="keys", advice="name them with --keys")
    note(f"Key files of {', '.join(members)}; relays {', '.join(relays)}.")
    first = datetime.fromtimestamp(today // 1000, UTC).date()
    lines = [
        f"framework = {spelled(_checked('Name of the framework (a-z, 0-9, -)', names.framework))}",
        f"valid = [{_day('First day (UTC)', first)}, {_day('Last day, included', first + timedelta(days=1095))}]",
        f"on_expiry = {spelled(_one_of('After the last day', ('freeze', 'continue-restricted')))}",
        f"directory = {spelled(_one_of('Relay that keeps the directory', relays))}",
    ]
    scheme = line("Label scheme of the entitlements", "REGIONAL")
    levels = _list("Levels every member may read", "RESTRICTED, CONFIDENTIAL, SECRET")
    for code in members:
        role = _one_of(f"Role of {code}", ROLES)
        groups = _list(f"Groups of {code}, such as @nordic", "")
        entitled = f"entitlement = {{ {spelled(scheme)} = {{ levels = {spelled(levels)} }} }}"
        lines += ["", f"[member.{code}]", f"role = {spelled(role)}", f"groups = {spelled(groups)}"]
        lines += [entitled] if role != "auditor" else []
    return ("\n".join([*lines, *_channels(relays, scheme)]) + "\n").encode()


def _channels(relays: Sequence[str], scheme: str) -> list[str]:
    lines: list[str] = []
    while not lines or yes("One more channel?"):
        name = _checked("Name of a channel", names.channel)
        lines += ["", f"[channel.{name}]", f"realm = {spelled(_one_of('Realm', REALMS))}"]
        lines += [f"relay = {spelled(_one_of('Its relay', relays))}"]
        lines += [f"members = {spelled(_list('Members and groups in it', '@members'))}"]
        lines += [f"ceiling = {{ {spelled(scheme)} = {spelled(line('Highest level said there', 'SECRET'))} }}"]
        lines += [f"families = {spelled(_list('Families of messages it carries', 'threat, cyber, disaster'))}"]
    return lines


def _checked(question: str, check: Callable[[Any, str], str]) -> str:
    return _again(question, None, lambda answer: check(answer, "answer"))


def _one_of(question: str, allowed: Sequence[str]) -> str:
    def check(answer: str) -> str:
        if answer not in allowed:
            raise RemoteError(f"answer: is not one of {', '.join(allowed)}")
        return answer

    return _again(question, allowed[0], check)


def _list(question: str, usual: str) -> list[str]:
    return [item.strip() for item in line(f"{question}, with commas", usual).split(",") if item.strip()]


def _day(question: str, usual: date) -> str:
    def check(answer: str) -> str:
        try:
            return date.fromisoformat(answer).isoformat()
        except ValueError:
            raise RemoteError("answer: is not a day such as 2026-01-01") from None

    return _again(question, usual.isoformat(), check)


def _again(question: str, usual: str | None, check: Callable[[str], str]) -> str:
    for _ in range(_TRIES):
        answer = line(question, usual)
        try:
            return check(answer)
        except RemoteError as error:
            note(error.what)
    raise LocalError(f"no answer that fits: {question}", code="answer")
