"""What the floor is measured with: CPU by party and kind of work, TLS 1.3 on loopback, rows that are synced."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import sqlite3
import ssl
import time
from collections import Counter
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import msgspec

from rsc_share.crypto.tls import self_signed
from rsc_share.node.identity import system_clock
from rsc_share.node.net.pins import client_context
from rsc_share.relay.net.tls import server_context
from rsc_share.session.table import MAX_FRAME

SIGNATURES, HASHES, SEALING, FORMS, ROWS, TLS = KINDS = ("signatures", "hashes", "sealing", "forms", "rows", "TLS")
RECORD = 16_384
PIECE = 65_536
"""Bytes for one call of the system: what a loopback's buffers take from one thread without anybody reading."""
PAYLOAD = MAX_FRAME - 64
LAPS, CALIBRATIONS = 2_000, 9
_MALLOC = {-1: 1 << 29, -2: 1 << 26, -3: 1 << 25}
"""glibc's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD, in bytes."""
Spent = dict[tuple[str, str], float]
"""us by party and kind of work."""
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


class Laps:
    """CPU of this process since the lap before, by party and kind. What the clock itself takes is measured, and taken
    off: with few messages to a batch it would be a percent."""

    def __init__(self) -> None:
        self._spent: Counter[tuple[str, str]] = Counter()
        self._laps: Counter[tuple[str, str]] = Counter()
        self._last = 0

    def begin(self) -> None:
        """What was done since the last lap is nobody's."""
        self._last = time.process_time_ns()

    def __call__(self, party: str, kind: str) -> None:
        now = time.process_time_ns()
        self._spent[party, kind] += now - self._last
        self._laps[party, kind] += 1
        self._last = time.process_time_ns()

    def microseconds(self, messages: int) -> Spent:
        """For each message."""
        own = own_cost()
        return {key: max(0.0, spent - own * self._laps[key]) / 1e3 / messages for key, spent in self._spent.items()}

    def spent(self, party: str, kind: str) -> int:
        return self._spent[party, kind]


@cache
def own_cost() -> float:
    """ns that a lap finds where nothing was done."""
    found = []
    for _ in range(CALIBRATIONS):
        empty = Laps()
        empty.begin()
        for _ in range(LAPS):
            empty("", "")
        found.append(empty.spent("", "") / LAPS)
    return min(found)


def keep_memory() -> None:
    """Let this process keep what it has freed, where its C library can be told to: a page that is given back and asked
    for again costs as much as a signature's share, and is nobody's floor."""
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in _MALLOC.items():
            mallopt(option, value)


class Ends:
    """One connection with both ends in this thread: TLS 1.3 as the library sets it up, bytes through the kernel."""

    def __init__(self, node: str, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.node = node
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        self._relay, self._node = _End(server, far, server=True), _End(client, near, server=False)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _shake_hands(self._relay, self._node)

    def up(self, body: bytes, laps: Laps) -> bytes:
        """From the node to the relay. What has arrived there."""
        return _carried(self._node, self._relay, body, laps, (self.node, "relay"))

    def down(self, body: bytes, laps: Laps) -> bytes:
        return _carried(self._relay, self._node, body, laps, ("relay", self.node))

    def close(self) -> None:
        self._relay.socket.close()
        self._node.socket.close()


class _End:
    def __init__(self, context: ssl.SSLContext, made: socket.socket, *, server: bool) -> None:
        self.socket = made
        self.coming, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.leaving, server_side=server)

    def tried(self, other: _End) -> bool:
        """Whether its handshake is done. What it has to say goes to the other end."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            other.coming.write(self.leaving.read())
        return True


def _shake_hands(one: _End, other: _End) -> None:
    while not all([one.tried(other), other.tried(one)]):
        pass


def _carried(sender: _End, receiver: _End, body: bytes, laps: Laps, parties: tuple[str, str]) -> bytes:
    """Frames of the session's size in TLS records, through the system to the other end, and together again.

    WebSocket's own header and mask are left out: the other end is told how long each frame is.
    """
    frames = [encode(["more", 0, body[at : at + PAYLOAD]]) for at in range(0, len(body), PAYLOAD)]
    for frame in frames:
        sender.tls.write(frame)
    sealed = memoryview(sender.leaving.read())
    for at in range(0, len(sealed), PIECE):
        piece = sealed[at : at + PIECE]
        sender.socket.sendall(piece)
        laps(parties[0], TLS)
        _received(receiver, len(piece))
        laps(parties[1], TLS)
    found = _opened(receiver, [len(frame) for frame in frames])
    laps(parties[1], TLS)
    return found


def _received(end: _End, left: int) -> None:
    while left:
        piece = end.socket.recv(PIECE)
        end.coming.write(piece)
        left -= len(piece)


def _opened(end: _End, sizes: list[int]) -> bytes:
    read, coming, pieces = end.tls.read, end.coming, []
    while coming.pending:
        pieces.append(read(RECORD))
    plain, at, found = b"".join(pieces), 0, []
    for size in sizes:
        found.append(decode(plain[at : at + size])[2])
        at += size
    return b"".join(found)


def make_tls(folder: Path) -> None:
    key, certificate = self_signed("relay.example", system_clock())
    (folder / "tls.key").write_bytes(key)
    (folder / "tls.crt").write_bytes(certificate)


def lines(nodes: list[str], folder: Path, stack: ExitStack) -> dict[str, Ends]:
    """A connection for each node to one relay."""
    make_tls(folder)
    server, client = server_context(folder / "tls.crt", folder / "tls.key"), client_context()
    found = {node: Ends(node, server, client) for node in nodes}
    for ends in found.values():
        stack.callback(ends.close)
    return found


class Rows:
    """One SQLite database, every commit synced, with what a party must find again after a crash."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, entry BLOB, beside BLOB, body BLOB)")

    def keep(self, rows: list[tuple[int, bytes, bytes, bytes]]) -> None:
        """Durable when it returns."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def keep_in_turn(self, first: int, body: bytes, messages: int, together: int) -> None:
        """`body` in as many commits as `messages` need, where only so many wait `together`; 0: all of them."""
        commits = -(-messages // together) if together else 1
        size = -(-len(body) // commits)
        for number in range(commits):
            self.keep([(first + number, body[number * size : (number + 1) * size], b"", b"")])

    def close(self) -> None:
        self._db.close()
