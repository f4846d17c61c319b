"""Attachments: blobs under keys of their own, and what a sealed message says of them."""

from __future__ import annotations

from typing import Any

from rsc_share.crypto import blobs
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.node.attachments import Told, unwrap, wrap
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.material import Material, refusal, seeded
from rsc_share.testing.vectors.sealed import FRAMEWORK, ID
from rsc_share.testing.vectors.trees import ORIGIN

KEY, SALT = seeded("attachment key", 32), seeded("attachment salt", 32)


def blobs_(_: Material) -> Vectors:
    lengths = (63_447, 63_448, 63_449, blobs.CHUNK - blobs.HEAD, blobs.CHUNK - blobs.HEAD + 1, 2 * blobs.CHUNK + 5)
    said = wrap(0, b"\x80", [Told("map.png", "image/png", 70_000, KEY)])
    return {
        "what": "Blobs under `key`: a payload is `length` bytes whose i-th is (i * i + i // 256) mod 256. `leaves` are "
        "leaf hashes of the sealed chunks. `content` is the plain text of part 0 of a message with an attachment.",
        "key": KEY.hex(),
        "salt": SALT.hex(),
        "place": {
            "framework_id": FRAMEWORK.hex(),
            "log": ORIGIN,
            "realm": "operational",
            "sender": "EST/mod-1",
            "id": ID.hex(),
            "part": 1,
        },
        "blobs": [_blob(length) for length in lengths],
        "content": said.hex(),
        "contents": [
            {"why": why, "content": data.hex(), "ok": refusal(unwrap, data) is None} for why, data in _said(said)
        ],
    }


def payload(length: int) -> bytes:
    """Of period 65,536."""
    period = bytes((i * i + i // 256) % 256 for i in range(65_536))
    return (period * (length // len(period) + 1))[:length]


def _blob(length: int) -> dict[str, Any]:
    place = blobs.Place(FRAMEWORK, ORIGIN, "operational", "EST/mod-1", ID, 1)
    data = payload(length)
    commitment = blobs.Commitment(place, SALT)
    commitment.update(data)
    sealer = blobs.BlobSealer(KEY, place, salt=SALT, commit=commitment.digest(), length=length)
    tree, leaves = CompactRange(), []
    for index in range(sealer.layout.chunks):
        start, stop = sealer.span(index)
        leaves.append(leaf_hash(sealer.seal(index, data[start:stop])))
        tree.append(leaves[-1])
    return {
        "length": length,
        "commit": commitment.digest().hex(),
        "size": sealer.layout.size,
        "leaves": [leaf.hex() for leaf in leaves],
        "digest": tree.root().hex(),
    }


def _said(right: bytes) -> list[tuple[str, bytes]]:
    def named(name: str, media: str = "image/png", length: int = 5, portion: int = 0) -> bytes:
        return wrap(portion, b"\x80", [Told(name, media, length, KEY)])

    return [
        ("right", right),
        ("no attachments", wrap(0, b"\x80")),
        ("a name in other letters", named("карта.png")),
        ("an empty list", b"\x93\x00\xc4\x01\x80\x90"),
        ("attachments of another portion", named("a", portion=1)),
        ("a path", named("a/b")),
        ("another system's path", named("a\\b")),
        ("the folder above", named("..")),
        ("a control character", named("a\u0085b")),
        ("text that runs backwards", named("a\u202egpj.exe")),
        ("no media type", named("a", "png")),
        ("a short key", wrap(0, b"\x80", [Told("a", "image/png", 5, KEY[:31])])),
    ]
