"""One target for each parser: it takes the bytes, or raises the error its callers expect, and nothing else.

What a target takes must encode to the same bytes again; where a format has no encoder (TOML, STIX, CAP) the target says
what must hold instead. Anything a target lets through (`IndexError`, `RecursionError`, `AssertionError`) is a find.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pool import vectors

from rsc_share import codec, names, wire
from rsc_share.audit import besides, canonical, layout, load, manifest, manifest_form, orders
from rsc_share.bridges import cap, stix, strict_json
from rsc_share.charter import (
    certificate,
    compose,
    keyring,
    objects,
    prekey,
    quorum,
    revocation,
    rowtext,
    source,
    text,
    text_parts,
)
from rsc_share.cli import keyfile as cli_keyfile
from rsc_share.cli import sigfile
from rsc_share.crypto import bodies, keyfile
from rsc_share.crypto.signing import PublicKey
from rsc_share.envelope import contents, entry, entry_form, header, parts, signature
from rsc_share.errors import LocalError, RemoteError, RscError
from rsc_share.labels import label, scheme_file, toml_values
from rsc_share.labels import text as label_text
from rsc_share.labels.label import Label
from rsc_share.labels.shipped import shipped_schemes
from rsc_share.log import checkpoint, cosignature, lines, note, tiles, tlogproof
from rsc_share.messages import STANDARD, likelihood, portions
from rsc_share.node import attachments as node_attachments
from rsc_share.node import home
from rsc_share.policy import bundle, rows
from rsc_share.session import frames, refusal
from rsc_share.value import replace

Measured = Callable[..., Any] | type | ModuleType
MAX = 70_000


@dataclass(frozen=True)
class Target:
    """Called with bytes it says whether they were taken. `measured`: the functions whose lines must be reached."""

    name: str
    run: Callable[[bytes], None]
    errors: type[RscError]
    measured: tuple[Measured, ...]
    kind: str = "msgpack"
    """How inputs are altered: `msgpack`, `text` or `bytes`."""

    def refusal(self, data: bytes) -> RscError | None:
        """The error that was expected of it, if it raised one."""
        try:
            self.run(data)
        except self.errors as error:
            return error
        return None

    def __call__(self, data: bytes) -> bool:
        return self.refusal(data) is None


def same(again: bytes, data: bytes) -> None:
    if again != data:
        raise AssertionError("what was parsed does not encode to the same bytes")


def round_trip(read: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        same(write(read(data)), data)

    return run


def reads(read: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """For formats that have no writer."""

    def run(data: bytes) -> None:
        read(data)

    return run


def framed(read: Callable[[Any, str], Any]) -> Callable[[bytes], None]:
    """A value inside a frame: read from what `unpack` gives, written by its own `wire`."""

    def run(data: bytes) -> None:
        found = read(codec.unpack(data, max_size=MAX), "frame")
        same(codec.pack(found.wire()), data)

    return run


def decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise RemoteError("not a text") from None


def texts(read: Callable[[str], Any], write: Callable[[Any], str]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        same(write(read(decoded(data))).encode(), data)

    return run


def _entry(data: bytes) -> None:
    found, each = entry.UnverifiedEntry.parse(data), entry.UnverifiedEntry.parse_all([data])
    assert each == [found], "read among others, it is another entry"
    signed = found.signed
    same(entry.join_entry(signed.header.pack(), signed.block.pack(), found.stamp.pack()), data)


def _entries(data: bytes) -> None:
    """What is wrong by itself is wrong among others, and in the same way."""
    each = entry.UnverifiedEntry.parse_each([data])[0]
    if isinstance(each, RemoteError):
        raise each
    _entry(data)


def _directory_entry(data: bytes) -> None:
    found = entry.DirectoryEntry.parse(data)
    same(entry.join_entry(found.object, b"", found.stamp.pack()), data)


def _charter(data: bytes) -> None:
    """What is read can be composed, and says the same then."""
    found = text.parse_charter(data)
    again = text.parse_charter(compose.compose(found))
    if replace(again, text=b"", digest=b"") != replace(found, text=b"", digest=b""):
        raise AssertionError("a charter says something else once composed again")


def _label_text(data: bytes) -> None:
    given = data.decode("latin-1")
    found = label_text.parse_label(given, shipped_schemes(), originators=("EST",))
    written = label_text.render_label(found, shipped_schemes())
    if label_text.parse_label(written, shipped_schemes(), originators=("EST",)) != found:
        raise AssertionError("a label reads otherwise once rendered")


def _note(data: bytes) -> None:
    found = note.Note.parse(data)
    same(found.encode(), data)


def _cosignature(data: bytes) -> None:
    """A note under the keys of the vectors: what verifies can be stored, without the lines nobody vouches for."""
    logs, witnesses = _vkeys()
    found = cosignature.open_checkpoint(data, logs, witnesses)
    again = cosignature.open_checkpoint(found.note.encode(), logs, witnesses)
    if (again.checkpoint, again.cosignatures) != (found.checkpoint, found.cosignatures):
        raise AssertionError("a checkpoint says something else once stored")


@cache
def _vkeys() -> tuple[list[note.VerifierKey], list[note.VerifierKey]]:
    held = vectors("notes")
    logs, witnesses = ([note.VerifierKey.parse(key) for key in held[name]] for name in ("log_vkeys", "witness_vkeys"))
    return logs, witnesses


def _signatures_of_note(data: bytes) -> None:
    found = note.parse_signatures(data)
    same(b"".join(line.line() for line in found), data)


def _entry_bundle(data: bytes) -> None:
    for width in (1, 2, 3):
        try:
            found = tiles.read_bundle(data, width)
        except RemoteError:
            continue
        same(tiles.pack_bundle(found), data)
        return
    raise RemoteError("no bundle of up to three entries")


def _rows(data: bytes) -> None:
    """As rows of the bundle, of an agreement and of a restriction: each kind takes less than the one before."""
    rows.parse_rows(data, "bundle")
    for source_of_rows, signers in (("agreement", ("EST", "FIN")), ("restriction", ("EST",))):
        try:
            rows.parse_rows(data, source_of_rows, signers)
        except RemoteError:
            continue


def _policy_file(data: bytes) -> None:
    bundle.Bundle.from_files({"policy.toml": data})


def _bundle(data: bytes) -> None:
    same(bundle.pack_bundle(bundle.unpack_bundle(data)), data)
    bundle.Bundle.unpack(data)


def _body(data: bytes) -> None:
    """Whatever a sender put under the key: opened where it is what was committed to, refused everywhere else."""
    place: dict[str, Any] = {"log": "a/b/c", "sender": "EST/a", "id": bytes(16), "part": 0}
    rest: dict[str, Any] = {"framework_id": bytes(32), "realm": "operational", **place}
    aad = codec.pack([bytes(32), "a/b/c", "operational", "EST/a", bytes(16), 0])
    plain = data + bytes(max(0, 1024 - len(data)))
    for commit in (bytes(32), _commitment(plain, place)):
        key = bodies.part_key(bytes(32), id=place["id"], part=0, commit=commit)
        sealed = AESGCM(key).encrypt(bytes(12), plain, aad)
        for body in (sealed[::-1], sealed):
            try:
                bodies.open_part(bytes(32), body, commit, **rest)
            except RemoteError:
                if commit == bytes(32) or body is not sealed:
                    continue
                raise
            if commit == bytes(32):
                raise AssertionError("opened, and not what was committed to")


def _commitment(plain: bytes, place: dict[str, Any]) -> bytes:
    try:
        salt, payload = codec.unpack(plain[4 : 4 + int.from_bytes(plain[:4], "big")], max_size=MAX)
        return bodies.commitment(salt=salt, payload=payload, **place)
    except (RscError, TypeError, ValueError):
        return b"\1" * 32


def _payload(data: bytes) -> None:
    same(portions.write_payload(portions.read_payload(data, "payload"), "payload"), data)


def _assembled(data: bytes) -> None:
    """Under every standard type: most say no, and each says so in one line."""
    portions.read_payload(data, "payload")
    taken = 0
    for kind in STANDARD:
        try:
            portions.assemble(kind, {0: data, 1: codec.pack("text")}, None, {2: ("EST",)}, {})
        except RemoteError:
            continue
        taken += 1
    if not taken:
        raise RemoteError("no type of message has this payload")


def _stix(data: bytes) -> None:
    found = stix.read_bundle(data)
    for body in found:
        portions.split(body, "REGIONAL SECRET")


def _cap(data: bytes) -> None:
    """What is read can be written, and reads the same."""
    found = cap.read_alert(data).alert
    again = cap.read_alert(cap.write_alert(found).data).alert
    if again != found:
        raise AssertionError("an alert reads otherwise once written")


def _key_file(data: bytes) -> None:
    found = keyfile.KeyFile.parse(data)
    same(codec.pack([found.header, found.sealed, hashlib.sha256(found.header + found.sealed).digest()]), data)


def _secrets(data: bytes) -> None:
    """What an owner of the key could have sealed: opened, and sealed again."""
    header_bytes = b"header"
    sealed = AESGCM(bytes(32)).encrypt(bytes(12), data, header_bytes)
    found = keyfile.KeyFile(bytes(16), keyfile.UNSAFE_FAST, bytes(12), header_bytes, sealed).open(bytes(32))
    same(codec.pack({name: list(item) for name, item in found.items()}), data)


_FOLDER = tempfile.TemporaryDirectory()


def _settings(data: bytes) -> None:
    path = Path(_FOLDER.name) / home.CONFIG
    path.write_bytes(data)
    found = home.Settings.read(path)
    path.write_bytes(found.text().encode())
    if home.Settings.read(path) != found:
        raise AssertionError("settings say something else once written")


def _members_key_file(data: bytes) -> None:
    found = cli_keyfile._parse(data, "file")
    if cli_keyfile._parse(found.text(), "file").code != found.code:
        raise AssertionError("a key file says something else once written")


def _sig_file(data: bytes) -> None:
    found = sigfile.SigFile.parse(data, "file")
    if sigfile.SigFile.parse(found.text(), "file") != found:
        raise AssertionError("a signature file says something else once written")


def _besides(data: bytes) -> None:
    found = besides.read_besides(data, 0)
    same(besides.pack_besides((i, b.openings, b.statements) for i, b in found.items()), data)


def _view(data: bytes) -> None:
    same(besides.pack_view(besides.read_view(data, 0).items()), data)


def _orders(data: bytes) -> None:
    same(orders.pack_orders(orders.read_orders(data)), data)


def _absent(data: bytes) -> None:
    found = load._reasons(data)
    same(canonical.encode({digest.hex(): reason for digest, reason in found.items()}), data)


def _paths(data: bytes) -> None:
    given = data.decode("latin-1")
    found = layout.body_of(given)
    if found is not None:
        same(layout.body_file(found).encode(), data)
    layout.folder_of(given)
    layout.digest_of(given)
    layout.charter_version(given)
    same(layout.safe(given).encode("latin-1"), data)


def _names(data: bytes) -> None:
    """Names and ids: at least one reader takes it, and gives it back as it was."""
    for passed in (names._posts, names._origins, names._types):
        passed.clear()
    given, taken = data.decode("latin-1"), 0
    readers = (names.framework, names.member, names.group, names.channel, names.host, names.node, names.origin)
    for read in (*readers, names.message_type, lambda _, where: names.message_id(data, where)):
        try:
            found = read(given, "name")
            if read(given, "name") is not found:  # the second time from memory
                raise AssertionError("a name that passed reads otherwise the second time")
        except RemoteError:
            continue
        taken += 1
        if found not in (given, data) or (found is given and not given.isascii()):
            raise AssertionError("a name was altered, or is not ASCII")
    if not taken:
        raise RemoteError("no name")


def _content(read: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    return round_trip(read, lambda found: codec.pack(found.content()))


def _contents(kind: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        found = contents.read_content(kind, codec.unpack(data, max_size=MAX))
        same(codec.pack(found and found.wire()), data)

    return run


TARGETS: tuple[Target, ...] = (
    Target("codec", round_trip(lambda d: codec.unpack(d, max_size=MAX), codec.pack), RemoteError,
           (codec.unpack, codec._check, codec._check_keys, codec._plain_float)),
    Target("names", _names, RemoteError,
           (names._matches, names._post, names.origin, names.message_type, names.message_id), "bytes"),
    Target("header", round_trip(header.Header.parse, header.Header.pack), RemoteError,
           (header.Header.parse, header._checked, header._kind_rules, header._audience, header._check_refs,
            header._content, header._label, wire.Form.read)),
    Target("signature block", round_trip(signature.SignatureBlock.parse, signature.SignatureBlock.pack), RemoteError,
           (signature.SignatureBlock.parse,)),
    Target("stamp", round_trip(entry.Stamp.parse, entry.Stamp.pack), RemoteError, (entry_form._read_stamp,)),
    Target("entry", _entries, RemoteError,
           (entry.UnverifiedEntry.parse, entry.UnverifiedEntry.parse_all, entry.UnverifiedEntry.parse_each,
            entry.UnverifiedEntry._or_why_not, entry.Signed.parse, entry.split_entry, wire.Form.read_all)),
    Target("directory entry", _directory_entry, RemoteError, (entry.DirectoryEntry.parse,)),
    *(Target(f"content of a {kind}", _contents(kind), RemoteError, (reader.from_wire,))
      for kind, reader in contents.READERS.items()),
    Target("directory object", round_trip(objects.UnverifiedObject.parse, objects.UnverifiedObject.pack), RemoteError,
           (objects.UnverifiedObject.parse, objects.read_signatures)),
    Target("certificate", _content(certificate.read_certificate), RemoteError,
           (certificate.read_certificate, certificate._node, certificate._officer, certificate._key,
            certificate._chosen, certificate._levels, certificate._valid, PublicKey.from_wire)),
    Target("revocation", _content(revocation.read_revocation), RemoteError,
           (revocation.read_revocation, revocation._suspect)),
    Target("prekey", _content(prekey.read_prekey), RemoteError, (prekey.read_prekey,)),
    Target("agreement", _content(rowtext.read_agreement), RemoteError, (rowtext.read_agreement, rowtext._id)),
    Target("restriction", _content(rowtext.read_restriction), RemoteError, (rowtext.read_restriction,)),
    Target("charter text", _charter, LocalError,
           (text.read_charter, text._previous, text._rules, text._fraction, text._parameters, text._closed,
            text._predecessor, text_parts, source.decode, source.tables, source._shallow), "text"),
    Target("keyring", round_trip(keyring.KeyRing.parse, keyring.KeyRing.pack), RemoteError,
           (keyring.KeyRing.parse, keyring._key)),
    Target("charter signatures", round_trip(quorum.parse_signatures, quorum.pack_signatures), RemoteError,
           (quorum.parse_signatures, objects.read_signatures)),
    Target("policy bundle", _bundle, RemoteError, (bundle.unpack_bundle, bundle.Bundle._read)),
    Target("policy file", _policy_file, LocalError, (bundle._need,), "text"),
    Target("rows", _rows, RemoteError,
           (rows.parse_rows, rows._row, rows._check_reach, rows._words, rows._matching, rows._level), "text"),
    Target("scheme", reads(lambda d: scheme_file.load_scheme(d, "scheme")), RemoteError, (scheme_file, toml_values),
           "text"),
    Target("label", framed(Label.from_wire), RemoteError,
           (Label.from_wire, label._read, label._read_tags, label.canonical_audience)),
    Target("label text", _label_text, LocalError,
           (label_text.parse_label, label_text._tags, label_text._values, label_text._audience, label_text._Cursor),
           "text"),
    Target("note", _note, RemoteError,
           (note.Note.parse, note._signatures, note.NoteSignature.parse_line), "text"),
    Target("note signatures", _signatures_of_note, RemoteError, (note.parse_signatures,), "text"),
    Target("checkpoint", round_trip(checkpoint.Checkpoint.parse, checkpoint.Checkpoint.text), RemoteError,
           (checkpoint.Checkpoint.parse, lines.decimal, lines.text_of, lines.lines_of, lines.base64_bytes), "text"),
    Target("cosignature", _cosignature, RemoteError, (cosignature.CheckpointKeys.open,), "text"),
    Target("verifier key", texts(note.VerifierKey.parse, lambda key: key.vkey), RemoteError,
           (note.VerifierKey.parse, lines.key_name), "text"),
    Target("tlog-proof", round_trip(tlogproof.TlogProof.parse, tlogproof.TlogProof.encode), RemoteError,
           (tlogproof.TlogProof.parse, tlogproof._extra), "text"),
    Target("tile path", texts(tiles.Tile.parse, lambda tile: tile.path), RemoteError, (tiles.Tile.parse,), "text"),
    Target("entry bundle", _entry_bundle, RemoteError, (tiles.read_bundle,), "bytes"),
    Target("submission", framed(frames.Submission.from_wire), RemoteError,
           (frames.Submission.from_wire, frames.Statement.from_wire, parts.Opening.from_wire)),
    Target("tail", framed(frames.Tail.from_wire), RemoteError,
           (frames.Tail.from_wire, frames.read_item, frames._about)),
    Target("offer", framed(frames.Offer.from_wire), RemoteError, (frames.Offer.from_wire,)),
    Target("outcome", framed(frames.read_outcome), RemoteError, (frames.read_outcome,)),
    Target("refusal", framed(refusal.Refusal.from_wire), RemoteError, (refusal.Refusal.from_wire,)),
    Target("body", _body, RemoteError, (bodies.open_part, bodies._unpad)),
    Target("node's body", round_trip(node_attachments.unwrap, lambda found: node_attachments.wrap(*found)), RemoteError,
           (node_attachments.unwrap,)),
    Target("payload", _payload, RemoteError, (portions.read_payload,)),
    Target("message", _assembled, RemoteError,
           (portions.assemble, portions._count, portions._filled, portions._validate)),
    Target("scale", reads(lambda d: likelihood.Scale.from_toml(d, "scale")), RemoteError,
           (likelihood.Scale.from_toml, likelihood._band), "text"),
    Target("json", reads(lambda d: strict_json.load_json(d, "file")), RemoteError,
           (strict_json.load_json, strict_json._unique, strict_json._no_constant, strict_json._finite,
            strict_json._depth_exceeds), "text"),
    Target("stix", _stix, RemoteError, (stix.read_bundle, stix._Reading), "text"),
    Target("cap", _cap, RemoteError, (cap.read_alert, cap._parse, cap._name, cap._Reading), "text"),
    Target("keystore", _key_file, RemoteError, (keyfile.KeyFile.parse,)),
    Target("keystore secrets", _secrets, RemoteError, (keyfile.KeyFile.open, keyfile._parse_item)),
    Target("node settings", _settings, LocalError, (home.Settings._checked,), "text"),
    Target("member's key file", _members_key_file, LocalError, (cli_keyfile._parse, cli_keyfile._keys), "text"),
    Target("signature file", _sig_file, LocalError, (sigfile.SigFile.parse,), "text"),
    Target("manifest", round_trip(manifest.Manifest.parse, manifest.Manifest.encode), RemoteError,
           (manifest.Manifest.parse, manifest._line, manifest._seal, manifest._hex, manifest_form.read,
            canonical.decode), "text"),
    Target("openings", _besides, RemoteError,
           (besides.read_besides, besides._index, besides._beside)),
    Target("view", _view, RemoteError, (besides.read_view,)),
    Target("orders", _orders, RemoteError, (orders.read_orders, orders._order)),
    Target("absent bodies", _absent, RemoteError, (load._reasons, load._digest), "text"),
    Target("export paths", _paths, RemoteError,
           (layout.body_of, layout.digest_of, layout.folder_of, layout.charter_version, layout.safe), "text"),
)  # fmt: skip

BY_NAME = {target.name: target for target in TARGETS}
