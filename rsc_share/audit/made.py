"""Whether an entry was made by whom it names. Anybody who runs a log can put an entry into it in somebody's name."""

from __future__ import annotations

from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.signature import verify_block
from rsc_share.errors import RemoteError
from rsc_share.policy.subject import REALMS


def made_by_sender(view: DirectoryView, signed: Signed) -> bool:
    """Whether a key that was ever certified for the sender has signed it: a revoked one too, for any realm.

    The rulebook does not ask this: it stops at the first row that fails, and that may be one before the signature.
    """
    keys = [fact.certificate.signing for fact in view.node_facts(signed.header.sender)]
    cache, block = VerifyCache(), signed.block
    for key in (key for key in keys if key.key_id == block.key_id):
        for realm in REALMS:
            try:
                verify_block(block, signed.header_hash, key, view.framework_id, realm, cache)
            except RemoteError:
                continue
            return True
    return False
