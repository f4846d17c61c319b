"""The grammar of names and ids: frameworks, members, nodes, officers, channels, logs and UUIDv7.

A name is checked where it enters; afterwards code may split it without looking again. All checks raise
`RemoteError` with the place in `where`; file readers turn that into a line number.
"""

from __future__ import annotations

import re
from typing import Any

from rsc_share.shape import ascending, blob, wrong

# `fullmatch` with ASCII classes: `$` would also accept a final newline, `\d` Arabic digits.
_FRAMEWORK = re.compile(r"[a-z0-9-]{1,63}")
_MEMBER = re.compile(r"[A-Z][A-Z0-9-]{1,31}")
_POST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_GROUP = re.compile(r"@[a-z0-9][a-z0-9-]{0,62}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?")
_TYPE = re.compile(r"[a-z][a-z0-9.-]*(/[a-z][a-z0-9-]*)+/[1-9][0-9]{0,4}")
MAX_TYPE = 120

DIRECTORY = "directory"
"""The channel every member reads: its log says who is trusted."""


_KEPT = 4096
_SHORT = 64
_posts: dict[str, str] = {}
_members: dict[str, str] = {}
_origins: set[str] = set()
_types: set[str] = set()
_audiences: set[tuple[str, ...]] = set()
"""Names that passed: every entry repeats the same few, and a set answers in a tenth of a pattern's time. `_posts` by
themselves, and their members by them: of a name that passed before, everybody is given the same string."""


def _remember(passed: set[str], name: str) -> str:
    if len(passed) >= _KEPT:
        passed.clear()  # whoever invents names fills it with his own, and costs what he cost before
    passed.add(name)
    return name


def _keep(known: dict[str, str], name: str, found: str) -> str:
    if len(known) >= _KEPT:
        known.clear()
    known[name] = found
    return found


def _matches(pattern: re.Pattern[str], value: Any, where: str, what: str) -> str:
    if type(value) is not str or not pattern.fullmatch(value):
        raise wrong(where, f"is not {what}")
    return value


def framework(value: Any, where: str = "framework") -> str:
    return _matches(_FRAMEWORK, value, where, "a framework name (a-z, 0-9, -; at most 63)")


def member(value: Any, where: str = "member") -> str:
    return _matches(_MEMBER, value, where, "a member code (A-Z, 0-9, -; 2 to 32), such as EST")


def group(value: Any, where: str = "group") -> str:
    return _matches(_GROUP, value, where, "a group name such as @nordic")


def channel(value: Any, where: str = "channel") -> str:
    return _matches(_CHANNEL, value, where, "a channel name (a-z, 0-9, -; at most 63)")


def host(value: Any, where: str = "host") -> str:
    return _matches(_HOST, value, where, "a host name in lower case, with a port or without")


def node(value: Any, where: str = "node") -> str:
    """`EST/mod-1`: the member, a slash, the node."""
    return _post(value, where, "a node such as EST/mod-1")


def audience(nodes: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Nodes, strictly rising. A channel has few audiences, and every message names one: short ones are remembered."""
    if nodes not in _audiences:
        for name in nodes:
            node(name, where)
        ascending(nodes, where)
        if len(nodes) <= _SHORT:
            if len(_audiences) >= _KEPT:
                _audiences.clear()
            _audiences.add(nodes)
    return nodes


def officer(value: Any, where: str = "officer") -> str:
    """`EST/duty-3`: a pseudonymous post, never a person's name."""
    return _post(value, where, "an officer's post such as EST/duty-3")


def _post(value: Any, where: str, what: str) -> str:
    if type(value) is str:
        found = _posts.get(value)
        if found is not None:
            return found
        head, slash, tail = value.partition("/")
        if slash and _MEMBER.fullmatch(head) and _POST.fullmatch(tail):
            return _keep(_posts, value, value)
    raise wrong(where, f"is not {what}")


def member_of(name: str) -> str:
    """The member a node or officer belongs to. `name` has been checked."""
    found = _members.get(name)
    return found if found is not None else _keep(_members, name, name.partition("/")[0])


def origin(value: Any, where: str = "log") -> str:
    """A C2SP log origin `<relay host>/<framework>/<channel>`, at most 255 bytes."""
    if type(value) is str:
        if value in _origins:
            return value
        parts = value.split("/") if len(value) <= 255 else []
        patterns = (_HOST, _FRAMEWORK, _CHANNEL)
        if len(parts) == 3 and all(p.fullmatch(part) for p, part in zip(patterns, parts, strict=True)):
            return _remember(_origins, value)
    raise wrong(where, "is not a log origin <host>/<framework>/<channel>")


def channel_of(log: str) -> str:
    """The channel slug of a checked origin."""
    return log.rpartition("/")[2]


def message_type(value: Any, where: str = "type") -> str:
    """`threat/assessment/1`: family, name, version."""
    if type(value) is str:
        if value in _types:
            return value
        if len(value) > MAX_TYPE:
            raise wrong(where, f"is longer than {MAX_TYPE} characters")
    return _remember(_types, _matches(_TYPE, value, where, "a message type such as threat/assessment/1"))


def family_of(message_type: str) -> str:
    """Everything before the last two slashes: `ee.mod.drone` of `ee.mod.drone/sighting/1`."""
    return message_type.rsplit("/", 2)[0]


def reference(node: str, channel: str, seq: int) -> str:
    """How a message is quoted on the telephone: `EST/mod-1/counter-terrorism/417`."""
    return f"{node}/{channel}/{seq}"


def uuid7(now: int, random: bytes) -> bytes:
    """RFC 9562 section 5.7: 48 bits of milliseconds, then 74 random bits. `random` is 10 bytes."""
    rand_a = int.from_bytes(random[:2], "big") & 0x0FFF
    rand_b = int.from_bytes(random[2:10], "big") & ((1 << 62) - 1)
    value = (now & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return value.to_bytes(16, "big")


def message_id(value: Any, where: str = "id") -> bytes:
    """A UUIDv7 as 16 bytes: version and variant bits checked."""
    if type(value) is bytes and len(value) == 16 and value[6] >> 4 == 7 and value[8] >> 6 == 0b10:
        return value
    blob(value, where, size=16)
    raise wrong(where, "is not a UUIDv7")


def id_time(value: bytes) -> int:
    """Milliseconds since 1970 inside a checked UUIDv7: the time of composition."""
    return int.from_bytes(value[:6], "big")
