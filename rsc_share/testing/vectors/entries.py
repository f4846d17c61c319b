"""Entries byte by byte: what parses, what does not, refusals, and frames of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rsc_share import codec
from rsc_share.envelope.entry import DirectoryEntry, Stamp, UnverifiedEntry, join_entry
from rsc_share.envelope.header import KEYS
from rsc_share.envelope.parts import Opening
from rsc_share.session.frames import Bare, Full, Logged, Offer, Statement, Submission, Tail, Weather
from rsc_share.session.refusal import Refusal
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.channel import Channel
from rsc_share.testing.vectors.framework import LOG
from rsc_share.testing.vectors.material import Material, plain, refusal, seeded
from rsc_share.testing.vectors.story import tell


def entries(material: Material) -> Vectors:
    channel = Channel(material)
    tell(channel)
    good = channel.entries[1]
    header = codec.unpack(good.signed.header_bytes, max_size=65_535)
    block = codec.unpack(good.signed.block_bytes, max_size=65_535)
    bad = [(why, _entry(good, {**header, **change}, block)) for why, change in _HEADERS.items()]
    bad += [(why, _entry(good, header, change(block))) for why, change in _BLOCKS.items()]
    bad.append(("a key missing", _entry(good, {key: header[key] for key in KEYS if key != "seen"}, block)))
    grant = codec.unpack(channel.entries[0].signed.header_bytes, max_size=65_535)
    bad.append(("a grant with a label", _entry(good, {**grant, "label": header["label"]}, block)))
    bad.append(("a grant with a reference", _entry(good, {**grant, "refs": _TARGET}, block)))
    content = grant["content"]
    bad.append(
        (
            "grant rows not sorted",
            _entry(good, {**grant, "content": {**content, "nodes": content["nodes"][::-1]}}, block),
        )
    )
    whole = codec.unpack(good.raw, max_size=65_535)
    bad += [
        ("version 2", codec.pack([2, *whole[1:]])),
        ("five items", codec.pack([*whole, b""])),
        ("header is text", codec.pack([1, "x", *whole[2:]])),
        ("a negative time", codec.pack([*whole[:3], codec.pack([-1, 1])])),
        ("bytes at the end", good.raw + b"\0"),
        ("header in another spelling", codec.pack([1, _longer(whole[1]), *whole[2:]])),
    ]
    directory = channel.framework.entries[1]
    stamp = Stamp(directory.logged_at, 1)
    raw = DirectoryEntry.stamped(directory.data, stamp).raw
    return {
        "what": "Entries of a channel log and of the directory: parsed where they parse, refused where they do not.",
        "good": [_parsed(entry) for entry in channel.entries],
        "bad": [{"why": why, "entry": data.hex(), "code": refusal(UnverifiedEntry.parse, data)} for why, data in bad],
        "directory": {"entry": raw.hex(), "object": directory.data.hex(), "stamp": [directory.logged_at, 1]},
        "bad_directory": [
            {
                "why": "with a signature block",
                "entry": join_entry(directory.data, b"x", stamp.pack()).hex(),
            },
            {"why": "an empty object", "entry": join_entry(b"", b"", stamp.pack()).hex()},
        ],
        "refusal": _refusal(material, channel),
        "frames": _frames(channel),
    }


_TARGET = {"derived_from": [], "releases": [], "reply_to": None, "supersedes": None, "target": [LOG, 0, bytes(32)]}
_HEADERS: dict[str, dict[str, Any]] = {
    "an unknown key": {"colour": 1},
    "an unknown kind": {"kind": "note"},
    "number zero": {"seq": 0},
    "id is no UUIDv7": {"id": bytes(16)},
    "sender is no node": {"sender": "EST"},
    "prev too short": {"prev": bytes(31)},
    "an unknown precedence": {"precedence": "URGENT"},
    "a message without a label": {"label": None},
    "a message without parts": {"parts": []},
    "a message without a grant": {"grant": None},
    "a message with content": {"content": {}},
    "audience not sorted": {"to": [["LVA/mod-1", bytes(32)], ["FIN/mod-1", bytes(32)]]},
    "somebody twice": {"to": [["FIN/mod-1", bytes(32)], ["FIN/mod-1", bytes(32)]]},
    "the sender itself in its audience": {"to": [["EST/mod-1", bytes(32)]]},
    "empty references": {"refs": {**_TARGET, "target": None}},
    "a document of one portion": {"document": [seeded("uuid", 16), 1]},
    "purpose with a line break": {"purpose": "a\nb"},
    "an empty purpose": {"purpose": ""},
    "a root of 31 bytes": {"seen": [0, bytes(31), bytes(64)]},
    "a time as text": {"expires_at": "2026-01-01"},
    "an expiry that is true": {"expires_at": True},
    "17 parts": {"parts": [{"commit": bytes(32), "digest": bytes(32), "media": "a/b", "size": 1}] * 17},
    "a hybrid approval": {"approvals": [[bytes(32), bytes(64 + 3309)]]},
}
_BLOCKS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "suite 2": lambda b: [2, *b[1:]],
    "index outside the batch": lambda b: [*b[:3], 1, *b[4:]],
    "batch of 257": lambda b: [*b[:4], 257, b[5]],
    "batch of 0": lambda b: [*b[:4], 0, b[5]],
    "nine hashes": lambda b: [*b[:5], [bytes(32)] * 9],
    "key id too short": lambda b: [b[0], b[1][:4], *b[2:]],
}


def _entry(good: UnverifiedEntry, header: Any, block: Any) -> bytes:
    return join_entry(codec.pack(header), codec.pack(block), good.stamp.pack())


def _longer(header: bytes) -> bytes:
    """The same map behind a longer map header."""
    return b"\xdf\x00\x00\x00\x14" + header[3:]


def _parsed(entry: UnverifiedEntry) -> dict[str, Any]:
    block = entry.signed.block
    return {
        "entry": entry.raw.hex(),
        "leaf": entry.leaf.hex(),
        "header_hash": entry.signed.header_hash.hex(),
        "header": plain(codec.unpack(entry.signed.header_bytes, max_size=65_535)),
        "signature": plain([block.suite, block.key_id, block.signature, block.index, block.size, list(block.path)]),
        "stamp": [entry.stamp.logged_at, entry.stamp.directory],
    }


def _refusal(material: Material, channel: Channel) -> dict[str, Any]:
    framework = channel.framework
    made = Refusal(
        LOG, channel.entries[1].signed.header_hash, "clock", 8, "expired before it was logged", 11, channel.now
    )
    signed = made.signed(framework.log_keys()[0], framework.id)
    key = framework.log_keys()[0].public
    other = material.key("somebody else").public
    return {
        "framework_id": framework.id.hex(),
        "log_key": key.raw.hex(),
        "statement": signed.statement().hex(),
        "signature": signed.signature.hex(),
        "wire": codec.pack(signed.wire()).hex(),
        "ok": refusal(signed.verify, key, framework.id) is None,
        "under_another_key": refusal(signed.verify, other, framework.id) is None,
        "for_another_framework": refusal(signed.verify, key, bytes(32)) is None,
    }


def _frames(channel: Channel) -> list[dict[str, Any]]:
    entry, draft = channel.entries[1], channel.beside[1]
    opening, statement = Opening(seeded("o", 16), 3), Statement(seeded("s", 16), seeded("h", 32), "opened")
    note, proof = b"note", (seeded("p", 32),)
    body = next(iter(draft.bodies.values()))
    made: dict[str, Any] = {
        "submission": Submission(
            entry.signed.header_bytes, entry.signed.block_bytes, (opening,), (statement,), (body,)
        ).wire(),
        "outcome logged": Logged(7, Stamp(channel.now, 11), note, proof).wire(),
        "outcome weather": Weather("not-ready", 1000).wire(),
        "item bare": Bare(entry.leaf).wire(),
        "item full": Full(entry.raw, opening, (("EST/mod-1", statement),), (body,)).wire(),
        "tail": Tail(LOG, 0, (Bare(entry.leaf),), note).wire(),
        "offer": Offer(LOG, 5, note, channel.now, proof).wire(),
    }
    return [{"frame": name, "value": plain(value), "packed": codec.pack(value).hex()} for name, value in made.items()]
