"""The long fuzzer's own machinery: nobody left out, nobody starved, and a crash that can be run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import campaign
from campaign import Campaign
from every import BY_NAME, TARGETS, seeds_of
from families import FAMILIES, Families, address, addressed, chosen
from folders import CORPUS, RUN, cleared, inputs, store, tally
from table import least, show
from targets import Target
from turns import AHEAD, Turns

from rsc_share.errors import RemoteError

RUN_PY = Path(__file__).parent / "run.py"


class _Clock:
    """Time passes only while a parser works."""

    now = 0.0

    def parser(self, name: str, cost: float) -> Target:
        def run(data: bytes) -> None:
            self.now += cost

        return Target(name, run, RemoteError, ())


def test_every_target_has_one_family() -> None:
    placed = [name for names in FAMILIES.values() for name in names]
    assert sorted(placed) == sorted(target.name for target in TARGETS)
    assert len(set(placed)) == len(placed)


def test_families_are_chosen_by_their_name_or_by_a_target() -> None:
    assert chosen(None) == FAMILIES
    assert chosen(["charter", "stix"]) == {"charter": FAMILIES["charter"], "messages": ("stix",)}
    with pytest.raises(SystemExit, match="neither a family nor a target: nothing"):
        chosen(["nothing"])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_input_says_whose_it_is(target: Target) -> None:
    assert addressed(address(target, b"\0data\0")) == (target, b"\0data\0")


@pytest.mark.parametrize("data", [b"", b"\n", b"codec", b"\0", b"nobody\0data", b"\xff\0data"])
def test_what_names_no_target_is_nobodys(data: bytes) -> None:
    assert addressed(data) is None


def test_a_slow_parser_leaves_time_to_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libFuzzer proposes the slow one all the time, as if it saw nothing else."""
    clock = _Clock()
    monkeypatch.setattr(campaign.time, "perf_counter", lambda: clock.now)
    slow, fast = (Campaign(clock.parser(*made), [b"seed"]) for made in (("slow", 0.05), ("fast", 0.0005)))
    for each in (slow, fast):
        monkeypatch.setitem(BY_NAME, each.target.name, each.target)
    turns, random = Turns([slow, fast], tmp_path), Random(1)
    while clock.now < 10:
        turns.attack(turns.alter(address(slow.target, b"seed"), 1000, random, lambda base, _: base))
    assert slow.seconds == pytest.approx(fast.seconds, abs=AHEAD + 0.05)
    assert fast.runs > 90 * slow.runs > 0


def test_an_alteration_stays_with_its_target(tmp_path: Path) -> None:
    """libFuzzer's own alterations see the data and not the name in front of it, and have their limit."""
    codec = Campaign(BY_NAME["codec"], [b"\xc0"])
    turns = Turns([codec], tmp_path)
    for number in range(200):
        data = turns.alter(address(codec.target, b"\xc0"), 50, Random(number), lambda base, _: base + b"x" * 99)
        assert data.startswith(b"codec\0")
        assert len(data) <= 50


def test_a_run_counts_its_own_inputs(tmp_path: Path) -> None:
    """Not those of the run before, though the corpus stays."""
    folder = cleared(tmp_path, "values")
    codec = Campaign(BY_NAME["codec"], [b"\xc0"])
    turns = Turns([codec], folder / RUN)
    for data in (b"", b"\n", address(codec.target, b"\xc0"), address(codec.target, b"\xc1")):
        turns.attack(data)
    turns.write()
    assert tally(folder)["codec"][0] == 2
    assert sorted(inputs(folder)["codec"]) == [b"\xc0", b"\xc1"]
    assert tally(cleared(tmp_path, "values")) == {}


def test_a_starved_target_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All lines may be reached and nobody have fuzzed: seeds alone reach them."""
    folder = cleared(tmp_path, "session")
    offer = Campaign(BY_NAME["offer"], seeds_of(BY_NAME["offer"]))
    turns = Turns([offer], folder / RUN)
    for data in offer.alive:
        store(folder / CORPUS, address(offer.target, data))
        turns.attack(address(offer.target, data))
    turns.write()
    family: Families = {"session": ("offer",)}
    assert not show(family, tmp_path, 6)
    assert show(family, tmp_path, 600)
    assert "100.0%  fewer than 1000 inputs" in capsys.readouterr().out
    assert (least(600), least(6000), least(60)) == (1000, 1000, 100)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, RUN_PY, *words], capture_output=True, text=True, check=False)


def test_a_stored_input_is_run_again(tmp_path: Path) -> None:
    target = BY_NAME["stamp"]
    found = _run("--replay", str(store(tmp_path, address(target, b"\xc1"), "crash-")))
    assert found.returncode == 0
    assert "target stamp, 1 bytes\nrefused: RemoteError" in found.stdout
    assert _run("--replay", str(store(tmp_path, b"nobody's"))).returncode == 2


def test_a_family_is_fuzzed_from_end_to_end(tmp_path: Path) -> None:
    found = _run("--plain", "--only", "offer", "--seconds", "1", "--keep", str(tmp_path))
    assert "session    offer" in found.stdout
    assert found.returncode == 0, found.stdout + found.stderr
