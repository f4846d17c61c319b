"""Signed texts are TOML 1.0.0 on every Python: what only TOML 1.1 has is refused by us, whatever `tomllib` knows."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.labels import toml10
from rsc_share.labels.invisible import invisible
from rsc_share.labels.toml10 import MAX_PARTS, loads, short_keys, spelling_of_later
from rsc_share.labels.toml_values import read_toml

ROOT = Path(__file__).parents[2]
LATER = {
    "a line end in an inline table": "a = { b = 1,\n c = 2 }\n",
    "a line end after the brace": "a = {\n b = 1 }\n",
    "a line end in a table in a list": "a = [ { b = 1,\n c = 2 } ]\n",
    "a comment in an inline table": "a = { b = 1 # one\n }\n",
    "a last comma": "a = { b = 1, }\n",
    "a last comma in the inner table": "a = { b = { c = 1, } }\n",
    "the escape e": 'a = "\\e[31m"\n',
    "the escape x": 'a = "\\x41"\n',
    "the escape x in a key": '"\\x41" = 1\n',
    "the escape x over lines": 'a = """\n\\x41"""\n',
    "a time without seconds": "a = 10:20\n",
    "a date-time without seconds": "a = 2026-01-01T10:20Z\n",
    "a date-time without seconds, with an offset": "a = 2026-01-01 10:20+02:00\n",
}
OLD = (
    "a = { b = [\n 1,\n 2,\n], c = 'x, }' }\n",
    "a = '\\e { \n'\n".replace("\n'", "'"),
    "a = '''\n{ \\x ,}\n10:20\n'''\n",
    'a = "{ 10:20, }"  # { 10:20, }\n',
    'a = "\\\\x41 \\\\e"\n',
    "a = 10:20:30\nb = 2026-01-01T10:20:30.5+02:00\n",
    'a = """x"""\nb = { c = 1 }\n',
    'a = """"x""""\nb = """\\""""\nc = \'\'\'\'\'\'\n',
    '"{" = 1\n[ "}" ]\n[[ x . "," ]]\ny = {}\n',
)


@pytest.mark.parametrize("why", LATER)
def test_what_only_a_later_toml_has_is_refused(why: str) -> None:
    assert spelling_of_later(LATER[why]) is not None
    with pytest.raises(ValueError, match=r"."):
        loads(LATER[why])


@pytest.mark.parametrize("text", OLD)
def test_what_toml_1_0_0_has_is_read(text: str) -> None:
    assert loads(text) == tomllib.loads(text)


@given(st.text(st.sampled_from("a=1 \n{}[],\"'\\ex#:02-T."), max_size=40))
def test_nothing_that_an_old_reader_takes_is_refused(text: str) -> None:
    try:
        tomllib.loads('x = "\\e"')
    except tomllib.TOMLDecodeError:
        pass
    else:
        pytest.skip("this Python reads TOML 1.1")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    # A text may hold NaN, which is not itself; the spelling is what counts.
    assert spelling_of_later(text) is None, values


def test_every_scheme_we_ship_is_read() -> None:
    found = [path for folder in ("rsc_share", "docs", "examples") for path in (ROOT / folder).rglob("schemes/*.toml")]
    for path in found:
        assert read_toml(path.read_bytes(), path.name)


def test_invisible_characters_are_those_of_a_fixed_unicode() -> None:
    """A newer Python may know more of them, an older one fewer: the list is ours."""
    for number in range(0x110000):
        kind = unicodedata.category(chr(number))
        if invisible(chr(number)) is not None:
            assert kind in ("Cc", "Cf", "Zl", "Zp", "Cn"), hex(number)
        elif unicodedata.unidata_version <= "16.0.0":
            assert kind not in ("Cc", "Cf", "Zl", "Zp"), hex(number)


LONG = ".".join("a" * 5_000)


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG} = 1\n",
        f"x = 1\n[{LONG}]\n",
        f"x = {{ {LONG} = 1 }}\n",
        f"[[ {LONG.replace('.', ' . ')} ]]\n",
        '"".' * 5_000 + "a = 1\n",
        "'.'." * 5_000 + "a = 1\n",
        f'x = """"#""""  # \'\'\'\ny = \'\'\'"""\'\'\'\n{LONG} = 1\n',
    ],
)
def test_attack_a_key_of_thousands_of_parts_is_refused_before_it_is_read(text: str) -> None:
    """40 KB of it took ten seconds and a gigabyte and a half, a charter's 256 KB more memory than there is."""
    with pytest.raises(ValueError, match=f"more than {MAX_PARTS} parts"):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{'.'.join('a' * MAX_PARTS)} = 1\n",
        f"x = [{'1.5, ' * 100}]\n",
        f"x = \"{LONG}\"\ny = '{LONG}'  # {LONG}\n",
        f'x = """\n{LONG}\n"""\n',
        f"x = {{ {', '.join(f'a.b{n} = 1' for n in range(100))} }}\n",
    ],
)
def test_dots_that_are_no_parts_of_one_key_are_read(text: str) -> None:
    assert short_keys(text) == text
    assert loads(text) == tomllib.loads(text)


@pytest.mark.parametrize("opened", ['"' + '\\"' * 500, '"""' + '\\"""' * 500, "'a", "'''a", '"""a'])
def test_attack_a_text_is_not_looked_through_from_each_of_its_quotes(
    opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From each to the end, where none is closed: escaped quotes of 256 KB took eight minutes to be refused."""
    pieces = Pieces()
    monkeypatch.setattr(toml10, "_PIECE", pieces)
    with pytest.raises(tomllib.TOMLDecodeError):
        loads(f"# {'.' * MAX_PARTS}\nx = {opened}")
    assert pieces.found[-1]["open"] is not None
    assert len(pieces.found) == len(("comment", "\n", "x", " ", "=", " ", "quote"))


class Pieces:
    """What a text was taken apart into."""

    def __init__(self) -> None:
        self.found: list[re.Match[str]] = []
        self._true = toml10._PIECE

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        for found in self._true.finditer(text):
            self.found.append(found)
            yield found
