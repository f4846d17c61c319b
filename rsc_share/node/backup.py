"""A node's backup: what a new instance may know of the one that was lost. One file, sealed.

    file   = frame* ; frame = u32 length || bytes
    first  = msgpack ["rsc-share/v1 node backup of form 3", keystore file, salt16, header24]
    others = secretstream (XChaCha20-Poly1305) messages under BLAKE2b(key = state secret, salt); the last one is final
             plaintext: msgpack [node.toml, time in ms], then msgpack [[room, log, key, value], ...]

The keystore in the file opens with the node's passphrase of that day, and holds the state secret.

What is left out is the point: prekeys and grant keys, or forward secrecy ends in a safe; witness heads and sequence
state, or an old backup signs twice. The new instance makes prekeys, reads the log from its beginning, takes its numbers
from there, and cosigns from the newest tree that k others have cosigned.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

from nacl import bindings as stream
from nacl.exceptions import CryptoError
from nacl.exceptions import RuntimeError as SodiumError

from rsc_share import codec, shape
from rsc_share.crypto.keystore import Keystore
from rsc_share.durable import sync_folder, write_whole
from rsc_share.errors import LocalError, RemoteError, StorageError
from rsc_share.node.home import CONFIG, FOLDERS, KEYS, STATE, STATE_KEY, Home, Settings
from rsc_share.node.instance import LOGS, Instance
from rsc_share.node.store.protocol import NODE, Room, Shelf, Store
from rsc_share.node.store.segments import KEY_SIZE
from rsc_share.node.store.sqlite import SqliteStore

TYPE: Final = "rsc-share/v1 node backup of form 3"
ROOMS: Final = (
    Room.ALARM,
    Room.PENDING,
    Room.ITEM,
    Room.PAYLOAD,
    Room.TICKET,
    Room.PLACE,
    Room.KEY,
    Room.ADDRESSED,
    Room.CONFIRMED,
    Room.EVENT,
    Room.HELD,
    Room.NOTICE,
    Room.CURSOR,
    Room.ARRIVED,
    Room.NAMED,
)
"""Everything else stays behind. A room that is added later is left out until somebody puts it here."""
_OF_PROCESS: Final = ("grant", "heartbeat")
"""Items that say something about the instance that made them."""
_FRAME: Final = 1 << 18
_MAX_FRAME: Final = 1 << 25
_MAX_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Contents:
    """An opened backup."""

    settings: bytes
    time: int
    rows: tuple[tuple[Room, str, bytes, bytes], ...]


def write_backup(out: Path, home: Home, store: Store, now: int) -> int:
    """Write a new file; the number of rows in it. Raises `LocalError` (it exists), `StorageError`."""
    settings, keystore, secret = home.settings, home.path / KEYS, home.state_secret()
    salt, state = os.urandom(16), stream.crypto_secretstream_xchacha20poly1305_state()
    header = stream.crypto_secretstream_xchacha20poly1305_init_push(state, _key(secret, salt))
    count = 0
    try:
        with open(out, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            _frame(file, codec.pack([TYPE, keystore.read_bytes(), salt, header]))
            _sealed(file, state, codec.pack([settings.text().encode(), now]))
            for batch in _batches(_rows(store)):
                count += len(batch)
                _sealed(file, state, codec.pack(batch))
            _sealed(file, state, codec.pack([]), stream.crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(out.parent)
    except FileExistsError:
        raise LocalError(
            f"{out} exists", code="exists", advice="name a new file: backups are never overwritten"
        ) from None
    except OSError as error:
        out.unlink(missing_ok=True)
        raise StorageError(f"{out} cannot be written: {error.strerror}", code="not-written") from error
    except BaseException:  # of the store it is read from
        out.unlink(missing_ok=True)
        raise
    return count


def _rows(store: Store) -> Iterator[list[Any]]:
    logs = [NODE, *(Shelf(store).get(Room.META, LOGS) or ())]
    for log in logs:
        left_out = {key for key, value in store.rows(Room.ITEM, log) if _kind(value) in _OF_PROCESS}
        for room in ROOMS:
            for key, value in store.rows(room, log):
                if key not in left_out or room not in (Room.ITEM, Room.PAYLOAD):
                    yield [int(room), log, key, value]


def _kind(item: bytes) -> str:
    """An item begins with its place in the queue."""
    return str(codec.unpack(item, max_size=_MAX_FRAME, max_items=_MAX_ROWS)[1])


def _batches(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = []
    weight = 0
    for row in rows:
        batch.append(row)
        weight += len(row[3]) + 64
        if weight >= _FRAME:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def read_backup(path: Path, passphrase: bytes, scratch: Path) -> Contents:
    """What is in a backup. Its keystore is left in the file `scratch`.

    Raises `LocalError` (`wrong-passphrase`, `no-backup`), `StorageError` (`damaged-backup`).
    """
    try:
        with path.open("rb") as file:
            kind, keystore, salt, header = shape.row(_unpacked(_next(file)), "backup", 4)
            shape.choice(kind, "backup.type", [TYPE])
            write_whole(scratch, shape.blob(keystore, "keystore", high=1 << 20), mode=0o600)
            secret = Keystore.open(scratch, passphrase).secret(STATE_KEY)
            frames = _opened(file, _key(secret, salt), header)
            settings, time = shape.row(_unpacked(next(frames)), "backup", 2)
            rows = [row for frame in frames for row in shape.items(_unpacked(frame), "rows", high=_MAX_ROWS)]
    except FileNotFoundError:
        raise LocalError(f"there is no backup {path}", code="no-backup") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", code="damaged-backup") from error
    except (RemoteError, CryptoError, SodiumError, StopIteration, struct.error) as error:
        raise StorageError(
            f"{path} is damaged or cut off: {error}", code="damaged-backup", advice="take an older one"
        ) from None
    return Contents(settings, time, tuple((Room(room), log, key, value) for room, log, key, value in rows))


def _opened(file: BinaryIO, key: bytes, header: bytes) -> Iterator[bytes]:
    state = stream.crypto_secretstream_xchacha20poly1305_state()
    stream.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
    while True:
        frame, tag = stream.crypto_secretstream_xchacha20poly1305_pull(state, _next(file))
        yield frame
        if tag == stream.crypto_secretstream_xchacha20poly1305_TAG_FINAL:
            return


async def restore(path: Path, folder: Path, passphrase: bytes) -> Contents:
    """Make `folder` the home of a new instance. Raises as `read_backup`, and `LocalError` where a node is already.

    The settings come last: a crash before that leaves a folder that is no node. An error leaves nothing: who has
    mistyped the passphrase names the same folder again.
    """
    with _all_or_nothing(folder):
        return await _restored(path, folder, passphrase)


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    there = folder.exists()
    if there and any(folder.iterdir()):
        raise LocalError(f"{folder} is not empty", code="exists", advice="restore into a new folder")
    try:
        yield
    except BaseException:
        for part in FOLDERS:
            shutil.rmtree(folder / part, ignore_errors=True)
        if not there:
            with suppress(OSError):
                folder.rmdir()
        raise


async def _restored(path: Path, folder: Path, passphrase: bytes) -> Contents:
    contents, settings, store = _prepared(path, folder, passphrase)
    try:
        Instance(os.urandom(16), settings.node, follows=True).begin(Shelf(store))
        for room, log, key, value in contents.rows:
            store.put(room, log, key, value)
        # The charter need not have all of them any more: what is left of a closed one is read by its name here.
        Shelf(store).put(Room.META, LOGS, sorted({log for _, log, *_ in contents.rows} - {NODE}))
        await store.commit()
    finally:
        await store.close()
    write_whole(folder / CONFIG, contents.settings)
    return contents


def _prepared(path: Path, folder: Path, passphrase: bytes) -> tuple[Contents, Settings, Store]:
    """A home folder without settings: keystore, empty store, and what is to go into it."""
    for part in FOLDERS:
        (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    contents = read_backup(path, passphrase, folder / KEYS)
    keystore = Keystore.open(folder / KEYS, passphrase)
    keystore.remove(STATE_KEY)  # no copy of an earlier state opens under the new one
    keystore.put(STATE_KEY, os.urandom(KEY_SIZE))
    keystore.save()
    settings = Settings.parse(contents.settings, str(path))
    return contents, settings, SqliteStore.open(folder / STATE, keystore.secret(STATE_KEY))


def _key(secret: bytes, salt: bytes) -> bytes:
    return blake2b(key=secret, salt=salt, digest_size=32, person=b"rsc-share backup").digest()


def _frame(file: BinaryIO, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + data)


def _sealed(
    file: BinaryIO, state: Any, data: bytes, tag: int = stream.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
) -> None:
    _frame(file, stream.crypto_secretstream_xchacha20poly1305_push(state, data, tag=tag))


def _next(file: BinaryIO) -> bytes:
    (length,) = struct.unpack(">I", file.read(4))
    if length > _MAX_FRAME:
        raise shape.wrong("backup", f"a frame of {length} bytes")
    data = file.read(length)
    if len(data) != length:
        raise shape.wrong("backup", "ends in the middle")
    return data


def _unpacked(data: bytes) -> Any:
    return codec.unpack(data, max_size=_MAX_FRAME, max_items=_MAX_ROWS)


def summary(contents: Contents) -> Mapping[str, int]:
    """How many rows of which room."""
    return {room.name.lower(): sum(row[0] is room for row in contents.rows) for room in ROOMS}
