"""What one replayed entry takes in instructions of the processor: the same number on a busy machine as on an idle one.

    python bench/instructions.py                  one to two minutes
    python bench/instructions.py --json -         the same as JSON

Rates of one machine differ by half from hour to hour where others share its processor. Callgrind (valgrind, from the
system's packages) runs the replay on a processor of its own and counts. It has no instructions for SHA-256, so the row
of libcrypto is many times what it is outside. Two logs are replayed, one twice as long as the other: the difference is
what entries take, and the rest what an audit takes before its first entry, the interpreter's start with it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgpack
from measure import Row, print_table, write_json
from synthetic import Synthetic

from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.replay import Anchors, replay
from rsc_share.collector import few_collections

SODIUM = "_sodium.abi3.so"
LEAST = 100
"""Instructions an entry: libraries below are one row together."""
_NAMED = re.compile(r"c?ob=\((\d+)\)(?: (.*))?")


def by_library(lines: Iterable[str]) -> Counter[str]:
    """Instructions by file of the code, of what callgrind wrote.

    A line of cost is `<position> <count>`. The one after `calls=` is the cost of what was called, counted there.
    """
    names: dict[str, str] = {}
    found: Counter[str] = Counter()
    library, within_call = "", False
    for line in lines:
        named = _NAMED.match(line)
        if named:
            number, name = named.groups()
            if name:
                names[number] = Path(name.strip()).name
            if line.startswith("ob="):
                library = names[number]
        elif line.startswith("calls="):
            within_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not within_call:
                found[library] += int(line.split()[1])
            within_call = False
    return found


def counted(log: Path, folder: Path) -> Counter[str]:
    """One replay of a log that `write_log` wrote, in a process of its own under callgrind."""
    out = folder / f"{log.name}.callgrind"
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--log-file=" + os.devnull]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the order of sets is part of what is counted
    subprocess.run([*tool, sys.executable, __file__, "--replay", str(log)], check=True, env=environment)  # noqa: S603
    with out.open(encoding="utf-8", errors="replace") as file:
        return by_library(file)


def write_log(entries: int, path: Path) -> int:
    """An export of a log made up by `synthetic`, as one file. How many entries it has."""
    world = Synthetic()
    world.fill(entries, 1)
    files = dict(whole_export(world.source()))
    path.write_bytes(msgpack.packb([world.founded.framework_id, files]))
    return len(world.entries)


def replay_log(path: Path) -> None:
    """What is counted."""
    charter_digest, files = msgpack.unpackb(path.read_bytes())
    with few_collections():
        found = replay(MemoryFiles(files), Anchors(charter_digest=charter_digest))
    if found.findings:
        raise SystemExit(f"the log was made to be clean: {found.findings[0]}")


def rows_of(short: Mapping[str, int], long: Mapping[str, int], first: int, more: int) -> list[Row]:
    """`short` has `first` entries, `long` has `more` besides."""
    entry = {name: (count - short.get(name, 0)) / more for name, count in long.items()}
    start = sum(short.values()) - first * sum(entry.values())
    large = sorted((name for name in entry if entry[name] >= LEAST), key=lambda name: -entry[name])
    rows = [Row(name, round(entry[name]), "an entry") for name in large]
    rows.append(Row("all others", round(sum(entry.values()) - sum(entry[name] for name in large)), "an entry"))
    rows.append(Row("all", round(sum(entry.values())), "an entry"))
    if entry.get(SODIUM):
        rows.append(Row("all, in signature checks", round(sum(entry.values()) / entry[SODIUM], 2), "checks"))
    rows.append(Row("before the first entry", round(start / 1e6), "million"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="What one replayed entry takes in instructions.")
    parser.add_argument("--entries", type=int, default=2_000, help="of the shorter log")
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the table")
    parser.add_argument("--replay", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.replay:
        replay_log(asked.replay)
        return
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not here: install it from the system's packages")
    with TemporaryDirectory() as name:
        folder = Path(name)
        made = [write_log(count, folder / f"{count}.log") for count in (asked.entries, 2 * asked.entries)]
        counts = [counted(folder / f"{count}.log", folder) for count in (asked.entries, 2 * asked.entries)]
    title = "Instructions of a replay, singly signed"
    tables: dict[str, Sequence[Row]] = {title: rows_of(counts[0], counts[1], made[0], made[1] - made[0])}
    if asked.json != "-":
        print_table(title, tables[title])
    if asked.json:
        write_json(tables, asked.json)


if __name__ == "__main__":
    main()
