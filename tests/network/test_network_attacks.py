"""Attacks on a relay's TLS port and on a node that dials one. Each ends as docs/protocol.md says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from raw import Gone, context, dialled, key_of, refuses, session, token

from rsc_share import codec
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import Refused, RemoteError
from rsc_share.messages import Indicator
from rsc_share.node.identity import Identity
from rsc_share.node.net.port import NetPort
from rsc_share.relay.net.tls import server_context
from rsc_share.session.table import MAX_FRAME, MIN_WINDOW, Answer, Call, Failed, Greeting
from rsc_share.testing.loopback import LoopbackFramework
from rsc_share.testing.loopback import keys as tls_keys

GREEN = "TLP:GREEN REL TO @members"


def identity(fw: LoopbackFramework, node: str = "EST/mod-1") -> Identity:
    keys = fw.party(node.partition("/")[0]).nodes[0]
    return Identity(node, fw.founded.framework_id, keys.signing, keys.witness, keys.witness_pq)


def ended(fw: LoopbackFramework, code: str) -> float:
    return fw.meters.registry.get_sample_value("rsc_session_ends_total", {"code": code}) or 0.0


# --- a relay that is not the one


async def test_attack_wrong_pin(fw: LoopbackFramework) -> None:
    link = fw.link(identity(fw), "thief", pinned="cd" * 32)
    with pytest.raises(RemoteError) as found:
        await link.start()
    assert found.value.code == "wrong-pin"
    assert len(fw.server.sessions) == 3, "the stranger got no token: nobody was fenced"


async def test_attack_pin_of_node_toml_when_the_charter_names_another(fw: LoopbackFramework) -> None:
    """Once a charter is known its pins are the only ones."""
    link = fw.link(identity(fw), "thief")
    link.trust(lambda: ("cd" * 32,))
    with pytest.raises(RemoteError) as found:
        await link.start()
    assert found.value.code == "wrong-pin"


async def test_attack_relay_that_passes_a_token_on_to_another(fw: LoopbackFramework) -> None:
    """A pinned relay under another name, which would use the token elsewhere."""
    link = fw.link(identity(fw), "other")
    link.address = replace(link.address, host="other.example")
    with pytest.raises(RemoteError) as found:
        await NetPort(await begun(link)).logs()
    assert found.value.code == "wrong-host"
    await link.aclose()


async def begun(link):  # type: ignore[no-untyped-def]
    await link.start()
    return link


async def test_attack_relay_that_sends_a_node_elsewhere(fw: LoopbackFramework, tmp_path: Path) -> None:
    """A redirect would lead out of TLS, or to a machine of the node's own network."""
    visits: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response()

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://127.0.0.1:{inner}/admin")

    for name, data in zip(("key", "crt"), tls_keys(), strict=True):
        (tmp_path / name).write_bytes(data)
    async with (
        served(elsewhere, None) as inner,
        served(redirect, server_context(tmp_path / "crt", tmp_path / "key")) as outer,
    ):
        link = fw.link(identity(fw), "lured")
        link.address = replace(link.address, port=outer)
        with pytest.raises(RemoteError) as found:
            await NetPort(await begun(link)).logs()
        await link.aclose()
    assert found.value.code == "wrong-host"
    assert visits == []


@asynccontextmanager
async def served(
    handler: Callable[[web.Request], Awaitable[web.Response]], tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Any request on any path, on a port of its own."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


# --- tokens


async def test_attack_expired_token(fw: LoopbackFramework) -> None:
    await refuses(fw, "token", expires=fw.clock.now // 1000 - 121)


async def test_attack_token_that_lives_for_ever(fw: LoopbackFramework) -> None:
    await refuses(fw, "token", expires=fw.clock.now // 1000 + 86_400)


async def test_attack_replayed_nonce(fw: LoopbackFramework) -> None:
    """A token that was good once, on the connection it was made for."""
    async with dialled(fw) as first:
        heard = token(fw, first).signed(key_of(fw))
        async with dialled(fw) as second:
            await second.send(Greeting(heard, MIN_WINDOW, {}))
            await second.ends("token")


async def test_attack_token_for_another_host(fw: LoopbackFramework) -> None:
    await refuses(fw, "token", host="other.example")


async def test_attack_token_for_another_framework(fw: LoopbackFramework) -> None:
    await refuses(fw, "token", framework_id=bytes(32))


async def test_attack_reading_token_opens_no_session(fw: LoopbackFramework) -> None:
    await refuses(fw, "token", use="read", nonce=None)


async def test_attack_token_of_a_thief(fw: LoopbackFramework) -> None:
    async with dialled(fw) as raw:
        thief = PrivateKey.generate(Suite.ED25519, seed=b"thief")
        await raw.send(Greeting(token(fw, raw).signed(thief), MIN_WINDOW, {}))
        await raw.ends("bad-signature")


async def test_attack_unknown_node(fw: LoopbackFramework) -> None:
    async with dialled(fw) as raw:
        await raw.send(Greeting(token(fw, raw, "EST/mod-9").signed(key_of(fw)), MIN_WINDOW, {}))
        error = await raw.ends("unknown-sender")
    assert isinstance(error, Refused)
    assert error.row == 3


async def test_revoked_node_mid_session_is_cut(fw: LoopbackFramework) -> None:
    async with session(fw, "FIN/mod-1") as raw:
        await fw.revoke("FIN/mod-1")
        assert isinstance(await raw.ends("revoked"), Refused)
    assert ended(fw, "revoked") >= 1
    await refuses(fw, "revoked", "FIN/mod-1")


async def test_a_revoked_node_says_so_to_whoever_waits(fw: LoopbackFramework) -> None:
    channel = fw.node("FIN").channel("main")
    await fw.revoke("FIN/mod-1")
    with pytest.raises(Refused) as found:
        async with asyncio.timeout(30):
            await (await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)).receipt()
    assert found.value.code == "revoked"
    assert "revoked" in {alarm.code for alarm in fw.node("FIN").alarms}


# --- frames


async def test_attack_frames_that_are_none(fw: LoopbackFramework) -> None:
    before = ended(fw, "malformed")
    for data in (b"", b"\xff", b"\x90", codec.pack(["what", 1]), codec.pack({"a": 1})):
        async with session(fw) as raw:
            await raw.send(data)
            await raw.ends("malformed")
        async with dialled(fw) as raw:
            await raw.send(data)
            await raw.ends("malformed")
    assert ended(fw, "malformed") == before + 10


async def test_attack_text_message(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        await raw.socket.send_str("hello")
        await raw.ends("malformed")


async def test_attack_oversized_frame(fw: LoopbackFramework) -> None:
    """The WebSocket layer refuses it by its length, before anything is kept, with a close code of its own."""
    async with session(fw) as raw:
        await raw.send(bytes(MAX_FRAME + 1))
        with pytest.raises(Gone) as found:
            await raw.frame()
        assert found.value.code in (1009, 1006), "1006 where the reset overtakes the close frame"
    async with session(fw) as raw:
        await raw.send(bytes(MAX_FRAME))
        await raw.ends("malformed")


async def test_attack_strangers_oversized_token(fw: LoopbackFramework) -> None:
    async with dialled(fw) as raw:
        await raw.send(codec.pack(["token", "e" * 40_000, MIN_WINDOW, {}]))
        await raw.ends("malformed")


async def test_attack_compressed_bomb_is_not_negotiated(fw: LoopbackFramework) -> None:
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{fw.server.port}/v1/session"
        async with http.ws_connect(url, ssl=context(), compress=15) as socket:
            assert not socket.compress


async def test_attack_frame_before_the_token_is_answered(fw: LoopbackFramework) -> None:
    async with dialled(fw) as raw:
        await raw.call(1, "logs")
        await raw.ends("unexpected")


async def test_attack_frame_after_close(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        await raw.send(b"\xff")
        await raw.call(1, "logs")
        await raw.ends("malformed")
    assert ended(fw, "malformed") == 1, "one end, one error frame"


async def test_attack_unknown_call(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        await raw.send(codec.pack(["call", 1, "aclose", "FLASH", 1, b"\x90"]))
        await raw.ends("malformed")


async def test_bad_arguments_are_the_callers_and_the_session_goes_on(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        await raw.call(1, "read", "no origin", 0, 1)
        failed = await raw.answer()
        assert isinstance(failed, Failed)
        assert failed.fault.code == "malformed"
        await raw.call(2, "logs")
        assert isinstance(await raw.answer(), Answer)


async def test_attack_credit_overrun(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        for id in range(1, raw.hello.calls + 2):
            await raw.send(Call(id, "submit", "FLASH", 1 << 19, b"x"))
        await raw.ends("credit")


async def test_attack_credit_for_what_was_never_sent(fw: LoopbackFramework) -> None:
    async with session(fw) as raw:
        await raw.send(codec.pack(["credit", MIN_WINDOW]))
        await raw.ends("credit")


# --- the same node twice


async def test_a_newer_session_fences_the_older_one(fw: LoopbackFramework) -> None:
    async with session(fw, instance=b"1" * 16) as old, session(fw, instance=b"2" * 16) as new:
        await old.ends("fenced")
        await new.call(1, "logs")
        assert isinstance(await new.answer(), Answer)


async def test_attack_two_instances_of_one_node_are_both_closed(fw: LoopbackFramework) -> None:
    await fw.node("EST").engine.aclose()
    async with session(fw, instance=b"1" * 16), session(fw, instance=b"2" * 16) as second:
        await refuses(fw, "cloned", instance=b"1" * 16)
        error = await second.ends("cloned")
        assert isinstance(error, Refused)
    assert ended(fw, "cloned") == 2
    await refuses(fw, "cloned", instance=b"2" * 16)
    async with session(fw, instance=b"3" * 16):
        pass  # made anew: let in
    fw.clock.advance(seconds=601)
    async with session(fw, instance=b"2" * 16):
        pass


async def test_a_restarted_node_is_no_clone(fw: LoopbackFramework) -> None:
    for instance in range(5):
        for _ in range(3):
            async with session(fw, "FIN/mod-1", instance=bytes([instance]) * 16):
                pass
    assert ended(fw, "cloned") == 0
