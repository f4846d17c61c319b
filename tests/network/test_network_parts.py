"""The small parts of a server and a dialler, each against what it promises."""

from __future__ import annotations

from asyncio import sslproto
from io import StringIO
from pathlib import Path

import pytest

from rsc_share.cli.json_log import JsonLog
from rsc_share.crypto.tls import pin_of, pinned, read_certificate, self_signed
from rsc_share.errors import LocalError, RemoteError, Unavailable
from rsc_share.node.connect import connect
from rsc_share.node.identity import Identity
from rsc_share.node.net.address import Address
from rsc_share.node.net.backoff import Backoff
from rsc_share.relay.net import calls
from rsc_share.relay.net.calls import METHODS
from rsc_share.relay.net.gate import Gate, Place, network
from rsc_share.relay.net.health import ClockGuard
from rsc_share.relay.net.instances import WINDOW, Instances
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.tls import BUFFER, server_context, small_buffers
from rsc_share.session.calls import NAMES
from rsc_share.session.relay_side import Called
from rsc_share.session.table import MAX_ID, MAX_MESSAGE, PIECE, Answer, encode
from rsc_share.testing.clock import START, Clock, Dice

PIN = "ab" * 32


def test_asyncios_tls_buffers_can_be_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a Python without this setting comes, this test says so, and the relay says what a session then costs."""
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", 256 * 1024)
    assert small_buffers()
    protocol = sslproto.SSLProtocol.__new__(sslproto.SSLProtocol)
    assert protocol.max_size == BUFFER == 16 * 1024
    assert small_buffers(), "twice is fine"
    monkeypatch.delattr(sslproto.SSLProtocol, "max_size")
    assert not small_buffers()


def test_a_frame_is_one_tls_record() -> None:
    """A larger one makes OpenSSL's buffers of this session as large, until the session ends."""
    frame = encode(Answer(MAX_ID, MAX_MESSAGE, bytes(PIECE)))
    assert len(frame) + 8 <= BUFFER, "with the head of its WebSocket message"


def test_a_certificate_says_its_key_and_its_end() -> None:
    key, certificate = self_signed("relay.example:8443", START)
    pin, end = read_certificate(certificate)
    assert len(pin) == 64
    assert end == START + 3650 * 86_400_000
    assert b"BEGIN PRIVATE KEY" in key
    assert read_certificate(self_signed("relay.example", START)[1])[0] != pin


def test_a_certificate_made_anew_for_the_same_key_has_the_same_pin() -> None:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    secret, certificate = self_signed("relay.example", START)
    key = load_pem_private_key(secret, None)
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())  # type: ignore[arg-type]
    days = builder.not_valid_before(datetime(2027, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2028, 1, 1, tzinfo=UTC))
    again = days.serial_number(7).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    assert pin_of(again.public_bytes(Encoding.DER)) == read_certificate(certificate)[0]


@pytest.mark.parametrize("certificate", [None, b"", b"\x30\x00", bytes(4_000)])
def test_no_certificate_is_pinned_by_being_unreadable(certificate: bytes | None) -> None:
    with pytest.raises(RemoteError) as found:
        pinned(certificate, [PIN])
    assert found.value.code == "wrong-pin"


def test_tls_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        key, certificate = self_signed("relay.example", START)
        (tmp_path / f"{name}.key").write_bytes(key)
        (tmp_path / f"{name}.crt").write_bytes(certificate)
    server_context(tmp_path / "a.crt", tmp_path / "a.key")
    for pair in (("a.crt", "b.key"), ("a.key", "a.crt"), ("none", "a.key")):
        with pytest.raises(LocalError) as found:
            server_context(tmp_path / pair[0], tmp_path / pair[1])
        assert found.value.code == "tls"


# --- counting


def test_a_place_is_given_back_once() -> None:
    gate = Gate(Limits(connections=2, waiting=2, waiting_per_address=1))
    first = gate.enter("a")
    assert isinstance(first, Place)
    assert gate.enter("a") == "waiting-per-address"
    first.admit()
    second = gate.enter("a")
    assert isinstance(second, Place)
    assert gate.enter("b") == "connections"
    for place in (first, second, first, second):
        place.release()
    assert (gate.connections, gate.waiting.total(), len(gate.waiting)) == (0, 0, 0)


def test_the_number_of_strangers_is_bounded_whatever_their_addresses() -> None:
    gate = Gate(Limits(connections=10, waiting=3))
    assert [type(gate.enter(str(n))).__name__ for n in range(4)] == ["Place", "Place", "Place", "str"]


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_one_customer_of_a_network_is_one_address(peer: str, counted: str) -> None:
    assert network(peer) == counted


async def test_nothing_is_logged_while_the_clock_has_stepped() -> None:
    """Reads go on; what would carry a wrong time waits until the clock is right again."""
    out = StringIO()
    office = Office(Meters(), JsonLog(out), lambda: False)
    for name in ("submit", "submit_object"):
        with pytest.raises(Unavailable) as found:
            await calls.run(None, Called(1, name, "ROUTINE", b""), office)  # type: ignore[arg-type]
        assert (found.value.code, found.value.retry_after) == ("not-ready", 5.0)


def test_an_instance_that_comes_back_is_a_clone_and_a_new_one_is_not() -> None:
    a, b, c = (bytes([n]) * 16 for n in range(3))
    seen = Instances()
    assert seen.opened("EST/mod-1", a, 0)
    assert seen.opened("EST/mod-1", a, 1), "the same one dials again"
    assert seen.opened("EST/mod-1", b, 2), "made anew"
    assert not seen.opened("EST/mod-1", a, 3)
    assert not seen.opened("EST/mod-1", b, 4)
    assert seen.opened("LVA/mod-1", a, 4), "another node"
    assert seen.opened("EST/mod-1", c, 5)
    assert seen.opened("EST/mod-1", a, 4 + WINDOW)


def test_instances_are_remembered_within_bounds() -> None:
    seen = Instances()
    for n in range(10_000):
        assert seen.opened(f"EST/n-{n}", n.to_bytes(16, "big"), n)
        assert seen.opened("EST/mod-1", n.to_bytes(16, "big"), n)
    assert len(seen._seen) <= 4_096
    assert all(len(each) <= 16 for each in seen._seen.values())


# --- dialling


@pytest.mark.parametrize(
    ("text", "server", "port", "pins"),
    [
        (f"wss://relay.example:9000#{PIN}", "relay.example", 9000, (PIN,)),
        (f"wss://relay.example#{PIN},{PIN}", "relay.example", 8443, (PIN, PIN)),
        ("wss://[2001:db8::1]:8443", "[2001:db8::1]", 8443, ()),
    ],
)
def test_addresses(text: str, server: str, port: int, pins: tuple[str, ...]) -> None:
    found = Address.parse("relay.example", text)
    assert (found.server, found.port, found.pins) == (server, port, pins)
    assert found.url == f"https://{server}:{port}/v1/session"


@pytest.mark.parametrize(
    "text",
    [
        "ws://relay.example",
        "wss://relay.example/session",
        "wss://relay.example:0",
        "wss://relay.example:99999",
        "wss://relay.example#12",
        f"wss://relay.example#{PIN.upper()}",
        f"wss://user@relay.example#{PIN}",
        "wss://",
    ],
)
async def test_a_wrong_address_says_the_right_form(text: str) -> None:
    with pytest.raises(LocalError) as found:
        Address.parse("relay.example", text)
    assert "wss://HOST:PORT#PIN" in found.value.advice


async def test_an_address_without_a_pin_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsc_share.testing.people import NodeKeys

    keys = NodeKeys.of("EST/mod-1", 1)
    identity = Identity("EST/mod-1", bytes(32), keys.signing, keys.witness, keys.witness_pq)
    with pytest.raises(LocalError) as found:
        await connect("relay.example", "wss://127.0.0.1:1", identity)
    assert found.value.code == "no-pin"
    with pytest.raises(LocalError) as found:
        await connect("relay.example", "gopher:x", identity)
    assert "wss" in found.value.advice


def test_backoff_doubles_to_a_bound_and_is_spread_over_all_of_it() -> None:
    most = Backoff(lambda n: b"\xff" * n, first=1.0, most=10.0)
    assert [round(most.next()) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    most.reset()
    assert round(most.next()) == 1
    draws = []
    for seed in range(400):
        backoff = Backoff(Dice(seed))
        draws.append([backoff.next() for _ in range(8)][-1])
    assert min(draws) < 0.5
    assert max(draws) > 9.5
    assert 4 < sum(draws) / len(draws) < 6


def test_backoff_of_years_still_has_a_bound() -> None:
    backoff = Backoff(lambda n: b"\xff" * n)
    assert max(backoff.next() for _ in range(10_000)) <= 10.0


# --- time


def test_a_step_of_the_wall_clock_is_seen_and_heals() -> None:
    wall, steady = Clock(), [0.0]
    guard = ClockGuard(wall, lambda: steady[0])
    steady[0] = 100.0
    wall.advance(seconds=101.5)
    assert (guard.off, round(guard.step, 1)) == (False, 1.5)
    wall.advance(seconds=1)
    assert (guard.off, round(guard.step, 1)) == (True, 2.5)
    steady[0] = 102.0
    assert not guard.off


def test_every_call_of_the_protocol_is_served_and_no_other() -> None:
    assert tuple(METHODS) == NAMES
