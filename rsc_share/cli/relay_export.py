"""`rsc-share relay export`: what an auditor replays, from the store of a relay that may go on meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from rsc_share import names
from rsc_share.audit.export import write_export
from rsc_share.cli.ask import AsJson
from rsc_share.cli.output import GOOD, LOOK, note, rows, say, show
from rsc_share.cli.relay_files import checked_settings, passphrase_of
from rsc_share.crypto.keystore import Keystore
from rsc_share.errors import LocalError
from rsc_share.handover import source_of
from rsc_share.node.identity import system_clock
from rsc_share.relay.net.settings import MEMORY
from rsc_share.relay.store.copying import copy_of


def export(
    config: Annotated[Path, typer.Argument(help="The relay's settings, relay.toml.")],
    out: Annotated[Path, typer.Argument(help="New or empty folder for the export.")],
    as_json: AsJson = False,
) -> None:
    """Write everything the relay's logs hold for an auditor, beside a running relay or without one.

    Each log ends with the newest checkpoint that enough members have cosigned. The manifest is signed with the log's
    key. It is all ciphertext, but headers say who wrote to whom under which label: hand it to the auditor only.
    """
    settings = checked_settings(config)
    if settings.store == MEMORY:
        raise LocalError(f"{config} keeps its logs in memory: nobody else can read them", code="store")
    signer = Keystore.open(settings.keystore, passphrase_of(settings)).signer("log")
    copied = asyncio.run(copy_of(Path(settings.store), settings.charter))
    charter = copied.directory.at(copied.directory.size).charter
    if settings.host not in charter.relays:
        raise LocalError(f"the charter names no relay {settings.host}", code="host")
    operator = charter.relays[settings.host].operator
    source = source_of(
        copied.snapshots, copied.directory, framework_id=settings.charter, by=operator, now=system_clock()
    )
    written = write_export(source, out, signer).encode()
    manifest = hashlib.sha256(written).hexdigest()  # as an audit's report names the export
    if as_json:
        logs = {item.origin: len(item.entries) for item in copied.snapshots}
        show({"left_out": dict(copied.left_out), "logs": logs, "manifest": manifest, "out": str(out)})
        return
    lines = [
        ([names.channel_of(item.origin), str(len(item.entries)), str(copied.left_out[item.origin])], GOOD)
        for item in copied.snapshots
    ]
    rows(["log", "entries", "not yet witnessed"], lines)
    say(f"{out}: manifest {manifest}", GOOD)
    if any(copied.left_out.values()):
        say("What is not yet witnessed is left out: export again when members have cosigned it.", LOOK)
    note(f"rsc-share audit replay {out} --charter-digest {settings.charter.hex()}")
