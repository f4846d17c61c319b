"""Who must sign a charter, counted in integers over every party with role `member` of a version.

Suspended members count in N and not as signers: if they left N, six of nine could suspend three, then four of six
two, and two states would own the framework. Version N+1 needs the quorum of N **and** of N+1 (TUF 5.3); what takes
something away from a member against its will needs `quorum_remove` of N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share.charter.keyring import KeyRing
from rsc_share.charter.model import Charter, Fraction, Member
from rsc_share.charter.objects import Signatures, read_signatures, write_signatures
from rsc_share.codec import pack, unpack
from rsc_share.crypto.signing import PublicKey, Signer, signed_bytes, verify
from rsc_share.errors import RemoteError

ZERO_ID = bytes(32)
"""The framework id that version 1 is signed under: its own hash is not known before it is written."""
MAX_SIGNATURES = 512
MAX_BYTES = 2_097_152


@dataclass(frozen=True, slots=True)
class Version:
    """A charter with the keys beside it."""

    charter: Charter
    ring: KeyRing

    def authority(self, code: str) -> PublicKey:
        return self.ring[self.charter.members[code].authority]


@dataclass(frozen=True, slots=True)
class Tally:
    """Who has signed a charter and what is still missing. Counts are members; `missing` are codes that must sign."""

    signed: frozenset[str]
    missing: tuple[str, ...]
    old: tuple[int, int]
    new: tuple[int, int]

    @property
    def complete(self) -> bool:
        return not self.missing and self.old[0] >= self.old[1] and self.new[0] >= self.new[1]


def sign_charter(text: bytes, framework_id: bytes | None, signer: Signer) -> bytes:
    """A member authority's signature over the exact bytes of a text; `framework_id` None signs version 1."""
    return signer.sign(signed_bytes("charter", signer.public.suite, framework_id or ZERO_ID, text))


def pack_signatures(signatures: Signatures) -> bytes:
    """The signatures body: msgpack `[[key id, signature], ...]` in rising order of key id."""
    return pack(write_signatures(signatures))


def parse_signatures(data: bytes) -> dict[bytes, bytes]:
    value: Any = unpack(data, max_size=MAX_BYTES, max_items=MAX_SIGNATURES, max_depth=3)
    return read_signatures(value, "signatures", MAX_SIGNATURES)


def tally(old: Version | None, new: Version, framework_id: bytes | None, signatures: Signatures) -> Tally:
    """Verify every signature and count. Raises `RemoteError` for a signature that is wrong or nobody's."""
    known = {key.key_id: key for key in _authorities(new)}
    if old is not None:
        known |= {key.key_id: key for key in _authorities(old)}
    for key_id, signature in signatures.items():
        if key_id not in known:
            raise RemoteError(f"a signature by {key_id.hex()[:16]}…, which is no party's authority", code="quorum")
        key = known[key_id]
        verify(key, signed_bytes("charter", key.suite, framework_id or ZERO_ID, new.charter.text), signature)
    signers = frozenset(signatures)
    if old is None:
        everyone = tuple(new.charter.members)
        missing = tuple(code for code in everyone if not _signed(new, code, signers))
        return Tally(frozenset(everyone) - set(missing), missing, (0, 0), _count(new, new.charter.quorum, signers))
    return _amendment(old, new, signers)


def _amendment(old: Version, new: Version, signers: frozenset[bytes]) -> Tally:
    codes = old.charter.members.keys() | new.charter.members.keys()
    signed = {code for code in codes if _signed(old, code, signers) or _signed(new, code, signers)}
    missing = [code for code in consents(old.charter, new.charter) if not _signed(new, code, signers)]
    rule = old.charter.quorum
    if takes_away(old.charter, new.charter) or _replaced_unasked(old, new, signers):
        rule = old.charter.quorum_remove
    return Tally(
        frozenset(signed), tuple(missing), _count(old, rule, signers), _count(new, new.charter.quorum, signers)
    )


def check_quorum(old: Version | None, new: Version, framework_id: bytes | None, signatures: Signatures) -> Tally:
    """Raise `RemoteError` (`quorum`) unless the signatures are enough; all founders for version 1."""
    found = tally(old, new, framework_id, signatures)
    if found.missing:
        raise RemoteError(f"{', '.join(found.missing)} must sign and did not", code="quorum", missing=found.missing)
    for which, (have, need) in (("the version before", found.old), ("this version", found.new)):
        if have < need:
            raise RemoteError(f"{have} of the {need} members that {which} needs have signed", code="quorum")
    return found


def consents(old: Charter, new: Charter) -> tuple[str, ...]:
    """Parties that must sign for themselves: who joins, becomes a member, or has other keys or nodes than before."""
    return tuple(code for code, member in new.members.items() if _needs_consent(old.members.get(code), member))


def _needs_consent(before: Member | None, after: Member) -> bool:
    if before is None or (after.role == "member" and before.role != "member"):
        return True
    return (before.authority, before.duty, before.nodes) != (after.authority, after.duty, after.nodes)


def takes_away(old: Charter, new: Charter) -> bool:
    """A member removed or demoted, or either quorum lowered: else N+1 lowers it and N+2 removes whom it likes."""
    states = {member.code for member in new.states()}
    return (
        any(member.code not in states for member in old.states())
        or _lower(new.quorum, old.quorum)
        or _lower(new.quorum_remove, old.quorum_remove)
    )


def _lower(new: Fraction, old: Fraction) -> bool:
    return new.part * old.whole < old.part * new.whole


def _replaced_unasked(old: Version, new: Version, signers: frozenset[bytes]) -> bool:
    """A state's authority exchanged without the old key's signature: lost, or taken from it."""
    both = old.charter.members.keys() & new.charter.members.keys()
    return any(
        old.authority(code) != new.authority(code) and old.authority(code).key_id not in signers for code in both
    )


def _count(version: Version, rule: Fraction, signers: frozenset[bytes]) -> tuple[int, int]:
    states = version.charter.states()
    have = sum(1 for member in states if member.votes and version.authority(member.code).key_id in signers)
    return have, rule.needed(len(states))


def _signed(version: Version, code: str, signers: frozenset[bytes]) -> bool:
    return code in version.charter.members and version.authority(code).key_id in signers


def _authorities(version: Version) -> list[PublicKey]:
    return [version.authority(code) for code in version.charter.members]


def concerns(charter: Charter) -> tuple[str, ...]:
    """What is allowed and unwise, in sentences, for `charter new` and the printed page."""
    states = charter.states()
    found = []
    if charter.quorum.part * 3 < charter.quorum.whole * 2:
        found.append(f"The quorum of {charter.quorum} is below the recommended 2/3.")
    if charter.quorum_remove.needed(len(states)) > len(states) - 1:
        found.append("No member can ever be removed: its own signature would be needed.")
    witnesses = min((_witness_count(charter, host) for host in charter.relays), default=0)
    if witnesses < 4:
        found.append(f"Some log has {witnesses} witnesses; with fewer than four the framework runs degraded.")
    if charter.witness_quorum > witnesses - 1:
        found.append("One silent member stops witnessing: witness_quorum leaves no room for it.")
    return tuple(found)


def _witness_count(charter: Charter, host: str) -> int:
    return sum(1 for member in charter.states() if member.votes and member.code != charter.relays[host].operator)
