"""Charters, their keys and signatures, and the fold over a directory."""

from __future__ import annotations

from typing import Any

from rsc_share import codec
from rsc_share.charter.certificate import certify
from rsc_share.charter.model import Charter
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.quorum import sign_charter
from rsc_share.charter.rowtext import Agreement, Restriction, agree, restrict
from rsc_share.charter.text import parse_charter
from rsc_share.envelope.entry import DirectoryEntry, Stamp
from rsc_share.errors import Refused
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.founding_more import more
from rsc_share.testing.vectors.framework import ALL, DIRECTORY, LOG, Framework
from rsc_share.testing.vectors.material import BEGIN, DAY, HOUR, MINUTE, Material, refusal
from rsc_share.value import replace


def charters(material: Material) -> Vectors:
    framework = Framework(material)
    charter = framework.charter
    text = charter.text
    signer = framework.authority("EST")
    signature = sign_charter(text, None, signer)
    bad = {
        "CRLF": text.replace(b"\n", b"\r\n"),
        "byte order mark": b"\xef\xbb\xbf" + text,
        "no final newline": text[:-1],
        "an empty line at the end": text + b"\n",
        "not UTF-8": text + b"# \xff\n",
        "an invisible character": text + "# \u200b\n".encode(),
        "an unknown key": b"colour = 1\n" + text,
        "a key twice": b'framework = "other"\n' + text,
        "rulebook 2": text.replace(b"rules = 1", b"rules = 2"),
        "quorum of one half": text.replace(b"quorum = [2, 3]", b"quorum = [1, 2]"),
        "quorum_remove below quorum": text.replace(b"quorum_remove = [3, 4]", b"quorum_remove = [3, 5]"),
        "witnesses that could cosign two trees": text.replace(b"witness_quorum = 3", b"witness_quorum = 2"),
        "more witnesses than there are": text.replace(b"witness_quorum = 3", b"witness_quorum = 5"),
        "one key for two owners": text.replace(
            framework.duty("EST").public.fingerprint.encode(), framework.duty("FIN").public.fingerprint.encode()
        ),
        "a channel at an unknown relay": text.replace(b'relay = "relay.example"', b'relay = "other.example"', 1),
        "version 1 with a previous version": text.replace(
            b"version = 1\n", b'version = 1\nprevious = "' + b"0" * 64 + b'"\n', 1
        ),
        "a fingerprint in capitals": text.replace(
            framework.duty("EST").public.fingerprint.encode(), framework.duty("EST").public.fingerprint.upper().encode()
        ),
        "a date with a time": text.replace(b"[2026-01-01,", b"[2026-01-01T00:00:00Z,"),
        **_later_toml(text),
        "an invisible character that Unicode 15 added": text + "# \U00013439\n".encode(),
        "an invisible character by its escape": text.replace(b'"Relay operator"', b'"Relay\\u200boperator"'),
    }
    return {
        "what": "A charter text as itself, what it says, its keys, a signature over it; texts to refuse, as hex.",
        "text": text.decode(),
        "digest": charter.digest.hex(),
        "says": _says(charter),
        "keys": framework.ring(charter).pack().hex(),
        "signature": {"key_id": signer.public.key_id.hex(), "signature": signature.hex()},
        "refused": [
            {"why": why, "text": data.hex(), "code": refusal(parse_charter, data)} for why, data in bad.items()
        ],
    }


def _later_toml(text: bytes) -> dict[str, bytes]:
    """Spellings that TOML 1.1 has and TOML 1.0.0 has not, each in a text that is good but for that."""
    table, name = b'{ REGIONAL = "SECRET" }', b'framework = "regional"'
    changes = {
        "a line end after the brace": (table, b'{\n REGIONAL = "SECRET" }'),
        "a line end before the brace": (table, b'{ REGIONAL = "SECRET"\n}'),
        "a comment in an inline table": (table, b'{ # level\n REGIONAL = "SECRET" }'),
        "a last comma in an inline table": (table, b'{ REGIONAL = "SECRET", }'),
        "the escape x in a text": (name, b'framework = "\\x72egional"'),
        "the escape x in a key": (name, b'"\\x66ramework" = "regional"'),
        "the escape e": (b'"Relay operator"', b'"Relay\\eoperator"'),
        "a time without seconds": (b"[2026-01-01,", b"[2026-01-01T00:00Z,"),
    }
    return {f"TOML 1.1: {why}": text.replace(old, new, 1) for why, (old, new) in changes.items() if old in text}


def _says(charter: Charter) -> dict[str, Any]:
    return {
        "framework": charter.framework,
        "version": charter.version,
        "valid": list(charter.valid),
        "quorum": [charter.quorum.part, charter.quorum.whole],
        "witness_quorum": charter.witness_quorum,
        "members": {
            code: {"role": m.role, "authority": m.authority, "duty": m.duty, "groups": sorted(m.groups)}
            for code, m in charter.members.items()
        },
        "channels": {
            name: {
                "log": charter.origin(name),
                "realm": c.realm,
                "members": sorted(c.members),
                "ceiling": dict(c.ceiling),
            }
            for name, c in charter.channels.items()
        },
        "directory": charter.directory,
    }


def directories(material: Material) -> Vectors:
    framework = Framework(material)
    questions: list[dict[str, Any]] = []
    _grow(framework, questions)
    return {
        "what": "One directory log. `code` null: the object applies; else it is void and changes nothing but the size.",
        "framework_id": framework.id.hex(),
        "bodies": {digest.hex(): body.hex() for digest, body in sorted(framework.bodies.items())},
        "entries": [
            {
                "why": item.why,
                "code": item.code,
                "entry": DirectoryEntry.stamped(item.data, Stamp(item.logged_at, index)).raw.hex(),
                "logged_at": item.logged_at,
                "object": {"kind": _kind(item.data), "digest": _digest(item.data)},
            }
            for index, item in enumerate(framework.entries)
        ],
        "questions": questions,
    }


def _kind(data: bytes) -> str | None:
    return None if refusal(UnverifiedObject.parse, data) else UnverifiedObject.parse(data).kind


def _digest(data: bytes) -> str | None:
    return None if refusal(UnverifiedObject.parse, data) else UnverifiedObject.parse(data).digest.hex()


def _grow(f: Framework, questions: list[dict[str, Any]]) -> None:
    def ask(*, later: int = 0) -> None:
        questions.append(_ask(f, f.directory.size, f.now + later))

    ask()
    for node in ("EST/mod-1", "FIN/mod-1", "LTU/mod-1", "LVA/mod-1"):
        f.log(f.publish(node), f"prekey of {node}")
    _prekeys(f)
    _certificates(f)
    ask()
    ask(later=25 * HOUR)
    _restrictive(f)
    ask()
    _rows(f)
    _amendments(f)
    ask()
    questions.append(_ask(f, 5, f.now))
    questions.append(_ask(f, f.directory.size, BEGIN + 400 * DAY))
    more(f, ask)


def _prekeys(f: Framework) -> None:
    f.log(f.publish("EST/mod-1", 2), "a second prekey within ten minutes")
    f.log(f.publish("EST/mod-1", 2, by=f.signing("FIN/mod-1")), "a prekey signed by another node", after=11 * MINUTE)
    f.log(f.publish("EST/mod-1", 1), "the same prekey again")
    f.log(f.publish("EST/mod-1", 2, created=f.now + HOUR), "a prekey dated in the future")
    f.log(f.publish("EST/mod-1", 2), "EST rotates its prekey")


def _certificates(f: Framework) -> None:
    second = f.node("EST/mod-2")
    f.log(f.certify(second), "a second node of EST: active after NODE_DELAY")
    f.log(f.certify(second), "the same certificate again")
    f.log(f.publish("EST/mod-2"), "a waiting node may publish prekeys")
    f.log(f.certify(second, f.signing("EST/mod-1")), "the same certificate, countersigned: active at once")
    f.log(f.certify(f.node("LVA/mod-2")), "a second node of LVA: active after NODE_DELAY")
    f.log(certify(f.node("LVA/mod-3"), f.id, f.authority("EST")), "a node certified by another state")
    f.log(f.certify(f.node("LVA/mod-3"), f.signing("EST/mod-1")), "countersigned by another state's node")
    f.log(f.certify(f.node("FIN/mod-2", signing=f.signing("EST/mod-2").public)), "a key that has an owner")
    f.log(f.certify(f.node("FIN/mod-2", valid=(BEGIN, f.now))), "a certificate that has ended")
    f.log(f.certify(f.officer("EST/duty-1"), f.signing("EST/mod-1")), "an officer of EST, countersigned")


def _restrictive(f: Framework) -> None:
    f.log(f.revoke("EST/mod-2", by=f.authority("FIN")), "a revocation by another state")
    f.log(f.revoke("EST/mod-2", by=f.duty("EST"), suspect_from=((LOG, 7),)), "EST's duty key revokes EST/mod-2")
    f.log(f.publish("EST/mod-2", 2), "a prekey of a revoked node", after=11 * MINUTE)
    f.log(f.revoke("EST/mod-2", by=f.duty("EST")), "a revocation that ends nothing more")
    f.log(f.revoke("EST/mod-2"), "EST's authority confirms it")
    f.log(f.revoke("EST/mod-2"), "and confirms it again")


def _rows(f: Framework) -> None:
    rows = b"""[[agreement]]
id = "EST-FIN"
effect = "permit"
from = ["EST"]
to = ["FIN"]
actions = ["receive", "open"]
valid = [2026-01-01, 2026-12-31]
"""
    given: dict[str, Any] = {"id": "EST-FIN-1", "parties": ("EST", "FIN"), "rows": rows, "issued": f.now}
    f.log(agree(Agreement(**given), f.id, f.authority("EST")), "an agreement that one party has not signed")
    f.log(agree(Agreement(**given), f.id, f.authority("EST"), f.authority("FIN")), "an agreement of EST and FIN")
    wider = {**given, "id": "EST-FIN-2", "rows": rows.replace(b'from = ["EST"]', b'from = ["LVA"]')}
    f.log(agree(Agreement(**wider), f.id, f.authority("EST"), f.authority("FIN")), "an agreement about LVA's material")
    deny = b'[[agreement]]\nid = "hold"\neffect = "deny"\nfrom = ["LVA"]\nto = ["LTU"]\n'
    held = Restriction("hold-1", "LVA", deny, f.now)
    f.log(restrict(held, f.id, f.duty("LVA")), "LVA's duty key withholds LVA's material from LTU")
    lifted = Restriction("hold-1", "LVA", b"", f.now + 1)
    f.log(restrict(lifted, f.id, f.duty("LVA")), "a duty key cannot lift it")
    permit = Restriction("open-1", "LVA", rows.replace(b"EST", b"LVA"), f.now)
    f.log(restrict(permit, f.id, f.authority("LVA")), "a restriction that permits")
    f.log(codec.pack(["policy", b"\x80", []]), "an object of an unknown kind")
    f.log(UnverifiedObject("revocation", b"\x80", {}).pack(), "an object with an empty content")


def _amendments(f: Framework) -> None:
    members = dict(f.charter.members)
    suspended = f.next(members={**members, "LTU": replace(members["LTU"], suspended=True)})
    f.log(f.signed(suspended, f.id, "EST", "FIN"), "version 2 with 2 of 4 signatures")
    f.log(f.signed(suspended, None, "EST", "FIN", "LVA"), "version 2 signed under the zero framework id")
    f.log(f.signed(suspended, f.id, "EST", "FIN", "LVA"), "version 2 suspends LTU: 3 of 4")
    f.log(f.signed(suspended, f.id, "EST", "FIN", "LVA"), "version 2 again")
    f.charter = suspended
    skipping = f.parsed(replace(suspended, version=4, previous=suspended.digest))
    f.log(f.signed(skipping, f.id, *ALL), "version 4 after version 2")


def _ask(f: Framework, size: int, now: int) -> dict[str, Any]:
    view = f.directory.at(size)
    nodes = [f"{code}/mod-{i}" for code in ("EST", "FIN", "LTU", "LVA") for i in (1, 2)]
    prekeys = {node: view.prekey(node, now) for node in nodes}
    return {
        "size": size,
        "now": now,
        "charter_version": view.charter.version,
        "active": {"ct": list(view.active_nodes(LOG, now)), "play": list(view.active_nodes("play", now))},
        "senders": {node: _sender(view, node, now) for node in nodes},
        "prekeys": {node: found.id.hex() if found else None for node, found in prekeys.items()},
        "witnesses": {code: [key.name for key in keys] for code, keys in view.witnesses(now, DIRECTORY).items()},
        "rows": [row.id for row in view.bundle(now).rows],
    }


def _sender(view: Any, node: str, now: int) -> str:
    try:
        view.sender(node, now, LOG, "message")
    except Refused as error:
        return error.code
    return "ok"
