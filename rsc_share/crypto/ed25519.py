"""Ed25519 (RFC 8032) under one rule. The only module that calls libsodium's signatures.

Libraries disagree about odd keys and signatures (165 of the 914 CCTV vectors split them), and a relay that admits what
a node refuses splits the log. The rule, written out:

1. S < L (RFC 8032 section 5.1.7);
2. A and R are canonical encodings of curve points, and neither has small order;
3. [S]B = R + [k]A with k = SHA-512(R || A || M) mod L, without multiplying by the cofactor.

The PyNaCl wheels do this. PyNaCl can also be built against a libsodium of the system, so the probes below, one for
each way to differ, run once at import: another library is an error at the start, not a fork a year later.
"""

from __future__ import annotations

from typing import Final

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from rsc_share.errors import LocalError

PUBLIC: Final = 32
SEED: Final = 32
SIGNATURE: Final = 64


def expand(seed: bytes) -> tuple[bytes, bytes]:
    """Public key (32 bytes) and the expanded secret that `sign` takes (64 bytes), from a 32-byte seed."""
    return crypto_sign_seed_keypair(seed)


def sign(expanded: bytes, data: bytes) -> bytes:
    """64 bytes R || S; deterministic."""
    return crypto_sign(data, expanded)[:SIGNATURE]


def verifies(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the rule accepts. Lengths are the caller's to check; `signing.verify` is what other modules call."""
    try:
        crypto_sign_open(signature + data, public)
    except BadSignatureError:
        return False
    return True


_ODD_KEY: Final = "5d0e9013a982033b57ed3fcf681178880de0c668f53720ff7c612b3bd77cdb26"
_KEY: Final = "6128326f0db58cfbdf1f16eebddd58f816d682f9d90ac23642d6fe520ba563bf"
_ODD_R: Final = "a5b8cfb30f6a4497a3a1bb1d1c216323f6b67d271848ef4bdf796ffb93658517"
_R: Final = "fb7695e7cb0bb1a146b7a98375bf72c91c4afbb053f362b38c251c0d3269280c"

PROBES: Final = (
    # A and R with small-order parts that cancel out: a rule that wants the prime-order subgroup refuses this.
    (True, b"probe 5", _ODD_KEY, _ODD_R + "193ecbbb0fdff297472d78d9f26d154d3640445561f233b86f0b5685e278db0e"),
    # The same that do not: a rule that multiplies by the cofactor accepts this.
    (False, b"probe 0", _ODD_KEY, _ODD_R + "28ebc60864d2cbc23d2db066b743daeb354ecb7f738a61025783a26c057aa80b"),
    # A of small order, equation exact.
    (
        False,
        b"probe 2",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        _R + "a36cab6b87475b7cbf32287ab477969bccca983693e50f3704d0fcf81d8d4a03",
    ),
    # R of small order, equation exact.
    (False, b"probe 0", _KEY, f"01{'00' * 31}6707801e329375e1d3df4541245862de4198dee3dc183905de1b4d1fd6149407"),
    # S + L in the place of S, equation exact.
    (False, b"probe 0", _KEY, _R + "557950ae4922b9a365851d381ac727efc5ed3c5a0bd5fa4e4339b4aaf6daf41a"),
)
"""(verdict of the rule, message, public key, signature)."""


def check_rule() -> None:
    """Raise `LocalError` (`ed25519-rule`) if the libsodium in use follows another rule."""
    for verdict, message, public, signature in PROBES:
        if verifies(bytes.fromhex(public), message, bytes.fromhex(signature)) is not verdict:
            advice = "install the PyNaCl wheel from PyPI"
            raise LocalError("this libsodium verifies Ed25519 by another rule", code="ed25519-rule", advice=advice)


check_rule()
