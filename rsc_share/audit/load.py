"""Opening an export: bounded reading, the inventory, and a finding for everything that is wrong with a file.

Nothing is verified here but that the files are those of the manifest. What cannot be read at all raises `RemoteError`
(`unreadable-export`); everything else becomes a finding and the audit goes on with what is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from rsc_share import shape
from rsc_share.audit import canonical, layout
from rsc_share.audit.files import Files
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.log_files import LogFiles, find_logs
from rsc_share.audit.manifest import FileLine, Manifest
from rsc_share.audit.source import REASONS
from rsc_share.errors import RemoteError


@dataclass(frozen=True, slots=True)
class Export:
    """An export whose files were compared with its manifest. `bodies` is every digest there is a body for, with size.

    `permanent` are the charters' bodies by SHA-256.
    """

    files: Files
    paths: tuple[str, ...]
    manifest: Manifest
    manifest_digest: bytes
    logs: Mapping[str, LogFiles]
    permanent: Mapping[bytes, bytes]
    bodies: Mapping[bytes, int]
    absent: Mapping[bytes, str]
    claimed_digest: bytes | None
    findings: tuple[Finding, ...]

    def has(self, path: str) -> bool:
        """Whether there is a regular file at `path`."""
        at = bisect_left(self.paths, path)
        return at < len(self.paths) and self.paths[at] == path

    def read(self, path: str, limit: int) -> bytes | None:
        """A file's bytes; None where it is missing. Raises `RemoteError` over `limit`."""
        data = self.files.read(path, limit)
        if data is not None and len(data) > limit:
            raise RemoteError(f"{path} is longer than {limit} bytes", code="too-large", path=path)
        return data


def check_files(files: Files, paths: list[str], manifest: Manifest) -> list[Finding]:
    """One finding for every file that is missing, extra, altered, doubled, or no file at all."""
    found = [file_finding(path, f"is {kind}", "only regular files") for path, kind in files.odd()]
    here, listed = set(paths), {line.path for line in manifest.files}
    missing, read = listed - here, files.read
    for line in manifest.files:
        path, size, data = line.path, line.size, None
        if size <= layout.MAX_FILE and path not in missing:
            data = read(path, size)
            if data is not None and len(data) == size and sha256(data).digest() == line.sha256:
                continue
        found.append(_missing(line) if path in missing else _altered(line, data))
    extra = (path for path in sorted(here - listed) if path not in _BESIDE)
    found += [_extra(path) for path in extra if not path.startswith(layout.CHECKPOINTS)]
    return found


_LINE = 70
"""No line of `absent.json` is shorter: it holds a digest and a reason."""
_BESIDE = (layout.MANIFEST, layout.CHARTER_DIGEST, *layout.OURS)


def _extra(path: str) -> Finding:
    if path.startswith(layout.EXPORT):
        return file_finding(path, "is not in the manifest", "no such file")
    what = f"{path} lies beside the export and was not looked at"
    return Finding(Grade.OBSERVATION, "file-beside", what, evidence={"path": path})


def _missing(line: FileLine) -> Finding:
    return file_finding(line.path, "is missing", f"SHA-256 {line.sha256.hex()}")


def _altered(line: FileLine, data: bytes | None) -> Finding:
    """What is wrong with a file that is there. `data` is what was read of it."""
    if line.size > layout.MAX_FILE:
        return file_finding(line.path, f"has {line.size} bytes by the manifest", f"at most {layout.MAX_FILE}")
    if data is None:
        return file_finding(line.path, "is no regular file", f"SHA-256 {line.sha256.hex()}")
    if len(data) != line.size:
        has = f"has {len(data)} bytes" if len(data) < line.size else f"has more than {line.size} bytes"
        return file_finding(line.path, has, f"{line.size} bytes")
    return file_finding(line.path, f"has SHA-256 {sha256(data).hexdigest()}", f"SHA-256 {line.sha256.hex()}")


def load(files: Files) -> Export:
    """Raises `RemoteError` (`unreadable-export`) where there is no manifest that can be read, or no log at all."""
    data = files.read(layout.MANIFEST, layout.MAX_MANIFEST)
    if data is None or len(data) > layout.MAX_MANIFEST:
        raise RemoteError("there is no manifest.json, or it is too long", code="unreadable-export")
    try:
        manifest = Manifest.parse(data)
    except RemoteError as error:
        raise RemoteError(error.what, code="unreadable-export") from None
    here = files.paths()
    findings = check_files(files, here, manifest)
    logs = find_logs(files, here, findings)
    if not logs:
        raise RemoteError("there is no log with a checkpoint in this export", code="unreadable-export")
    return Export(
        files=files,
        paths=tuple(here),
        manifest=manifest,
        manifest_digest=sha256(data).digest(),
        logs=logs,
        permanent=_permanent(files, here, findings),
        bodies=_bodies(files, here, manifest, findings),
        absent=_absent(files, findings),
        claimed_digest=_claimed(files, manifest, findings),
        findings=tuple(findings),
    )


class Permanent(Mapping[bytes, bytes]):
    """Charters' bodies by SHA-256, read when they are asked for: the directory names a few, and a folder may hold any
    number of files as large as a policy may be."""

    def __init__(self, files: Files, paths: Mapping[bytes, str]) -> None:
        self._files, self._paths = files, paths

    def __getitem__(self, digest: bytes) -> bytes:
        data = self._files.read(self._paths[digest], layout.MAX_BUNDLE)
        if data is None:
            raise KeyError(digest)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _permanent(files: Files, here: list[str], findings: list[Finding]) -> Permanent:
    found: dict[bytes, str] = {}
    for path in layout.below(here, layout.CHARTERS):
        place = layout.charter_version(path)
        if place is None or place[1] not in layout.CHARTER_FILES:
            continue
        data = files.read(path, layout.MAX_BUNDLE)
        if data is None or len(data) > layout.MAX_BUNDLE:
            findings.append(file_finding(path, "is too long or cannot be read"))
        else:
            found[sha256(data).digest()] = path
    return Permanent(files, found)


def _bodies(files: Files, here: list[str], manifest: Manifest, findings: list[Finding]) -> dict[bytes, int]:
    """Digest and size of every body, hashed: one under another's name is none."""
    wrong = {finding.evidence.get("path") for finding in findings}
    # Hashed a moment ago, against the manifest.
    lines = [line for line in manifest.files if line.path not in wrong and line.path == layout.body_file(line.sha256)]
    found = {line.sha256: line.size for line in lines}
    held = {line.path for line in lines}
    for path in [path for path in layout.below(here, layout.BODIES) if path not in held]:
        digest = layout.body_of(path)
        if digest is None:
            continue
        data = files.read(path, layout.MAX_BODY)
        if data is None or len(data) > layout.MAX_BODY or sha256(data).digest() != digest:
            findings.append(file_finding(path, "does not hold the body its name says", f"SHA-256 {digest.hex()}"))
        else:
            found[digest] = len(data)
    return found


def _absent(files: Files, findings: list[Finding]) -> dict[bytes, str]:
    data = files.read(layout.ABSENT, layout.MAX_MANIFEST)
    try:
        return _reasons(b"" if data is None else data)
    except RemoteError as error:
        findings.append(file_finding(layout.ABSENT, f"cannot be used: {error.what}", "a map of digests to reasons"))
        return {}


def _reasons(data: bytes) -> dict[bytes, str]:
    # Looked at before it is read: empty lists in lists take thirty times their bytes of memory.
    if b"[" in data or data.count(b"{") > 1 or data.count(b":") * _LINE > len(data):
        raise shape.wrong("absent.json", "needs a map of digests to reasons")
    value = canonical.decode(data, "absent.json")
    if type(value) is not dict:
        raise shape.wrong("absent.json", "needs a map of digests to reasons")
    return {_digest(key): shape.choice(value[key], "reason", REASONS) for key in sorted(value)}


def _digest(text: str) -> bytes:
    found = layout.digest_of(text)
    if found is None:
        raise shape.wrong("absent.json", "needs digests of 64 hex digits")
    return found


def _claimed(files: Files, manifest: Manifest, findings: list[Finding]) -> bytes | None:
    data = files.read(layout.CHARTER_DIGEST, 128) or b""
    found = layout.digest_of(data[:-1].decode("ascii", "replace"))
    if found is None or data[-1:] != b"\n":
        findings.append(
            file_finding(layout.CHARTER_DIGEST, "is missing or not a digest", "64 hex digits and a newline")
        )
        return None
    if found != manifest.framework_id:
        right = f"the framework id of the manifest, {manifest.framework_id.hex()}"
        findings.append(file_finding(layout.CHARTER_DIGEST, "is the digest of another charter", right))
    return found
