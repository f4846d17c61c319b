"""What SQLite's errors mean for a store: no space, a lock somebody else holds, or the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from rsc_share.errors import StorageError
from rsc_share.relay.store.protocol import Broken, Full

_SHM_GROWS = sqlite3.SQLITE_IOERR_SHMSIZE
CHECK = "the relay must stop now; run its check before the next start"


class Damaged(Broken):
    """`Broken` by what is stored, not by what a caller asked for: the store answers nothing more."""


@contextmanager
def told(what: str) -> Iterator[None]:
    """Errors of SQLite as those of the store protocol, with `what` was being done. For reading and opening."""
    try:
        yield
    except sqlite3.Error as error:
        raise meaning(error, what) from error
    except (TypeError, ValueError) as error:  # a page whose checksum nobody keeps may give back another type
        raise Damaged(f"{what} met a value that was never written: {error}", advice=CHECK) from error


def meaning(error: sqlite3.Error, what: str) -> StorageError:
    """`Full` leaves the store sound, `busy` wrote nothing; after anything else nobody knows what is on disk.

    After a failed sync the kernel may call pages clean that never reached the disk: no retry can be believed.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    # Growing the index of the WAL, which is rebuilt at every start, fails as an I/O error where the disk is full.
    if code & 0xFF == sqlite3.SQLITE_FULL or code == _SHM_GROWS:
        return Full(f"no space while {what}", advice="make room: nothing was written")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        advice = "end the process that holds it: nothing was written"
        return StorageError(
            f"another process holds the store's database, found while {what}", code="busy", advice=advice
        )
    return Damaged(f"{what} failed: {error}", advice=CHECK, sqlite=getattr(error, "sqlite_errorname", ""))
