"""Whom the console answers, and with which headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from console_world import GOOD, world

from rsc_share.relay.net.console.routes import HEADERS, LOCAL_NAMES, Console, is_local, is_named


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9443", "127.0.0.1:1", "[::1]:9443", "[::1]", "admin.example", "Admin.Example:80"]
)
def test_names_of_this_machine_and_the_configured_address_are_answered(host: str) -> None:
    assert is_named([host], ("localhost", "127.0.0.1", "[::1]", "admin.example"))


@pytest.mark.parametrize(
    "hosts",
    [[], [""], ["evil.example"], ["evil.example:9443"], ["localhost.evil.example"], ["localhost."],
     ["127.0.0.1.evil.example"], ["localhost", "localhost"], ["localhost:9443@evil.example"], ["localhost:999999"],
     ["localhost\r\nX: y"], ["0.0.0.0:9443"], ["x" * 300], ["[::1", "]"], ["127.1"], ["::1"]],
)  # fmt: skip
def test_attack_dns_rebinding_is_answered_nothing(hosts: list[str]) -> None:
    assert not is_named(hosts, ("localhost", "127.0.0.1", "[::1]", "admin.example"))


@pytest.mark.parametrize(
    ("peer", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False),
     ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False), ("", False), (None, False), ("localhost", False)],
)  # fmt: skip
def test_who_is_on_this_machine(peer: str | None, local: bool) -> None:
    assert is_local(peer) is local


async def test_routes_answer_get_with_strict_headers_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here, ClientSession() as http:
        await here.second(2)
        for path, kind in {
            "": "text/html",
            "/state.json": "application/json",
            "/console.css": "text/css",
            "/console.js": "text/javascript",
        }.items():
            async with http.get(here.url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                policy = answer.headers["Content-Security-Policy"]
                for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"):
                    assert part in policy.split("; ")
                assert "unsafe" not in policy
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["Cache-Control"] == "no-store"
                assert "Set-Cookie" not in answer.headers
                assert "Access-Control-Allow-Origin" not in answer.headers
            for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
                async with http.request(method, here.url + path) as answer:
                    assert answer.status == 405, (method, path)
            async with http.get(here.url + path, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 421
                assert "relay.example" not in await answer.text()
                assert HEADERS.items() <= dict(answer.headers).items()
        for path in ("/", "/../health", "/nothing", "/__init__.py"):
            async with http.get(here.url + path) as answer:
                assert answer.status == 404, path


async def test_other_machines_are_refused_unless_the_settings_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.BaseRequest, "remote", property(lambda _: "192.0.2.7"))
    for everybody, status in ((False, 403), (True, 200)):
        async with world(None, everybody=everybody) as here, ClientSession() as http:
            for path in ("", "/state.json", "/console.js"):
                async with http.get(here.url + path) as answer:
                    assert answer.status == status
                    assert status == 200 or "EST" not in await answer.text()


def test_an_ipv6_address_is_named_in_brackets() -> None:
    console = Console(lambda: GOOD, "2001:db8::1", everybody=True)
    assert is_named(["[2001:db8::1]:9443"], console._names)


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104
def test_any_address_is_nobodys_name(address: str) -> None:
    assert Console(lambda: GOOD, address, everybody=True)._names == LOCAL_NAMES
