"""Rows 2 to 5: which log, who sends, whose signature, under which trust."""

from __future__ import annotations

from collections.abc import Hashable

from rsc_share.crypto.signing import PublicKey
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.parts import Head
from rsc_share.envelope.signature import verify_block
from rsc_share.errors import Refused, RemoteError
from rsc_share.log.checkpoint import checkpoint_text
from rsc_share.rulebook.case import Case


def right_log(case: Case) -> None:
    """Row 2: the entry names this log, and the charter in force knows it."""
    log = case.header.log
    if log != case.view.log:
        raise Refused("unknown-log", f"the entry is for {log}", row=2, log=log, here=case.view.log)
    if log not in case.at.logs:
        raise Refused("unknown-log", f"no channel of the charter has the log {log}", row=2, log=log)


def heads_signed(case: Case) -> None:
    """Row 2: `seen` and `directory` are what the logs signed, not what the sender says they signed."""
    h, view, signatures = case.header, case.at, case.view.signatures
    for origin, head, where in ((h.log, h.seen, "seen"), (view.directory, h.directory, "directory")):
        spec = view.logs.get(origin)
        if spec is None:
            continue
        key = spec.ed25519
        mark = ("head", key.key_id, origin, head)
        if not signatures.knows(mark):
            _verify_head(signatures, mark, key, origin, head, where)


def _verify_head(signatures: VerifyCache, mark: Hashable, key: PublicKey, origin: str, head: Head, where: str) -> None:
    try:
        signatures.once(mark, key, lambda: checkpoint_text(origin, head.size, head.root), head.signature)
    except RemoteError:
        raise Refused("malformed", f"{where}: not signed by the log {origin}", row=2, where=where) from None


def certified_sender(case: Case) -> None:
    """Row 3: the sender is certified, active and not revoked; the key is the sender's own."""
    if case.signed.block.key_id != case.certificate.signing.key_id:
        raise Refused("unknown-sender", f"the key is not {case.header.sender}'s", row=3, sender=case.header.sender)


def sender_may_send_here(case: Case) -> None:
    """Row 3: the sender takes part in this channel and realm, and its role sends this kind of entry."""
    case.at.sender(case.header.sender, case.now, case.header.log, case.header.kind)


def signed_by_sender(case: Case) -> None:
    """Row 4: the batch signature, over realm, size and root."""
    try:
        verify_block(
            case.signed.block,
            case.signed.header_hash,
            case.certificate.signing,
            case.at.framework_id,
            case.channel.realm,
            case.view.signatures,
        )
    except RemoteError as error:
        raise Refused("bad-signature", error.what, row=4, sender=case.header.sender) from None


def directory_not_stale(case: Case) -> None:
    """Row 5: the sender knew every directory entry older than 2 LAG."""
    directory, acted = case.view.directory, case.header.directory.size
    if directory.grew_before(acted, case.settled):
        due = directory.size_logged_before(case.settled)
        raise Refused(
            "stale-directory",
            f"acted on {acted} directory entries where {due} were known to all",
            row=5,
            advice="fetch the directory and sign again",
            had=acted,
            needs=due,
        )


def directory_not_ahead(case: Case) -> None:
    """Row 5: nobody acts on more than the relay stamped, nor the relay on more than k members have witnessed."""
    stamped = case.stamp.directory
    if case.header.directory.size > stamped:
        raise Refused("directory-ahead", "acted on a newer directory than the stamp", row=5, stamped=stamped)
    if stamped > case.view.witnessed:
        raise Refused("directory-ahead", "the stamp names an unwitnessed directory", row=5, stamped=stamped)


def directory_same(case: Case) -> None:
    """Row 5: the directory the sender acted on is a prefix of ours."""
    head = case.header.directory
    if case.view.directory_root(head.size) != head.root:
        raise Refused(
            "equivocation", "the directory log signed two different trees", row=5, size=head.size, log="directory"
        )
