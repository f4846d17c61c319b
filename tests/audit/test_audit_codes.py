"""Every code of a finding that is the auditor's own is asked for by a test, and written down in the protocol."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from audit_world import CT, DIRECTORY, World, small_world
from forger_world import ran, remade

from rsc_share.audit import layout
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.manifest import Manifest
from rsc_share.audit.outcome import Exit, exit_code
from rsc_share.audit.replay import Replay, replay
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.log.note import Note
from rsc_share.value import replace

ROOT = Path(__file__).parents[2]
_MADE = re.compile(r'(?:Grade\.[A-Z]+|grade),\s*"([a-z-]+)"|code, what = "([a-z-]+)"|yield _finding\(item, "([a-z-]+)"')
CODES = sorted(
    {
        next(filter(None, found))
        for path in (ROOT / "rsc_share/audit").glob("*.py")
        for found in _MADE.findall(path.read_text())
    }
)


def test_codes_are_found_where_they_are_made() -> None:
    assert {"file", "back-dated", "body-reason", "second-opinion", "truncated"} <= set(CODES)
    assert len(CODES) > 35


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_in_a_test_and_in_the_protocol(code: str) -> None:
    tests = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f'"{code}"' in text for text in tests), f"no test asks for {code}"
    codes = (ROOT / "docs/protocol.md").read_text().partition("**Codes.**")[2].partition("### 15.4")[0]
    assert re.search(rf"[` ]{code}[` ]", codes), f"the table of codes lacks {code}"


def told(found: Replay, grade: Grade) -> list[tuple[str, str, int | None]]:
    return [(f.code, f.log, f.index) for f in found.findings if f.grade is grade]


def test_entry_that_its_log_did_not_sign_is_named_where_it_stands() -> None:
    """The tiles have the signed root: so they say which entry was altered."""
    world = small_world()
    path = layout.log_file("ct", "tile/entries/000.p/4")
    files = whole_export(world.source())
    data = bytearray(files[path])
    data[-1] ^= 1
    found = replay(MemoryFiles(remade({**files, path: bytes(data)})), Anchors(world.id, {"FIN": world.note(CT)}))
    assert ("entry-altered", CT, 3) in told(found, Grade.INTEGRITY)
    assert exit_code(found) is Exit.FINDINGS


@pytest.mark.parametrize("origin", [CT, DIRECTORY])
def test_log_that_left_its_post_quantum_signature_out_is_observed(origin: str) -> None:
    world = small_world()
    first, second, *others = Note.parse(world.note(origin)).signatures
    assert first.name == second.name == origin
    note = Note(Note.parse(world.note(origin)).text, (first, *others)).encode()
    source = world.source()
    logs = [replace(log, note=note) if log.origin == origin else log for log in source.logs]
    found = replay(MemoryFiles(whole_export(replace(source, logs=logs))), Anchors(world.id, {"FIN": world.note(CT)}))
    assert ("one-log-signature", origin, None) in told(found, Grade.OBSERVATION)
    assert exit_code(found) is Exit.CLEAN


def test_manifest_under_a_signature_that_is_not_over_it_is_a_finding() -> None:
    honest = ran()
    signed = Manifest.parse(honest.files[layout.MANIFEST])
    assert signed.seal is not None
    moved = replace(signed, by="somebody else")
    found = replay(MemoryFiles({**honest.files, layout.MANIFEST: moved.encode()}), honest.anchors)
    assert told(found, Grade.INTEGRITY) == [("manifest-signature", "", None)]
    stranger = replace(signed, seal=None).signed(PrivateKey.generate(Suite.ED25519, seed=b"stranger"))
    found = replay(MemoryFiles({**honest.files, layout.MANIFEST: stranger.encode()}), honest.anchors)
    assert ("manifest-signer", "", None) in told(found, Grade.OBSERVATION)


def test_world_without_a_lie_has_none_of_them() -> None:
    world = World()
    found = replay(MemoryFiles(whole_export(world.source())), Anchors(world.id, {"FIN": world.note(DIRECTORY)}))
    assert told(found, Grade.INTEGRITY) + told(found, Grade.IRREGULARITY) + told(found, Grade.BREACH) == []
