"""The floor under every program for this protocol: the calls it cannot leave out, and the path with nothing on it.

    python bench/floor.py                          both; calls are CPU, the path needs an idle machine
    python bench/floor.py --only calls --run 5000 --peers    beside end_to_end.py in the same run, and what others take
    python bench/floor.py --measured FILE          beside what `end_to_end.py --peers --json FILE` has found
    python bench/floor.py --only path --seconds 60

Calls: real entries, made, judged and read again in a straight line by one publisher, one relay and 1 and 10 readers
that each verify, with SQLite on disk and TLS 1.3 through the kernel; seconds of CPU, without waits for a disk. Once
with as many entries to a signature, a commit and a checkpoint as the protocol allows; once as the library signs and the
benchmark waits; and the least of both, kind by kind, which no run reaches. `forms`: the same with this library's typed
forms, and still without rules, policy, loop and sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from floor_costs import MADE, READERS, WAYS, Cost, calls
from floor_line import KINDS, keep_memory
from measure import Row, least, microseconds, print_table, write_json

from rsc_share.crypto.ed25519 import expand, sign, verifies

TIMES = {1: 3, 10: 10}
"""Of what somebody would use instead: the targets."""
INSTEAD = {1: "NATS JetStream, sync always, to 1", 10: "  and signed, SealedBox by hand, to 10"}
TEXT = bytes(100)
LEAST = "the least of both, kind by kind"
FOUND = {1: 2_158.0, 10: 437.0}
"""Messages a second of those on an idle machine (docs/performance.md), where they are not measured in the same run."""


def rows_of(costs: Mapping[tuple[int, str], Cost], targets: Mapping[int, float]) -> list[Row]:
    rows = []
    for (readers, made), cost in costs.items():
        name, target = f"to {readers}, {made}", f"{targets[readers]:,.0f}"
        rows.append(Row(f"{name}: publisher", sum(cost.publisher.values()), "us", _kinds(cost.publisher)))
        rows.append(Row(f"{name}: relay", sum(cost.relay.values()), "us", _kinds(cost.relay)))
        rows.append(Row(f"{name}: each reader", sum(cost.reader.values()), "us", _kinds(cost.reader)))
        rows.append(Row(f"{name}: everybody", cost.everybody, "us", "", f"{2e6 / targets[readers]:,.0f}"))
        note = "publisher and readers in one process, the relay in another"
        rows.append(Row(f"{name}: one process", round(cost.one_process), "messages/s", note, target))
        note = "work of everybody halved between two cores"
        rows.append(Row(f"{name}: two cores", round(cost.two_cores), "messages/s", note, target))
        if readers > 1:
            note = "the same if one reader verified for all, which is not what was asked"
            rows.append(Row(f"{name}: one for all", round(cost.one_for_all), "messages/s", note))
    return rows


def _kinds(spent: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {spent[kind]:.1f}" for kind in KINDS if kind in spent)


def targets_of(instead: Mapping[str, float]) -> dict[int, float]:
    """Messages a second that are asked for, by readers."""
    return {readers: TIMES[readers] * instead.get(INSTEAD[readers], FOUND[readers]) for readers in READERS}


def against(costs: Mapping[tuple[int, str], Cost], rates: Mapping[str, float]) -> list[Row]:
    """Targets, and what was measured, as a part of what two cores could do at most."""
    targets, rows = targets_of(rates), []
    for readers in READERS:
        named = {"target": targets[readers], "measured": rates.get(f"rsc_share, to {readers}")}
        for what, rate in named.items():
            if rate is not None:
                shares = "; ".join(f"{made} {_share(costs[readers, made], rate)}" for made in MADE)
                rows.append(Row(f"to {readers}, {what}", round(rate), "messages/s", shares))
    return rows


def _share(cost: Cost, rate: float) -> str:
    """What the calls take of two cores at this rate, and what they leave of them."""
    left = (2e6 / rate - cost.everybody) / (cost.readers + 2)
    left_over = f"{left:,.0f} us left for each party" if left > 0 else "nothing left"
    return f"take {rate / cost.two_cores:.0%} of two cores, {left_over}"


def yardstick() -> list[Row]:
    """What this machine takes now for something that is known: figures of two runs can be compared by it."""
    public, secret = expand(bytes(32))
    signature = sign(secret, TEXT)
    spent = least(lambda: verifies(public, TEXT, signature), runs=20, times=50)
    return [Row("one Ed25519 verification", microseconds(spent), "us", "41 to 42 on the machine of the docs, idle")]


def read_rates(path: Path) -> dict[str, float]:
    """Messages a second by name, from what `end_to_end.py --json` wrote."""
    tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
    return {row["name"]: row["value"] for table in ("end to end", "peers") for row in tables.get(table, ())}


def run_rates(messages: int, *, peers: bool) -> dict[str, float]:
    from end_to_end import ours

    rows = ours(messages, durable=True)
    if peers:
        from peers import measured

        rows += measured(messages)
    return {row.name: row.value for row in rows}


def tables_of(asked: argparse.Namespace) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    if asked.only != "path":
        rates = read_rates(asked.measured) if asked.measured else {}
        rates |= run_rates(asked.run, peers=asked.peers) if asked.run else {}
        keep_memory()
        tables["yardstick"] = yardstick()
        found = {way.name: calls(asked.messages, asked.rounds, asked.folder, way) for way in WAYS}
        found[LEAST] = {key: Cost.least([costs[key] for costs in found.values()]) for key in found[WAYS[0].name]}
        for name, costs in found.items():
            tables[name] = rows_of(costs, targets_of(rates))
        for name, costs in found.items():
            tables[f"targets; {name}"] = against(costs, rates)
    if asked.only != "calls":
        import floor_path

        took = asyncio.run(floor_path.measured(asked.rate, asked.seconds, asked.folder))
        tables[f"the empty path, {asked.rate:g} messages a second"] = floor_path.rows_of(took)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("calls", "path"))
    parser.add_argument("--messages", type=int, default=1_024, help="to each number of readers")
    parser.add_argument("--rounds", type=int, default=5, help="of each run the cheapest counts")
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--measured", type=Path, metavar="FILE", help="JSON of end_to_end.py")
    beside.add_argument("--run", type=int, metavar="MESSAGES", help="run end_to_end.py first")
    parser.add_argument("--peers", action="store_true", help="with --run: also what the targets are multiples of")
    parser.add_argument("--rate", type=float, default=200.0, help="messages a second on the path")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the table")
    parser.add_argument("--folder", type=Path, help="where stores are; default: a temporary folder")
    asked = parser.parse_args()
    if asked.peers and not asked.run:
        parser.error("--peers goes with --run")
    tables = tables_of(asked)
    if asked.json != "-":
        for title, rows in tables.items():
            print_table(title, rows)
    if asked.json:
        write_json(tables, asked.json)


if __name__ == "__main__":
    main()
