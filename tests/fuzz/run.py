"""The long fuzzer: `python tests/fuzz/run.py --seconds 600`. One parser after another, under atheris where it is there.

    --only NAME     one target, or several; --list names them
    --seconds N     for each (default 600)
    --jobs N        at a time (default 2)
    --plain         without atheris: the same targets under the driver of the short test
    --keep DIR      keep corpora and crashes (default fuzz-out/)

Ends with a table of the parser lines that were reached, and fails under 95 % or at a crash.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
WANTED = 95.0
"""Percent of a parser's lines."""


def main() -> int:
    asked = _arguments()
    if asked.worker:
        return _worker(asked.worker, asked.seconds, asked.keep, asked.plain)
    from targets import TARGETS

    names = asked.only or [target.name for target in TARGETS]
    if asked.list:
        print("\n".join(names))
        return 0
    plain = asked.plain or importlib.util.find_spec("atheris") is None
    print(f"{len(names)} parsers, {asked.seconds} s each, {'plain driver' if plain else 'atheris'}", flush=True)
    with ThreadPoolExecutor(asked.jobs) as pool:
        crashed = list(pool.map(lambda name: _start(name, asked.seconds, asked.keep, plain), names))
    low = _table(names, asked.keep)
    return 1 if low or any(crashed) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz every parser of foreign bytes.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", type=Path, default=HERE.parents[1] / "fuzz-out")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def _start(name: str, seconds: int, keep: Path, plain: bool) -> bool:
    """Fuzz one target in a process of its own: libFuzzer never returns. Whether it crashed."""
    command = [sys.executable, __file__, "--worker", name, "--seconds", str(seconds), "--keep", str(keep)]
    found = subprocess.run([*command, *(["--plain"] if plain else [])], capture_output=True, text=True, check=False)
    print(f"  {name:<28} {'CRASH' if found.returncode else 'done'}", flush=True)
    if found.returncode:
        print(found.stdout[-4000:] + found.stderr[-8000:], flush=True)
    return found.returncode != 0


def _folder(keep: Path, name: str) -> Path:
    folder = keep / name.replace(" ", "-").replace("'", "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- one target, in its own process


def _worker(name: str, seconds: int, keep: Path, plain: bool) -> int:
    folder = _folder(keep, name)
    if plain:
        return _plain(name, seconds, folder)
    import atheris

    with atheris.instrument_imports(include=["rsc_share"]):
        from targets import BY_NAME
    target = BY_NAME[name]
    seeds = _seeded(name, folder)
    from campaign import attack
    from mutate import mutate

    def alter(data: bytes, limit: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, limit))
        return mutate(data, target.kind, random, seeds)[:limit]

    flags = [
        f"-max_total_time={seconds}",
        "-max_len=70000",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [name, *flags, f"-artifact_prefix={folder.parent}/crash-{folder.name}-", str(folder)],
        lambda data: attack(target, data) and None,
        custom_mutator=alter,
        internal_libfuzzer=True,
    )
    atheris.Fuzz()
    return 0


def _plain(name: str, seconds: int, folder: Path) -> int:
    import campaign
    from targets import BY_NAME

    seeds = _seeded(name, folder)
    tried = campaign.run(BY_NAME[name], seeds, seconds=seconds, seed=int.from_bytes(name.encode()[-4:], "big"))
    for number, data in enumerate(tried[len(seeds) : len(seeds) + 5000]):
        (folder / f"tried-{number:05d}").write_bytes(data)
    return 0


def _seeded(name: str, folder: Path) -> list[bytes]:
    import corpus
    from targets import BY_NAME

    seeds = corpus.of(BY_NAME[name])
    for number, data in enumerate(seeds):
        (folder / f"seed-{number:04d}").write_bytes(data)
    return seeds


# --- what was reached


def _table(names: list[str], keep: Path) -> bool:
    """Print lines reached for each parser, by everything its corpus holds now. Whether one is below `WANTED`."""
    from reach import measure
    from targets import BY_NAME

    low = False
    print(f"\n{'parser':<28} {'lines':>6} {'reached':>8}")
    for name in names:
        found = measure(BY_NAME[name], _inputs(_folder(keep, name)))
        low = low or found.percent < WANTED
        lost = "".join(f"  {Path(file).name}: {', '.join(map(str, lines))}" for file, lines in found.missing.items())
        print(f"{name:<28} {found.total:>6} {found.percent:>7.1f}%{lost}")
    return low


def _inputs(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()):
        yield path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
