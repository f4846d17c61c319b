"""Keys from seeds, and a memory for what cannot be computed twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rsc_share.crypto.sealing import seal_key
from rsc_share.crypto.signing import PrivateKey, PublicKey, Suite, verify
from rsc_share.errors import RemoteError, RscError

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
BEGIN = 20_454 * DAY
"""2026-01-01T00:00:00Z."""
T0 = BEGIN + 10 * DAY


def seeded(what: str, size: int) -> bytes:
    """Bytes that look random and are always the same: SHAKE-256 of a name."""
    return hashlib.shake_256(f"rsc-share vectors {what}".encode()).digest(size)


@dataclass
class Material:
    """Every key of the vectors. `kept` maps a digest of the question to the randomised answer (hex)."""

    kept: dict[str, str]
    used: dict[str, str] = field(default_factory=dict)
    keys: dict[str, FixedSigner] = field(default_factory=dict)

    def key(self, name: str, suite: Suite = Suite.ED25519) -> FixedSigner:
        found = self.keys.get(f"{name} {suite.name}")
        if found is None:
            private = PrivateKey.generate(suite, seed=name.encode())
            found = self.keys[f"{name} {suite.name}"] = FixedSigner(private, self)
        return found

    def remember(self, question: bytes, make: Callable[[], bytes], holds: Callable[[bytes], None]) -> bytes:
        """The kept answer if it still holds, else a new one."""
        name = hashlib.sha256(question).hexdigest()
        answer = bytes.fromhex(self.used.get(name) or self.kept.get(name, ""))
        try:
            holds(answer)
        except RemoteError:
            answer = make()
        self.used[name] = answer.hex()
        return answer

    def seal(self, public: bytes, gk: bytes, info: bytes) -> bytes:
        def holds(answer: bytes) -> None:
            if len(answer) != 1168:
                raise RemoteError("not kept yet")

        return self.remember(b"seal" + public + gk + info, lambda: seal_key(public, gk, info), holds)


class FixedSigner:
    """Signs the same bytes the same way every time; ML-DSA alone would not."""

    def __init__(self, private: PrivateKey, material: Material) -> None:
        self.private, self._material = private, material

    @property
    def public(self) -> PublicKey:
        return self.private.public

    def sign(self, data: bytes) -> bytes:
        if self.public.suite == Suite.ED25519:
            return self.private.sign(data)
        return self._material.remember(
            self.public.key_id + data,
            lambda: self.private.sign(data),
            lambda answer: verify(self.public, data, answer),
        )


def plain(value: Any) -> Any:
    """A value as the vectors write it: bytes as {"$bin": hex}, floats and large integers marked, the rest as JSON."""
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else {"$int": str(value)}
    if isinstance(value, float):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value]


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str | None:
    """The code of the error that `call` raises, None if it returns."""
    try:
        call(*arguments, **named)
    except RscError as error:
        return error.code
    return None
