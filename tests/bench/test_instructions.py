"""What callgrind wrote is counted by library, each instruction once."""

from __future__ import annotations

from instructions import SODIUM, by_library, rows_of

WRITTEN = """\
# callgrind format
version: 1
positions: line
events: Ir
ob=(1) /usr/lib/libpython3.11.so.1.0
fl=(1) ???
fn=(1) main
0 100
+3 20
cob=(2) /somewhere/_sodium.abi3.so
cfi=(1)
cfn=(2) verify
calls=5 0
0 70000
-2 7
ob=(2)
fn=(2)
* 70000
cob=(1)
calls=1 0
* 900
fn=(3) callback
ob=(1)
7 900
totals: 71027
"""


def test_every_instruction_is_counted_once_where_it_ran():
    found = by_library(WRITTEN.splitlines())
    assert found == {"libpython3.11.so.1.0": 100 + 20 + 7 + 900, SODIUM: 70_000}
    assert sum(found.values()) == 71_027


def test_what_entries_take_is_the_difference_of_two_logs():
    start, checks, python = 5_000_000, 600_000, 300_000
    short = {SODIUM: 10 * checks, "libpython": start + 10 * python}
    long = {SODIUM: 30 * checks, "libpython": start + 30 * python, "libc": 20 * 40}
    rows = {row.name: row.value for row in rows_of(short, long, 10, 20)}
    assert rows[SODIUM] == checks
    assert rows["libpython"] == python
    assert rows["all others"] == 40
    assert rows["all"] == checks + python + 40
    assert rows["all, in signature checks"] == 1.5
    assert rows["before the first entry"] == 5
