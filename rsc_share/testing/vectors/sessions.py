"""A session frame by frame, the token it begins with, and what ends one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from rsc_share import codec
from rsc_share.envelope.parts import Head
from rsc_share.errors import Refused
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.session.calls import NAMES, read_arguments, welcome
from rsc_share.session.fault import Fault
from rsc_share.session.table import (
    Answer,
    Call,
    Cancel,
    Credit,
    Error,
    Failed,
    Frame,
    Goaway,
    Greeting,
    Hello,
    More,
    encode,
    read_frame,
)
from rsc_share.session.token import Token
from rsc_share.testing.vectors.material import T0, Material, plain, refusal, seeded

Vectors = dict[str, Any]
HOST, NODE = "relay.example:8443", "EST/mod-1"
LOG = f"{HOST}/regional/ct"
WINDOW = 1 << 20
_NONE = b'{"alg":"none","typ":"JWT"}'
KINDS = ("hello", "token", "call", "answer", "more", "fault", "cancel", "credit", "goaway", "error")


def sessions(material: Material) -> Vectors:
    signer, framework = material.key(NODE), seeded("framework", 32)
    hello = Hello(seeded("nonce", 32), HOST, T0, 32, 20 << 20)
    token = Token(NODE, HOST, framework, seeded("instance", 16), T0 // 1000 + 30, hello.nonce)
    text = token.signed(signer)
    return {
        "what": "One session; frames, tokens and heads shown to take and to refuse. Values as in encoding.json.",
        "host": HOST,
        "framework_id": framework.hex(),
        "key": signer.public.raw.hex(),
        "now": T0,
        "skew": 120_000,
        "token": {"text": text, "claims": _claims(text)},
        "wrong_tokens": _wrong_tokens(token, signer),
        "conversation": [
            {"from": by, "frame": encode(frame).hex(), "value": plain(frame.wire())}
            for by, frame in _conversation(hello, Greeting(text, WINDOW, {LOG: 12}))
        ],
        "shown": _shown(material),
        "wrong_frames": [{"why": why, "frame": data.hex(), "code": _code(data)} for why, data in _wrong_frames()],
    }


def _shown(material: Material) -> dict[str, Any]:
    """The body of an `offers` call of a node that has cosigned 12 entries and holds a receipt in the tree of 14."""
    key = material.key("log")
    checkpoint = Checkpoint(LOG, 14, seeded("root", 32))
    head = Head(checkpoint.size, checkpoint.root, sign_checkpoint(checkpoint, key).blob)
    value = [{LOG: 12}, {LOG: head.wire()}]
    wrong = [
        ("a size alone", [{LOG: 12}, {LOG: 14}]),
        ("without a signature", [{LOG: 12}, {LOG: [14, checkpoint.root]}]),
        ("a root of 31 bytes", [{LOG: 12}, {LOG: [14, checkpoint.root[:31], head.signature]}]),
        ("of no log", [{LOG: 12}, {"ct": head.wire()}]),
        ("nothing said of what was shown", [{LOG: 12}]),
    ]
    for why, bad in wrong:
        if refusal(read_arguments, "offers", codec.pack(bad)) is None:
            raise AssertionError(f"{why} is taken")
    if read_arguments("offers", codec.pack(value)) != ({LOG: 12}, {LOG: head}):
        raise AssertionError("what was shown is not read as it was written")
    return {
        "log_key": key.public.raw.hex(),
        "checkpoint": checkpoint.text().decode(),
        "body": codec.pack(value).hex(),
        "value": plain(value),
        "wrong_bodies": [{"why": why, "body": codec.pack(bad).hex(), "code": "malformed"} for why, bad in wrong],
    }


def _claims(text: str) -> dict[str, Any]:
    body = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def _conversation(hello: Hello, greeting: Greeting) -> list[tuple[str, Frame]]:
    heads = welcome({LOG: (41, seeded("head", 32), 96)})
    sizes = codec.pack({LOG: 97})
    read = codec.pack([LOG, 97, 256])
    changed = codec.pack([{LOG: 97}, {LOG: 12}])
    refused = Fault.of(Refused("unknown-log", "no log of that name", row=2, log=f"{HOST}/regional/x"))
    over = Fault.of(Refused("revoked", f"{NODE} is revoked", row=3, node=NODE))
    return [
        ("relay", hello),
        ("node", greeting),
        ("relay", Answer(0, len(heads), heads)),
        ("node", Call(1, "logs", "IMMEDIATE", 1, codec.pack([]))),
        ("relay", Answer(1, len(sizes), sizes[:20])),
        ("relay", More(1, sizes[20:])),
        ("node", Call(2, "read", "PRIORITY", len(read), read)),
        ("relay", Answer(2, 1, codec.pack(None))),
        ("node", Call(3, "witnessed", "IMMEDIATE", 2 + len(LOG), codec.pack([LOG])[:10])),
        ("node", More(3, codec.pack([LOG])[10:])),
        ("relay", Failed(3, refused)),
        ("node", Call(4, "changed", "IMMEDIATE", len(changed), changed)),
        ("node", Cancel(4)),
        ("relay", Failed(4, Fault("unavailable", "cancelled", "cancelled", "", {"retry_after_ms": None}))),
        ("node", Credit(300_000)),
        ("relay", Goaway("the relay is going down")),
        ("relay", Error(over)),
    ]


def _wrong_frames() -> list[tuple[str, bytes]]:
    values: list[tuple[str, Any]] = [
        ("no list", {"call": 1}),
        ("of no known kind", ["hullo", 1]),
        ("too short", ["cancel"]),
        ("too long", ["cancel", 1, 2]),
        ("version of another program", ["hello", 2, bytes(32), HOST, T0, {"bytes": 1 << 20, "calls": 1}]),
        ("version as a float", ["hello", 1.0, bytes(32), HOST, T0, {"bytes": 1 << 20, "calls": 1}]),
        ("nonce of 31 bytes", ["hello", 1, bytes(31), HOST, T0, {"bytes": 1 << 20, "calls": 1}]),
        ("an unknown limit", ["hello", 1, bytes(32), HOST, T0, {"bytes": 1 << 20, "calls": 1, "more": 1}]),
        ("window below 262,144", ["token", "eyJ", 262_143, {}]),
        ("head of no log", ["token", "eyJ", WINDOW, {"ct": 1}]),
        ("call 0 is the token's", ["call", 0, "logs", "FLASH", 1, codec.pack([])]),
        ("an unknown call", ["call", 1, "shutdown", "FLASH", 1, codec.pack([])]),
        ("an unknown rank", ["call", 1, "logs", "SOON", 1, codec.pack([])]),
        ("a piece longer than the whole", ["call", 1, "logs", "FLASH", 1, bytes(2)]),
        ("an empty piece", ["more", 1, b""]),
        ("a whole above 16 MiB", ["answer", 1, (16 << 20) + 1, b"x"]),
        ("no credit at all", ["credit", 0]),
        ("a class of error that there is not", ["error", ["local", "x", "x", "", {}]]),
        ("a field named like an argument", ["error", ["remote", "x", "x", "", {"evidence": "/etc"}]]),
    ]
    return [*((why, codec.pack(value)) for why, value in values), ("not the one spelling", b"\x92\xd9\x06cancel\x01")]


def _code(data: bytes) -> str:
    found = refusal(read_frame, data, KINDS, NAMES)
    if found is None:
        raise AssertionError(f"{data.hex()} is a frame")
    return found


def _wrong_tokens(token: Token, signer: Any) -> list[dict[str, str]]:
    """Each is refused with `code` where the good one is taken."""
    text = token.signed(signer)
    head, body, tail = text.split(".")
    other = replace(token, node="LVA/mod-1").signed(signer).split(".")[1]
    cases = [
        ("another relay", "token", replace(token, host="other.example").signed(signer)),
        ("another framework", "token", replace(token, framework_id=bytes(32)).signed(signer)),
        ("another connection's nonce", "token", replace(token, nonce=bytes(32)).signed(signer)),
        ("no nonce", "token", replace(token, nonce=None).signed(signer)),
        ("for reading", "token", replace(token, use="read").signed(signer)),
        ("over", "token", replace(token, expires=T0 // 1000 - 120).signed(signer)),
        ("valid for too long", "token", replace(token, expires=T0 // 1000 + 181).signed(signer)),
        ("claims of another", "bad-signature", f"{head}.{other}.{tail}"),
        ("padding", "malformed", f"{head}.{body}.{tail}="),
        ("another header", "malformed", f"{_encode(_NONE)}.{body}.{tail}"),
        ("spaces in the claims", "malformed", _resigned(signer, head, _spaced(body))),
        ("one claim more", "malformed", _resigned(signer, head, _more(body))),
    ]
    return [{"why": why, "code": code, "text": text} for why, code, text in cases]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _resigned(signer: Any, head: str, claims: bytes) -> str:
    text = f"{head}.{_encode(claims)}"
    return f"{text}.{_encode(signer.sign(text.encode()))}"


def _spaced(body: str) -> bytes:
    return json.dumps(_claims(f".{body}"), sort_keys=True).encode()


def _more(body: str) -> bytes:
    return json.dumps({**_claims(f".{body}"), "sub": "x"}, sort_keys=True, separators=(",", ":")).encode()
