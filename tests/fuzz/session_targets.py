"""Targets and seeds for what a stranger's bytes reach first: session frames, the token, and the bodies of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from targets import Target, round_trip, same

from rsc_share import codec
from rsc_share.crypto.signing import PrivateKey
from rsc_share.errors import LocalError, Refused, RemoteError, Unavailable
from rsc_share.node.net import address
from rsc_share.relay.net import settings
from rsc_share.session import calls, fault, kinds, table, token


@dataclass(frozen=True)
class Seeded:
    """A target, and inputs of which it takes at least one."""

    target: Target
    seeds: Callable[[], list[bytes]]


HASH = bytes(32)
LOG = "relay.example/r/main"
KINDS = ("hello", "token", "call", "answer", "more", "fault", "cancel", "credit", "goaway", "error")
_FAULTS = (
    Refused("revoked", "x", row=3, node="EST/mod-1"),
    Unavailable("x", retry_after=1.0),
    RemoteError("x", digest=HASH),
)


def _frames() -> list[bytes]:
    found: list[table.Frame] = [
        table.Hello(HASH, "relay.example", 1, 32, 1 << 20),
        table.Greeting("eyJ", 1 << 20, {LOG: 4}),
        table.Call(1, "logs", "FLASH", 1, b"\x90"),
        table.Answer(0, 3, b"\x80"),
        table.More(1, b"more"),
        table.Cancel(1),
        table.Credit(1),
        table.Goaway("soon"),
    ]
    for error in _FAULTS:
        found += [table.Failed(1, fault.Fault.of(error)), table.Error(fault.Fault.of(error))]
    wrong: list[Any] = [
        ["hello", 2, HASH, "relay.example", 1, {"bytes": 1 << 20, "calls": 1}],
        ["token", "eyJ", 1 << 20, [1]],
        ["error", ["remote", "c", "w", "a", {"no name": 1}]],
        ["error", ["remote", "c", "w", "a", {"what": 1}]],
        ["error", ["remote", "c", "w", "a", []]],
        ["what"],
        7,
    ]
    return [*map(table.encode, found), *map(codec.pack, wrong)]


def _token(data: bytes) -> None:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise RemoteError("not a token") from None
    found = token.UnverifiedToken.parse(text)
    same(found.text + b"." + token._encode(found.signature).encode(), data)


def _tokens() -> list[bytes]:
    key = PrivateKey.generate(1, seed=b"fuzz")
    made = token.Token("EST/mod-1", "relay.example", HASH, bytes(16), 1_795_435_230, HASH)
    texts = [made.signed(key), token.Token("EST/mod-1", "relay.example", HASH, bytes(16), 9, None, "read").signed(key)]
    head, body, tail = texts[0].split(".")
    claims = [b"{}", b"{", b'{"aud":1}', made.host.encode()]
    wrong = [f"{head}.{token._encode(item)}.{tail}" for item in claims]
    for old, new in (('"exp":1', '"exp": 1'), ("00000000", "AAAAAAAA"), ('"use":"s', '"use":"S')):
        wrong.append(f"{head}.{token._encode(token._decode(body).replace(old.encode(), new.encode(), 1))}.{tail}")
    wrong += [f"{body}.{body}.{tail}", f"{head}.{body}=.{tail}", f"{head}.{body[:-1]}!.{tail}", f"{head}.{body}.{body}"]
    return [text.encode() for text in texts + wrong]


def _asked(data: bytes) -> None:
    """The first byte says which call it is."""
    name = calls.NAMES[data[0] % len(calls.NAMES)] if data else "logs"
    calls.read_arguments(name, data[1:])


def _answered(data: bytes) -> None:
    name = calls.NAMES[data[0] % len(calls.NAMES)] if data else "logs"
    found = calls.read_answer(name, data[1:])
    same(calls.CALLS[name].answer(found), data[1:])


def _of(name: str, value: Any) -> bytes:
    return bytes([calls.NAMES.index(name)]) + codec.pack(value)


def _questions() -> list[bytes]:
    pair = [HASH, b"body"]
    submission = [b"header", b"block", [], [], []]
    return [
        _of("logs", []),
        _of("submit", [LOG, [submission]]),
        _of("submit_object", [b"object", [pair]]),
        _of("submit_object", [b"object", [pair, pair]]),
        _of("read", [LOG, 0, 1]),
        _of("witnessed", [LOG]),
        _of("bodies", [LOG, [HASH]]),
        _of("offers", [{LOG: 1}]),
        _of("cosign", [LOG, 1, [b"line"]]),
        _of("changed", [{LOG: 1}, {LOG: 1}]),
    ]


def _replies() -> list[bytes]:
    return [
        _of("logs", {LOG: 1}),
        _of("submit", [["weather", "not-tried", None]]),
        _of("submit_object", 1),
        _of("read", None),
        _of("read", [LOG, 0, [[HASH]], b"note"]),
        _of("witnessed", b"note"),
        _of("bodies", [[HASH, b"body"]]),
        _of("bodies", [[HASH, b"body"], [HASH, b"body"]]),
        _of("offers", [[LOG, 0, b"note", 1, [HASH]]]),
        _of("changed", None),
        _of("changed", [[[LOG, 0, [[HASH]], b"note"]], [[LOG, b"note"]], [[LOG, 0, b"note", 1, [HASH]]], [LOG]]),
        _of("cosign", None),
        _of("cosign", 1),
    ]


def _address(data: bytes) -> None:
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise LocalError("not a text") from None
    host, _, where = text.partition(" ")
    found = address.Address.parse(host, where)
    if not found.url.isascii() or not 0 < found.port < 65_536:
        raise AssertionError("an address that cannot be dialled")


_PIN = "ab" * 32
_ADDRESSES = [
    f"relay.example:8443 wss://relay.example:8443#{_PIN}".encode(),
    f"relay.example wss://[::1]:1#{_PIN},{_PIN}".encode(),
    b"relay.example wss://relay.example",
    b"relay.example wss://relay.example:99999",
    b"RELAY wss://relay.example",
]

SETTINGS = f"""host = "relay.example:8443"
listen = "0.0.0.0:8443"
health = "127.0.0.1:9443"
store = "memory:"
charter = "{"ab" * 32}"
keystore = "log.keystore"
passphrase_file = "secret"
tls_certificate = "tls.crt"
tls_key = "tls.key"
log_level = "info"

[limits]
connections = 100
stall_seconds = 1.5
""".encode()
_WRONG = (
    b"host = 1\n",
    SETTINGS.replace(b'"info"', b'"loud"'),
    SETTINGS.replace(b"8443", b"99999"),
    SETTINGS.replace(b"100", b"0"),
    SETTINGS.replace(b"1.5", b"-1"),
    SETTINGS.replace(b"1.5", b'"x"'),
    SETTINGS.replace(b"[limits]", b"[limit]"),
    SETTINGS.replace(b"ab", b"AB"),
    SETTINGS.replace(b'store = "memory:"', b'store = ""'),
    SETTINGS.replace(b"passphrase_file", b"passphrase_env"),
    SETTINGS.replace(b'passphrase_file = "secret"', b'passphrase_file = "a"\npassphrase_env = "b"'),
    SETTINGS.replace(b'listen = "0.0.0.0:8443"', b'listen = "here"'),
    SETTINGS.replace(b'store = "memory:"', b'store = "memory:"\nheads = "heads"'),
    SETTINGS.replace(b'store = "memory:"', b'store = "logs"\nheads = "heads"\nballast = 0'),
    SETTINGS.replace(b'store = "memory:"', b'store = "logs"\nheads = "logs/heads"\nballast = -1'),
    SETTINGS.replace(b'store = "memory:"', b"store = 1"),
    SETTINGS.replace(b'passphrase_file = "secret"', b'passphrase_env = "not a name"'),
    SETTINGS.replace(b"connections = 100", b"no_such_limit = 1"),
    b"#" * (settings.MAX_FILE + 1),
    SETTINGS.replace(b"[limits]", b"limits = 1\n[x]"),
    b"\xff",
    b"= =",
)


def _settings(data: bytes) -> None:
    settings.read_settings(data, "relay.toml")


# fmt: off
TARGETS = (
    Seeded(Target("session frame", round_trip(lambda d: table.read_frame(d, KINDS, calls.NAMES), table.encode),
                  RemoteError, (table.read_frame, kinds._hello, kinds._greeting, kinds.read_call, kinds._answer,
                                kinds._begins, kinds._more, kinds._failed, kinds._id, kinds.sizes,
                                fault.Fault.from_wire, fault._fits)), _frames),
    Seeded(Target("session token", _token, RemoteError,
                  (token.UnverifiedToken.parse, token._read, token._hex, token._decode), "text"), _tokens),
    Seeded(Target("call", _asked, RemoteError,
                  (calls.read_arguments, calls._log, calls._number, calls._limit, calls._heads, calls._entries,
                   calls._object, calls._digests, calls._lines, calls._bodies)), _questions),
    Seeded(Target("answer", _answered, RemoteError,
                  (calls.read_answer, calls._note, calls._nothing, calls._tail, calls._offers, calls._outcomes)),
           _replies),
    Seeded(Target("welcome", lambda d: same(calls.welcome(calls.read_welcome(d)), d), RemoteError,
                  (calls.read_welcome, calls._own)),
           lambda: [calls.welcome({LOG: (1, HASH, 2)}), codec.pack([1]), codec.pack({LOG: [1, HASH, -1]})]),
    Seeded(Target("relay address", _address, LocalError, (address.Address.parse,), "text"), lambda: _ADDRESSES),
    Seeded(Target("relay settings", _settings, LocalError,
                  (settings.read_settings, settings._Reader, settings._endpoint, settings._health, settings._level,
                   settings._seconds), "text"), lambda: [SETTINGS, *_WRONG]),
)
# fmt: on
