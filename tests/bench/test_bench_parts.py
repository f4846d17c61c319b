"""Percentiles, sizes and pictures of the benchmarks: what turns measurements into claims."""

from __future__ import annotations

import math
import os
import statistics
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from measure import Row
from plots import HEIGHT, WIDTH, bars, decades, distribution, memory, thinned, ticks
from sampling import MIB, Samples, cpu_seconds, megabytes, percentile, resident

SVG = "{http://www.w3.org/2000/svg}"
values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=300)


@given(values, st.floats(0, 1))
def test_percentile_is_the_least_value_that_so_many_do_not_exceed(found, share):
    answer = percentile(found, share)
    wanted = max(1, math.ceil(round(share * len(found), 9)))
    assert answer in found
    assert sum(value <= answer for value in found) >= wanted
    assert sum(value < answer for value in found) < wanted


def test_percentiles_of_a_hundred():
    found = list(range(100, 0, -1))
    assert [percentile(found, share) for share in (0.0, 0.07, 0.5, 0.99, 1.0)] == [1, 7, 50, 99, 100]
    assert percentile([1, 2, 3], 0.5) == statistics.median([1, 2, 3])
    with pytest.raises(ValueError, match="no value"):
        percentile([], 0.5)


def test_sizes_are_read():
    assert [megabytes(text) for text in ("200MiB", "10GiB", "0.5GiB", "64KiB", "7")] == [
        200 * MIB, 10 << 30, 512 * MIB, 64 << 10, 7 * MIB,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="invalid literal"):
        megabytes("much")


def test_a_process_is_measured():
    assert 4 * MIB < resident(os.getpid()) < 1 << 36
    assert cpu_seconds(os.getpid()) > 0
    with pytest.raises(OSError, match="No such file"):
        resident(1 << 30)


def test_samples_of_a_span():
    samples = Samples()
    samples.series["relay"] = [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0)]
    assert samples.between("relay", 1.0) == [20.0, 30.0]
    assert samples.between("relay", 0.0, 1.0) == [10.0, 20.0]
    assert samples.between("node", 0.0) == []
    samples.take({"gone": 1 << 30})
    assert "gone" not in samples.series or samples.series["gone"] == []


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@example(0.0, 5e-324)
@example(1e6, 1e6 - 1e-10)
def test_ticks_surround_the_values_in_few_steps(a, b):
    low, high = sorted((a, b))
    found = ticks(low, high)
    assert found[0] <= low + 1e-6 * abs(low)
    assert found[-1] >= high - 1e-6 * abs(high)
    assert 2 <= len(found) <= 9


@given(st.floats(0.01, 1e5), st.floats(1.0, 1e4))
def test_decades_surround_the_values(low, times):
    found = decades(low, low * times + 0.01)
    assert found[0] <= low
    assert found[-1] >= low * times
    assert found == sorted(set(found))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3_000))
def test_a_long_line_keeps_its_peaks(found):
    points = [(float(n), value) for n, value in enumerate(found)]
    kept = thinned(points)
    assert len(kept) <= 402
    assert kept == sorted(kept)
    assert {min(found), max(found)} <= {value for _, value in kept}


def test_pictures_are_svg_with_everything_inside():
    samples = Samples()
    samples.series = {"relay": [(n / 2, 80 + n % 7) for n in range(900)], "sender <1>": [(0.0, 1.0), (9.0, 5.0)]}
    samples.marks = [(3.0, "relay killed & back")]
    took = {"ours": [1.0, 2.0, 3.0, 250.0], "theirs": [0.5]}
    rows = [Row("rsc_share, to 1", 267, "messages/s"), Row("Redis <always>", 3_757, "messages/s"), Row("none", 0, "x")]
    for picture in (memory("Memory", samples), distribution("Latency", took), bars("Rates", rows)):
        root = ET.fromstring(picture)  # noqa: S314 - our own
        assert root.tag == f"{SVG}svg"
        for line in root.iter(f"{SVG}polyline"):
            for place in line.attrib["points"].split():
                x, y = map(float, place.split(","))
                assert 0 <= x <= WIDTH
                assert 0 <= y <= HEIGHT
        for rect in root.iter(f"{SVG}rect"):
            assert float(rect.attrib.get("x", 0)) + float(rect.attrib["width"]) <= WIDTH
        assert root.findall(f"{SVG}text")
    assert "sender &lt;1&gt;" in memory("Memory", samples)
    assert "3,757 messages/s" in bars("Rates", rows)
