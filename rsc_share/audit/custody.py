"""What came with the logs: whose signature the manifest carries, what it claims, and files that belong nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from rsc_share.audit import layout
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.load import Export
from rsc_share.audit.manifest import Manifest
from rsc_share.audit.times import iso
from rsc_share.audit.trust import Trust
from rsc_share.charter.amendment import CharterReference, read_reference
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.errors import RscError
from rsc_share.log.tiles import bundles_of

UNKNOWN = "unknown"


def check_custody(export: Export, trust: Trust, pin: bytes | None) -> Iterator[Finding]:
    """The framework of the manifest (`pin`: the charter digest, if one was given), its signature, the charters' files,
    and files that belong nowhere."""
    manifest = export.manifest
    if pin is not None and manifest.framework_id != pin:
        what = "the export is of another framework than the charter digest says"
        evidence = {"export": manifest.framework_id, "charter digest": pin}
        yield Finding(Grade.INTEGRITY, "wrong-framework", what, evidence=evidence)
    yield from check_manifest(manifest, trust)
    yield from check_charters(export, trust)
    yield from strangers(export, trust)


def check_manifest(manifest: Manifest, trust: Trust) -> Iterator[Finding]:
    """A manifest proves custody only if somebody known signed it; an unsigned one is shown as such."""
    try:
        manifest.verify()
    except RscError as error:
        yield Finding(Grade.INTEGRITY, "manifest-signature", f"the manifest: {error.what}")
        return
    if manifest.seal is not None and owner(trust, manifest.seal.key.key_id) == UNKNOWN:
        what = "the manifest is signed by a key that this framework's directory does not know"
        evidence = {"key": manifest.seal.key.fingerprint}
        yield Finding(Grade.OBSERVATION, "manifest-signer", what, evidence=evidence)


def owner(trust: Trust, key_id: bytes) -> str:
    """Whose key it is, by the directory."""
    if not trust.usable:
        return UNKNOWN
    view = trust.directory.at(trust.usable)
    for node in (node for member in view.charter.members for node in view.state.party(member).nodes):
        if any(fact.certificate.signing.key_id == key_id for fact in view.node_facts(node)):
            return node
    for origin, spec in view.logs.items():
        if spec.ed25519.key_id == key_id:
            return f"log key of {origin}"
    return UNKNOWN


def check_time(manifest: Manifest, newest: int, lag: int, skew: int) -> Iterator[Finding]:
    """The exporter's clock is a claim: where it does not fit what witnesses saw, somebody should be asked."""
    claimed, evidence = manifest.exported_at, {"claimed": manifest.exported_at, "newest": newest}
    if claimed < newest - skew:
        what = f"the exporter says {iso(claimed)}; witnesses saw these logs at {iso(newest)}, which is later"
        yield Finding(Grade.OBSERVATION, "export-time", what, evidence=evidence)
    elif claimed > newest + lag:
        minutes = (claimed - newest) // 60_000
        what = f"the exporter says {iso(claimed)}: nothing here was witnessed in the {minutes} minutes before"
        yield Finding(Grade.OBSERVATION, "export-time", what, evidence=evidence)


def strangers(export: Export, trust: Trust) -> Iterator[Finding]:
    """Files that no export has. Those in a log's folder are the log's own business.

    Where the directory breaks off, nobody knows which charters follow: their files are not blamed for it.
    """
    folders = {log.folder for log in export.logs.values()}
    # Nothing travels beside the directory, and nobody reads what lies there: it would be a place to hide a file.
    channels = {log.folder: log.checkpoint.size for origin, log in export.logs.items() if origin != trust.origin}
    wanted = {layout.openings_file(name, b.index) for name, size in channels.items() for b in bundles_of(size)}
    wanted |= {layout.ABSENT, *map(layout.orders_file, channels), *charter_files(export, trust)}
    breaks_off = trust.directory.size < trust.entries.size
    for path in layout.no_bodies(layout.below(export.paths, layout.EXPORT)):
        if path in wanted or layout.folder_of(path) in folders:
            continue
        charter = layout.charter_version(path) if breaks_off else None
        if charter is None or charter[1] not in layout.CHARTER_FILES:
            yield file_finding(path, "has no place in an export", "no such file")


def check_charters(export: Export, trust: Trust) -> Iterator[Finding]:
    """Every file of a charter is the one that the directory names, under its own name."""
    for path, digest in sorted(charter_files(export, trust).items()):
        data = export.files.read(path, layout.MAX_BUNDLE)
        if data is None:
            yield file_finding(path, "is missing", f"SHA-256 {digest.hex()}")
        elif hashlib.sha256(data).digest() != digest:
            yield file_finding(path, "is not the file of this charter", f"SHA-256 {digest.hex()}")


def charter_files(export: Export, trust: Trust) -> Mapping[str, bytes]:
    """Path and SHA-256 of every file of every charter that took effect."""
    found: dict[str, bytes] = {}
    for index in (index for index, kind, _ in trust.kinds if kind == "charter"):
        raw = trust.entries.get(index)
        if raw is not None:
            reference = read_reference(UnverifiedObject.parse(DirectoryEntry.parse(raw).object))
            policy = trust.directory.at(index + 1).charter.policy
            found.update(_named(reference, policy))
    return found


def _named(reference: CharterReference, policy: bytes) -> Iterable[tuple[str, bytes]]:
    digests = (reference.text, reference.keys, reference.signatures, policy)
    for name, digest in zip(layout.CHARTER_FILES, digests, strict=True):
        yield layout.charter_file(reference.version, name), digest
