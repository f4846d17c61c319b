"""What grows and what does not: a relay with many entries, many idle sessions, a very large attachment.

    python bench/soak.py                                        short: 30,000 entries, 200 sessions, 200 MiB
    python bench/soak.py --entries 1000000                      memory and start of a relay with so many entries
    python bench/soak.py --sessions 1000                        memory and CPU of idle authenticated TLS sessions
    python bench/soak.py --attachment 10GiB --folder /mnt/ssd   memory of relay and nodes, kills, FLASH beside it

Options may be combined; without any of these three all run in their short form. `--plot DIR` writes pictures (SVG).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import soak_attachment
import soak_entries
import soak_sessions
from measure import Row, print_table, write_json
from plots import memory
from sampling import Samples, megabytes

Part = Coroutine[Any, Any, tuple[list[Row], Samples]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, metavar="N")
    parser.add_argument("--sessions", type=int, metavar="N")
    parser.add_argument("--attachment", type=megabytes, metavar="SIZE", help="200MiB, 10GiB")
    parser.add_argument("--no-kills", action="store_true", help="nothing is killed while the attachment moves")
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the tables")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write soak-*.svg")
    parser.add_argument("--folder", type=Path, help="where the stores and files are; default: a temporary folder")
    asked = parser.parse_args()
    if asked.folder is not None:
        asked.folder.mkdir(parents=True, exist_ok=True)
    if not (asked.entries or asked.sessions or asked.attachment):
        asked.entries, asked.sessions, asked.attachment = 30_000, 200, 200 << 20
    tables: dict[str, list[Row]] = {}
    for name, part in _parts(asked):
        tables[name], samples = asyncio.run(part)
        if asked.json != "-":
            print_table(name, tables[name])
        if asked.plot:
            asked.plot.mkdir(parents=True, exist_ok=True)
            (asked.plot / f"soak-{name}.svg").write_text(memory(f"Memory: {name}", samples), encoding="utf-8")
    if asked.json:
        write_json(tables, asked.json)


def _parts(asked: argparse.Namespace) -> list[tuple[str, Part]]:
    found: list[tuple[str, Part]] = []
    if asked.entries:
        found.append(("entries", soak_entries.run(asked.entries, asked.folder)))
    if asked.sessions:
        found.append(("sessions", soak_sessions.run(asked.sessions, asked.folder)))
    if asked.attachment:
        found.append(("attachment", soak_attachment.run(asked.attachment, asked.folder, kills=not asked.no_kills)))
    return found


if __name__ == "__main__":
    main()
