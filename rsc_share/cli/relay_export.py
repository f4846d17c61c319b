"""`rsc-share relay export`: what an auditor replays, from the store of a relay that may go on meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from rsc_share import names
from rsc_share.audit.attachments import blob_file
from rsc_share.audit.export import write_export
from rsc_share.cli.ask import AsJson
from rsc_share.cli.bars import bars
from rsc_share.cli.files import must_be_free
from rsc_share.cli.output import GOOD, LOOK, WRONG, note, rows, say, show
from rsc_share.cli.relay_files import checked_settings, passphrase_of
from rsc_share.crypto.keystore import Keystore
from rsc_share.errors import LocalError
from rsc_share.handover import source_of
from rsc_share.node.identity import system_clock
from rsc_share.relay.net.settings import MEMORY, Settings
from rsc_share.relay.store.copying import Copied, copy_of
from rsc_share.relay.store.copying_blobs import CopiedBlobs, copy_blobs
from rsc_share.relay.store.file_blobs import FOLDER


def export(
    config: Annotated[Path, typer.Argument(help="The relay's settings, relay.toml.")],
    out: Annotated[Path, typer.Argument(help="New or empty folder for the export.")],
    blobs: Annotated[Path | None, typer.Option(help="New folder for attachments; without it they stay here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything the relay's logs hold for an auditor, beside a running relay or without one.

    Each log ends with the newest checkpoint that enough members have cosigned. The manifest is signed with the log's
    key. Attachments above 64 KB are copied only with --blobs, into a folder of their own. It is all ciphertext, but
    headers say who wrote to whom under which label: hand it to the auditor only.
    """
    settings = checked_settings(config)
    if settings.store == MEMORY:
        raise LocalError(f"{config} keeps its logs in memory: nobody else can read them", code="store")
    if blobs is not None:
        must_be_free(blobs)
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
    kept = CopiedBlobs() if blobs is None else _blobs(settings, copied, blobs)
    if as_json:
        logs = {item.origin: len(item.entries) for item in copied.snapshots}
        show({"left_out": dict(copied.left_out), "logs": logs, "manifest": manifest, "out": str(out), **_counts(kept)})
        return
    lines = [
        ([names.channel_of(item.origin), str(len(item.entries)), str(copied.left_out[item.origin])], GOOD)
        for item in copied.snapshots
    ]
    rows(["log", "entries", "not yet witnessed"], lines)
    say(f"{out}: manifest {manifest}", GOOD)
    if any(copied.left_out.values()):
        say("What is not yet witnessed is left out: export again when members have cosigned it.", LOOK)
    if blobs is not None:
        say(f"{blobs}: {len(kept.copied)} attachments", GOOD)
    for digest in kept.damaged:
        say(f"Attachment {digest.hex()} is damaged and was not copied: run relay check.", WRONG)
    for digest in kept.gone:
        say(f"Attachment {digest.hex()} is not here any more.", LOOK)
    note(
        f"rsc-share audit replay {quote(str(out))} --charter-digest {settings.charter.hex()}"
        + (f" --blobs {quote(str(blobs))}" if blobs else "")
    )


def _blobs(settings: Settings, copied: Copied, out: Path) -> CopiedBlobs:
    with bars(of_bytes=True) as report:
        return copy_blobs(Path(settings.store) / FOLDER, copied.snapshots, out, blob_file, report)


def _counts(kept: CopiedBlobs) -> dict[str, dict[str, int]]:
    counts = {"copied": kept.copied, "damaged": kept.damaged, "gone": kept.gone}
    return {"blobs": {name: len(digests) for name, digests in counts.items()}}
