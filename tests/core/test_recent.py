"""What was used last is kept, and a caller that counts what it keeps hears of everything that goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rsc_share.recent import Recent

MOST = 3


def test_what_was_looked_up_stays_and_the_other_goes() -> None:
    recent = Recent[int, str](2)
    recent.keep(0, "a")
    recent.keep(1, "b")
    assert recent.get(0) == "a"
    assert recent.keep(2, "c") == "b"
    assert (recent.get(0), recent.get(1), recent.get(2), len(recent)) == ("a", None, "c", 2)


@given(st.lists(st.tuples(st.sampled_from(("get", "keep", "drop")), st.integers(0, 5))))
def test_it_is_a_list_in_the_order_of_use(steps: list[tuple[str, int]]) -> None:
    recent, model = Recent[int, object](MOST), list[tuple[int, object]]()
    for step, key in steps:
        known = next((row for row in model if row[0] == key), None)
        if step == "drop" and model:
            assert recent.drop() is model.pop(0)[1]
        elif step == "get":
            assert recent.get(key) is (known[1] if known else None)
            model = [row for row in model if row[0] != key] + ([known] if known else [])
        elif step == "keep":
            value = object()
            left = [row for row in model if row[0] != key]
            gone = known or (left.pop(0) if len(left) == MOST else None)
            assert recent.keep(key, value) is (gone[1] if gone else None)
            model = [*left, (key, value)]
        assert len(recent) == len(model)
