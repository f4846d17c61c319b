"""The session token: one spelling, one relay, one framework, one connection, one minute."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import LocalError, RemoteError
from rsc_share.session.token import Token, UnverifiedToken

KEY = PrivateKey.generate(Suite.ED25519, seed=b"node")
NOW = 1_795_435_200_000
GOOD = Token("EST/mod-1", "relay.example:8443", b"f" * 32, b"i" * 16, NOW // 1000 + 30, b"n" * 32)


def verify(text: str, key: PrivateKey = KEY, **more: Any) -> Token:
    wanted = {"host": GOOD.host, "framework_id": GOOD.framework_id, "use": "session", "nonce": GOOD.nonce}
    return UnverifiedToken.parse(text).verify(key.public, **{**wanted, "now": NOW, "skew": 5_000, **more})


def refused(text: str, code: str, **more: Any) -> None:
    with pytest.raises(RemoteError) as found:
        verify(text, **more)
    assert found.value.code == code


def respelled(claims: bytes, head: bytes = b'{"alg":"EdDSA","typ":"JWT"}') -> str:
    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    text = f"{encode(head)}.{encode(claims)}"
    return f"{text}.{encode(KEY.sign(text.encode()))}"


def claims_of(text: str) -> dict[str, Any]:
    body = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_what_was_signed_is_read_again() -> None:
    assert verify(GOOD.signed(KEY)) == GOOD
    reading = replace(GOOD, nonce=None, use="read")
    assert verify(reading.signed(KEY), use="read", nonce=None) == reading


def test_any_jwt_library_reads_its_claims() -> None:
    assert claims_of(GOOD.signed(KEY)) == {
        "aud": "relay.example:8443",
        "exp": NOW // 1000 + 30,
        "framework": (b"f" * 32).hex(),
        "instance": (b"i" * 16).hex(),
        "iss": "EST/mod-1",
        "nonce": (b"n" * 32).hex(),
        "use": "session",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"host": "other.example"},
        {"framework_id": b"g" * 32},
        {"nonce": b"m" * 32},
        {"nonce": None},
        {"use": "read"},
        {"now": NOW + 36_000},
        {"now": NOW - 36_000},
    ],
    ids=["another relay", "another framework", "another connection", "no nonce", "another use", "over", "too long"],
)
def test_a_token_is_good_for_one_relay_one_connection_one_minute(other: dict[str, Any]) -> None:
    refused(GOOD.signed(KEY), "token", **other)


def test_a_token_of_another_key_is_refused() -> None:
    refused(GOOD.signed(PrivateKey.generate(Suite.ED25519, seed=b"thief")), "bad-signature")


def test_a_signed_text_changed_afterwards_is_refused() -> None:
    head, _, tail = GOOD.signed(KEY).split(".")
    _, claims, _ = replace(GOOD, node="LVA/mod-1").signed(KEY).split(".")
    refused(f"{head}.{claims}.{tail}", "bad-signature")


def test_only_one_spelling_is_a_token() -> None:
    claims = claims_of(GOOD.signed(KEY))
    wrong = [
        respelled(json.dumps(claims, separators=(",", ":")).encode() + b" "),
        respelled(json.dumps(dict(reversed(claims.items())), separators=(",", ":")).encode()),
        respelled(json.dumps({**claims, "admin": True}, sort_keys=True, separators=(",", ":")).encode()),
        respelled(b"[" * 400 + b"]" * 400),
        respelled(json.dumps(claims, separators=(",", ":")).encode(), b'{"alg":"none","typ":"JWT"}'),
        GOOD.signed(KEY) + "=",
        GOOD.signed(KEY).replace("ey", "\u0435y", 1),
        "a.b",
        "x" * 2_000,
    ]
    for text in wrong:
        refused(text, "malformed")


def test_a_hybrid_key_proves_no_session() -> None:
    hybrid = PrivateKey.generate(Suite.HYBRID, seed=b"h")
    with pytest.raises(LocalError):
        GOOD.signed(hybrid)
    refused(GOOD.signed(KEY), "token", key=hybrid)
