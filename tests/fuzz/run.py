"""The long fuzzer: `python tests/fuzz/run.py --seconds 600`. One family of parsers after another, under atheris.

    --only NAME     one target or family, or several; --list names them
    --seconds N     for each family (default 600)
    --jobs N        at a time (default 2)
    --plain         without atheris (also where it is not there): the same targets under the driver of the short test
    --keep DIR      keep corpora and crashes (default fuzz-out/)
    --replay FILE   one stored input: which target it is for, and what becomes of it

Ends with a table of the inputs each parser had and of its lines that were reached. Fails at a crash, under 95 % of a
parser's lines, or where a parser had too few inputs to say anything.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
_ARTIFACT = re.compile(r"Test unit written to (\S.*)")


def main() -> int:
    asked = _arguments()
    if asked.worker:
        from worker import work

        work(asked.worker, asked.only, asked.seconds, asked.keep / asked.worker, plain=asked.plain)
        return 0
    return _replay(asked.replay) if asked.replay else _all(asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz every parser of foreign bytes.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", type=Path, default=HERE.parents[1] / "fuzz-out")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(asked: argparse.Namespace) -> int:
    from families import chosen
    from table import show

    families = chosen(asked.only)
    if asked.list:
        print("\n".join(f"{family}: {', '.join(names)}" for family, names in families.items()))
        return 0
    plain = asked.plain or importlib.util.find_spec("atheris") is None
    count = sum(map(len, families.values()))
    print(f"{count} parsers in {len(families)} families, {asked.seconds} s each, {'plain' if plain else 'atheris'}")
    sys.stdout.flush()

    def start(family: str) -> bool:
        return _start(family, families[family], asked.seconds, asked.keep, plain)

    with ThreadPoolExecutor(asked.jobs) as pool:
        crashed = list(pool.map(start, families))
    return 1 if show(families, asked.keep, asked.seconds) or any(crashed) else 0


def _start(family: str, names: tuple[str, ...], seconds: int, keep: Path, plain: bool) -> bool:
    """Fuzz one family in a process of its own. Whether it crashed, and if so, on what."""
    from folders import cleared

    cleared(keep, family)
    command = [sys.executable, __file__, "--worker", family, "--seconds", str(seconds), "--keep", str(keep)]
    command += [word for name in names for word in ("--only", name)] + ["--plain"] * plain
    found = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    print(f"  {family:<10} {'CRASH' if found.returncode else 'done'}", flush=True)
    if found.returncode:
        print(found.stdout[-4000:] + found.stderr[-8000:], flush=True)
        for path in _ARTIFACT.findall(found.stdout + found.stderr):
            print(f"  again: {Path(__file__).name} --replay {path}", flush=True)
    return found.returncode != 0


def _replay(path: Path) -> int:
    """What becomes of a stored input. A crash shows its traceback here too, without a fuzzer around it."""
    from campaign import Campaign
    from families import addressed

    found = addressed(path.read_bytes())
    if found is None:
        print(f"{path} names no target")
        return 2
    target, data = found
    print(f"target {target.name}, {len(data)} bytes", flush=True)
    Campaign(target, ()).attack(data)
    refusal = target.refusal(data)
    print("taken" if refusal is None else f"refused: {type(refusal).__name__}: {refusal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
