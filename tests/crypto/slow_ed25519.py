"""Ed25519 verification from RFC 8032 section 5.1 and the three rules of `rsc_share.crypto.ed25519`: slow on purpose."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def recover(y: int, sign: int) -> Point | None:
    """The point with this y and this lowest bit of x (section 5.1.3), also where x = 0 makes the bit meaningless."""
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * ROOT % P
    if x * x % P != x2:
        return None
    return (P - x if x % 2 != sign and x else x), y % P


def decode(data: bytes) -> Point | None:
    """Any encoding, canonical or not."""
    value = int.from_bytes(data, "little")
    return recover(value % 2**255, value >> 255)


def encode(point: Point) -> bytes:
    x, y = point
    return (y | (x % 2) << 255).to_bytes(32, "little")


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P,
    )


def times(k: int, point: Point) -> Point:
    result = NEUTRAL
    while k:
        if k % 2:
            result = add(result, point)
        point, k = add(point, point), k // 2
    return result


_base = recover(4 * pow(5, -1, P) % P, 0)
assert _base is not None
BASE: Point = _base


def order_8() -> Point:
    """A generator of the torsion subgroup: L times a point outside the prime-order subgroup."""
    for y in range(2, 100):
        point = recover(y, 0)
        if point is not None and times(4, torsion := times(L, point)) != NEUTRAL:
            return torsion
    raise ArithmeticError


TORSION = [times(i, order_8()) for i in range(8)]


def challenge(r: bytes, a: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little") % L


def canonical(data: bytes) -> Point | None:
    """The point whose only spelling this is, of more than small order; else None."""
    point = decode(data)
    if point is None or encode(point) != data or times(8, point) == NEUTRAL:
        return None
    return point


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    point_a, point_r = canonical(public), canonical(r)
    if s >= L or point_a is None or point_r is None:
        return False
    return times(s, BASE) == add(point_r, times(challenge(r, public, message), point_a))


def sign_with_torsion(a: int, r: int, torsion_a: int, torsion_r: int, message: bytes) -> tuple[bytes, bytes]:
    """Public key aB + T[torsion_a] and a signature with R = rB + T[torsion_r]: valid up to the cofactor."""
    public = encode(add(times(a, BASE), TORSION[torsion_a]))
    point_r = encode(add(times(r, BASE), TORSION[torsion_r]))
    s = (r + challenge(point_r, public, message) * a) % L
    return public, point_r + s.to_bytes(32, "little")
