"""Whether an entry was made by whom it names. Anybody who runs a log can put an entry into it in somebody's name."""

from __future__ import annotations

from functools import cached_property

from rsc_share.audit.trust import Trust
from rsc_share.crypto.signing import PublicKey
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.signature import verify_block
from rsc_share.errors import RemoteError
from rsc_share.policy.subject import REALMS


class Makers:
    """Whose keys were whose, at any time. A view forgets a member that leaves, and what a charter no longer names."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    @cached_property
    def _keys(self) -> dict[tuple[str, bytes], PublicKey]:
        """By node and key id; gathered once somebody asks."""
        found: dict[tuple[str, bytes], PublicKey] = {}
        for size in self._trust.remembering if self._trust.usable else ():
            for party in self._trust.directory.at(size).state.parties.values():
                for fact in (fact for facts in party.nodes.values() for fact in facts):
                    made = fact.certificate
                    found[made.name, made.signing.key_id] = made.signing
        return found

    def made(self, signed: Signed) -> bool:
        """Whether a key that was ever certified for the sender has signed it: a revoked one too, for any realm.

        The rulebook does not ask this: it stops at the first row that fails, and that may be one before the signature.
        """
        block, framework_id = signed.block, self._trust.directory.framework_id
        key, cache = self._keys.get((signed.header.sender, block.key_id)), VerifyCache()
        if key is None:
            return False
        for realm in REALMS:
            try:
                verify_block(block, signed.header_hash, key, framework_id, realm, cache)
            except RemoteError:
                continue
            return True
        return False
