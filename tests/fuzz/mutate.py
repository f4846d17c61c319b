"""Alters inputs in ways that get past the first check: whole values in msgpack, whole lines and words in text."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import msgpack

Seeds = list[bytes]
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.5, -0.0, float("nan"), float("inf")),
    *("", "a", "EST", "EST/mod-1", "@members", "SECRET", "relay.example/r/ct", "\n", "\0", "é", "\u2028", "a" * 300),
    *(b"", b"\0", bytes(16), bytes(32), bytes(64), b"\xff" * 32, b"a" * 70_000),
    *([], [[]], [None], {}, {"": None}, {"a": 1}, ["a", "a"], [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]),
)
_WORDS = (
    *(
        "",
        " ",
        "\n",
        "\n\n",
        "\t",
        "\r",
        "\0",
        "\x7f",
        "\u00a0",
        "\u2028",
        "\ufeff",
        "é",
        "\u0661",
        "\U0001f600",
        "\u202e",
    ),
    *('"', "'", "[", "]", "{", "}", "=", ",", ".", "#", "-", "— ", "=" * 4, '"' * 3),
    *("0", "1", "-1", "00", "1e999", "9" * 25, "NaN", "true", "null", "2026-01-01", "1970-01-01"),
    *("[" * 3000, "{" * 3000, '{"a":' * 3000, "a = 1", "[a]", "[[a]]", "x" * 300, "AAAA"),
    *("@members", "EST", "REL TO", "ORIGINATOR ONLY", "ONLY", "NONE"),
    *("<a/>", "<!DOCTYPE a>", "&amp;", "<![CDATA[", "]]>"),
)
_TOKEN = re.compile(r'"[^"\n]*"|\w+|[^\w\s]')


def mutate(data: bytes, kind: str, random: Random, seeds: Seeds) -> bytes:
    """One to four alterations of `data`. `seeds` lend parts of themselves."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        if kind == "msgpack" and random.random() < 0.9:
            data = _packed(data, random, seeds)
        elif kind == "text" and random.random() < 0.9:
            data = _text(data, random, seeds)
        else:
            data = _bytes(data, random, seeds)
    return data


def _bytes(data: bytes, random: Random, seeds: Seeds) -> bytes:
    at = random.randrange(len(data) + 1)
    step = random.randrange(6)
    if step == 0 and data:
        at = random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    if step == 1:
        return data[:at] + random.randbytes(random.randrange(1, 5)) + data[at:]
    if step == 2:
        return data[:at] + data[at + random.randrange(1, 9) :]
    if step == 3:
        return data[:at]
    if step == 4:
        return data[:at] + bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF, 0xC1, 0xDD, 0xDF))]) + data[at + 1 :]
    other = random.choice(seeds)
    return data[:at] + other[random.randrange(len(other) + 1) :]


# --- msgpack


def _unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=True, max_array_len=5000, max_map_len=5000)


def _packed(data: bytes, random: Random, seeds: Seeds) -> bytes:
    try:
        value = _altered(_unpack(data), random, seeds)
        return msgpack.packb(_sorted(value) if random.random() < 0.95 else value)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError):
        return _bytes(data, random, seeds)


def _sorted(value: Any) -> Any:
    if type(value) is dict:
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    return [_sorted(item) for item in value] if type(value) is list else value


def _altered(value: Any, random: Random, seeds: Seeds) -> Any:
    """`value` with one thing in it altered: here, or further in."""
    if type(value) is list and value and random.random() < 0.75:
        at = random.randrange(len(value))
        return [*value[:at], _altered(value[at], random, seeds), *value[at + 1 :]]
    if type(value) is dict and value and random.random() < 0.75:
        key = random.choice(list(value))
        return {**value, key: _altered(value[key], random, seeds)}
    if random.random() < 0.3:
        return random.choice(_ODD)
    return _ALTER.get(type(value), _other)(value, random, seeds)


def _other(value: Any, random: Random, seeds: Seeds) -> Any:
    return random.choice(_ODD)


def _list(value: list[Any], random: Random, seeds: Seeds) -> Any:
    items, at = list(value), random.randrange(len(value) + 1)
    step = random.randrange(6)
    if step == 0:
        items.insert(at, random.choice(_ODD))
    elif step == 1 and items:
        del items[at % len(items)]
    elif step == 2 and items:
        items.insert(at, items[at % len(items)])
    elif step == 3:
        items.reverse()
    elif step == 4 and items:
        one = items[at % len(items)]
        return [one] * min(random.choice((2, 17, 300, 600, 1100)), 1 + 70_000 // len(msgpack.packb(one)))
    else:
        return _borrowed(random, seeds)
    return items


def _dict(value: dict[str, Any], random: Random, seeds: Seeds) -> Any:
    items = dict(value)
    step = random.randrange(4)
    if step == 0:
        items[random.choice(("a", "kind", "", "é", *items))] = random.choice(_ODD)
    elif step == 1 and items:
        del items[random.choice(list(items))]
    elif step == 2 and items:
        items[random.choice(list(items))] = random.choice(list(items.values()))
    else:
        return _borrowed(random, seeds)
    return items


def _number(value: int, random: Random, seeds: Seeds) -> Any:
    return random.choice(
        (value + 1, value - 1, -value, value * 2, value + 256, value << 40 & 2**64 - 1, str(value), float(value))
    )


def _string(value: str, random: Random, seeds: Seeds) -> Any:
    if random.random() < 0.2:
        return value.encode()
    at = random.randrange(len(value) + 1)
    return value[:at] + random.choice(_WORDS) + value[at + random.randrange(2) :]


def _blob(value: bytes, random: Random, seeds: Seeds) -> Any:
    if random.random() < 0.5 and len(value) > 8:
        return _packed(value, random, seeds)  # what is packed inside
    return random.choice((value[:-1], value + b"\0", value[::-1], value.hex(), _bytes(value, random, seeds)))


def _borrowed(random: Random, seeds: Seeds) -> Any:
    value = _unpack(random.choice(seeds))
    while type(value) in (list, dict) and value and random.random() < 0.7:
        value = random.choice(list(value.values()) if type(value) is dict else value)
    return value


_ALTER = {list: _list, dict: _dict, int: _number, str: _string, bytes: _blob}


# --- text


def _text(data: bytes, random: Random, seeds: Seeds) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    step = random.randrange(8)
    if step < 3:
        text = _lines(text, random, seeds)
    elif step < 6:
        text = _tokens(text, random, seeds)
    else:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(_WORDS) + text[at + random.choice((0, 0, 1, 2)) :]
    return text.encode("utf-8", "surrogateescape")


def _lines(text: str, random: Random, seeds: Seeds) -> str:
    found = text.split("\n")
    at, other = random.randrange(len(found)), random.randrange(len(found))
    step = random.randrange(5)
    if step == 0:
        del found[at]
    elif step == 1:
        found.insert(other, found[at])
    elif step == 2:
        found[at], found[other] = found[other], found[at]
    elif step == 3:
        lent = random.choice(seeds).decode("utf-8", "replace").split("\n")
        found.insert(at, random.choice(lent))
    else:
        found = found[:at] + found[at:] * random.choice((1, 2, 20))
    return "\n".join(found)


def _tokens(text: str, random: Random, seeds: Seeds) -> str:
    places = [match.span() for match in _TOKEN.finditer(text)]
    if not places:
        return text + random.choice(_WORDS)
    start, end = random.choice(places)
    token = text[start:end]
    lent = random.choice(places)
    step = random.randrange(5)
    if step == 0:
        new = random.choice(_WORDS)
    elif step == 1:
        new = text[lent[0] : lent[1]]
    elif step == 2 and token.isascii() and token.isdigit() and len(token) < 20:
        new = str(random.choice((int(token) + 1, int(token) - 1, 0, 10**12, int(token) * 1000)))
    elif step == 3:
        new = token[:1] + random.choice(("x", "é", "\n", "", "A", "0", " ")) + token[1:]
    else:
        new = random.choice(
            (f'"{token}"', f"[{token}]", token * 2, token[1:], token.swapcase(), '""', "true", "[]", "{}")
        )
    return text[:start] + new + text[end:]
