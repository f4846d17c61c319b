"""The token a node proves itself with: a compact JWT (RFC 7519), EdDSA, one spelling, no options.

    {"alg":"EdDSA","typ":"JWT"} . {"aud":"relay.example:8443","exp":1795435230,"framework":"<64 hex>",
     "instance":"<32 hex>","iss":"EST/mod-1","nonce":"<64 hex>" or null,"use":"session"} . signature

It starts with `eyJ`, as no text of ours that is signed does. `nonce` is the relay's, of this very connection: nothing
has to be remembered against replay. A token for reading (`use` = `read`) or for handing in
blobs (`write`) has none and goes into an HTTP header.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from typing import Any, Literal

from rsc_share import names, shape
from rsc_share.crypto.signing import SIGNATURE_SIZE, PublicKey, Signer, Suite, verify
from rsc_share.errors import LocalError, RemoteError

Use = Literal["session", "read", "write"]
USES: tuple[Use, ...] = ("session", "read", "write")
NONCE = 32
INSTANCE = 16
LIFE_SECONDS = 60
"""The longest a token may be valid."""
MAX_TOKEN = 1_024
_HEADER = '{"alg":"EdDSA","typ":"JWT"}'
_CLAIMS = ("aud", "exp", "framework", "instance", "iss", "nonce", "use")


@dataclass(frozen=True, slots=True)
class Token:
    """Who (`node`, `instance`) speaks to which relay (`host`) of which framework, until `expires` (s UTC)."""

    node: str
    host: str
    framework_id: bytes
    instance: bytes
    expires: int
    nonce: bytes | None = None
    use: Use = "session"

    def signed(self, signer: Signer) -> str:
        """The compact form. Raises `LocalError` for a key that is not Ed25519."""
        if signer.public.suite != Suite.ED25519:
            raise LocalError("a session is proved with an Ed25519 key")
        text = f"{_encode(_HEADER.encode())}.{_encode(_claims(self))}"
        return f"{text}.{_encode(signer.sign(text.encode()))}"


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token taken apart; `claims` are whoever's who wrote them until `verify` returned."""

    claims: Token
    text: bytes
    signature: bytes

    @classmethod
    def parse(cls, token: Any) -> UnverifiedToken:
        """Raises `RemoteError` (`malformed`) for anything but the one spelling."""
        if type(token) is not str or len(token) > MAX_TOKEN or token.count(".") != 2 or not token.isascii():
            raise shape.wrong("token", f"needs three parts of at most {MAX_TOKEN} characters together")
        head, body, tail = token.split(".")
        if _decode(head) != _HEADER.encode():
            raise shape.wrong("token", f"needs the header {_HEADER}")
        raw = _decode(body)
        claims = _read(raw)
        if _claims(claims) != raw:
            raise shape.wrong("token", "is not the one spelling of its claims")
        signature = shape.blob(_decode(tail), "token", size=SIGNATURE_SIZE[Suite.ED25519])
        return cls(claims, f"{head}.{body}".encode(), signature)

    def verify(
        self, key: PublicKey, *, host: str, framework_id: bytes, use: Use, nonce: bytes | None, now: int, skew: int
    ) -> Token:
        """The claims, if they were made by `key` for this relay, this use and this connection.

        `now` and `skew` are ms. Raises `RemoteError` with code `token`, or `bad-signature`.
        """
        claims = self.claims
        if claims.host != host:
            raise _wrong(f"a token for {claims.host} at {host}")
        if not hmac.compare_digest(claims.framework_id, framework_id):
            raise _wrong("a token for another framework")
        if claims.use != use:
            raise _wrong(f"a token to {claims.use}, where one to {use} is needed")
        if (claims.nonce is None) != (nonce is None) or not hmac.compare_digest(claims.nonce or b"", nonce or b""):
            raise _wrong("the token does not answer this connection's nonce")
        if not now - skew < claims.expires * 1000 <= now + skew + LIFE_SECONDS * 1000:
            raise _wrong(f"the token is over, or valid for more than {LIFE_SECONDS} s")
        if key.suite != Suite.ED25519:
            raise _wrong("the certified key is not Ed25519")
        verify(key, self.text, self.signature)
        return claims


def _wrong(what: str) -> RemoteError:
    return RemoteError(what, code="token", advice="check both clocks, and the relay's name in node.toml")


def _claims(token: Token) -> bytes:
    values = {
        "aud": token.host,
        "exp": token.expires,
        "framework": token.framework_id.hex(),
        "instance": token.instance.hex(),
        "iss": token.node,
        "nonce": None if token.nonce is None else token.nonce.hex(),
        "use": token.use,
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def _read(raw: bytes) -> Token:
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        raise shape.wrong("token", "is not JSON") from None
    m = shape.closed(values, "token", _CLAIMS)
    return Token(
        node=names.node(m["iss"], "iss"),
        host=names.host(m["aud"], "aud"),
        framework_id=_hex(m["framework"], "framework", 32),
        instance=_hex(m["instance"], "instance", INSTANCE),
        expires=shape.integer(m["exp"], "exp", high=1 << 40),
        nonce=shape.maybe(_hex, m["nonce"], "nonce", size=NONCE),
        use=shape.choice(m["use"], "use", USES),
    )


def _hex(value: Any, where: str, size: int) -> bytes:
    text = shape.text(value, where, low=2 * size, high=2 * size)
    if set(text) - set("0123456789abcdef"):
        raise shape.wrong(where, "needs lower-case hexadecimal digits")
    return bytes.fromhex(text)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """base64url without padding, in its one spelling: unused bits are zero."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise shape.wrong("token", "is not base64url") from None
    if _encode(data) != text:
        raise shape.wrong("token", "is not the one spelling of its bytes")
    return data
