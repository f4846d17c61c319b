"""The end of the directory's story: rules that a reader could get wrong without any vector before it noticing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rsc_share.charter.model import Charter, Fraction, Member
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.crypto.signing import PublicKey, Suite
from rsc_share.testing.vectors.framework import ALL, Framework
from rsc_share.testing.vectors.material import DAY, MINUTE
from rsc_share.value import replace

Ask = Callable[[], None]


def more(f: Framework, ask: Ask) -> None:
    """Goes on where the amendments end: version 2 is in force and LTU is suspended."""
    _names(f)
    _confirmations(f, ask)
    _forks(f)
    _consents(f, ask)
    _removals(f, ask)
    _named_again(f, ask)


def _spoilt(data: bytes, by: bytes) -> bytes:
    """The object with another signature by the key `by`: as long, and wrong."""
    found = UnverifiedObject.parse(data)
    signature = found.signatures[by]
    wrong = bytes([signature[0] ^ 1]) + signature[1:]
    return UnverifiedObject(found.kind, found.content, {**found.signatures, by: wrong}).pack()


def _names(f: Framework) -> None:
    own, fresh = f.signing("LVA/mod-1"), f.node("LVA/mod-4")
    countersigned = f.certify(fresh, own)
    f.log(_spoilt(countersigned, own.public.key_id), "countersigned by the right key, with a wrong signature")
    f.log(_spoilt(countersigned, f.authority("LVA").public.key_id), "a wrong signature of the authority")
    half = PublicKey(Suite.ED25519, f.authority("EST").public.raw[:32])
    f.log(f.certify(f.node("LVA/mod-4", signing=half)), "the Ed25519 half of EST's authority as a node's key")
    f.log(f.certify(f.node("LVA/mod-4", signing=f.witness("LVA/mod-4")[0].public)), "one key twice in one certificate")
    f.log(f.certify(f.officer("EST/mod-2")), "an officer with the name of a node that was revoked")
    f.log(f.certify(f.node("EST/duty-1")), "a node with the name of an officer")
    before = f.node("FIN/mod-5")
    f.log(f.revoke("FIN/mod-5", subject="officer"), "a revocation of a name without any certificate")
    f.log(f.certify(before), "issued before the revocation of its name, which says that it is an officer's")
    f.log(f.certify(f.node("FIN/mod-5"), f.signing("FIN/mod-1")), "issued after it", after=MINUTE)


def _confirmations(f: Framework, ask: Ask) -> None:
    """A confirmation revokes nothing that came later, and is a newer revocation all the same."""
    issued = f.now
    f.log(f.revoke("LVA/mod-2", by=f.duty("LVA"), issued=issued), "LVA's duty key revokes LVA/mod-2")
    renewed = f.certify(replace(f.node("LVA/mod-2"), issued=f.now + 5 * MINUTE), f.signing("LVA/mod-1"))
    f.log(renewed, "LVA/mod-2 is certified again", after=5 * MINUTE)
    f.log(f.publish("LVA/mod-2"), "and publishes a prekey")
    ask()
    f.log(f.revoke("LVA/mod-2", issued=issued), "LVA's authority confirms the old revocation: that prekey goes")
    ask()
    f.log(f.publish("LVA/mod-2", 2), "LVA/mod-2 publishes another prekey", after=11 * MINUTE)


def _forks(f: Framework) -> None:
    first = f.first
    other = f.parsed(replace(f.charter, valid=(first.valid[0], first.valid[1] - DAY), previous=first.digest))
    f.log(f.signed(other, f.id, "EST", "FIN"), "another version 2, which has no quorum")
    f.log(f.signed(other, f.id, "EST", "FIN", "LVA"), "another version 2 with a quorum")


def _amend(f: Framework, why: str, signers: tuple[str, ...], **changes: Any) -> None:
    """The next version, signed by these; it is the charter from here on if it applies."""
    charter = f.next(**changes)
    if f.log(f.signed(charter, f.id, *signers), why) is None:
        f.charter = charter


def _with(charter: Charter, code: str, **changes: Any) -> dict[str, Member]:
    return {**charter.members, code: replace(charter.members[code], **changes)}


def _node(charter: Charter, name: str, **changes: Any) -> dict[str, Member]:
    code = name[:3]
    nodes = charter.members[code].nodes
    return _with(charter, code, nodes={**nodes, name: replace(nodes[name], **changes)})


def _consents(f: Framework, ask: Ask) -> None:
    """In person: who joins, becomes a member, or has other keys or nodes than before."""
    three = ("EST", "FIN", "LVA")
    _amend(f, "LTU is no longer suspended: 3 of 4", three, members=_with(f.charter, "LTU", suspended=False))
    lower = _node(f.charter, "LTU/mod-1", accreditation={"REGIONAL": "RESTRICTED"})
    _amend(f, "LTU's node gets another accreditation, and LTU has not signed", three, members=lower)
    realms = _node(f.charter, "LTU/mod-1", realms=frozenset({"operational"}))
    _amend(f, "LTU's node gets another realm, and LTU has not signed", three, members=realms)
    role = _node(f.charter, "LTU/mod-1", role="receive")
    _amend(f, "LTU's node gets another role, and LTU has not signed", three, members=role)
    _amend(f, "LTU loses its node, and has not signed", three, members=_with(f.charter, "LTU", nodes={}))
    _amend(f, "LTU loses its duty key, and has not signed", three, members=_with(f.charter, "LTU", duty=None))
    _amend(f, "LTU's node gets another accreditation, and LTU has signed", (*three, "LTU"), members=lower)
    _amend(
        f, "HUB becomes a member, and has not signed", (*three, "LTU"), members=_with(f.charter, "HUB", role="member")
    )
    ask()


def _removals(f: Framework, ask: Ask) -> None:
    """Who takes something away needs quorum_remove of the version before, here all four."""
    three = ("EST", "FIN", "LVA")
    _amend(f, "quorum_remove becomes all of them: 3 of 4 may raise it", three, quorum_remove=Fraction(1, 1))
    without = {code: member for code, member in f.charter.members.items() if code != "LTU"}
    fewer: dict[str, Any] = {"members": without, "witness_quorum": 2}
    _amend(f, "LTU is removed by 3 of 4", three, **fewer)
    observer = _with(f.charter, "LTU", role="observer")
    _amend(f, "LTU becomes an observer by 3 of 4", three, members=observer, witness_quorum=2)
    _amend(f, "quorum_remove is lowered by 3 of 4", three, quorum_remove=Fraction(3, 4))
    _amend(f, "the quorum is lowered by 3 of 4", three, quorum=Fraction(3, 5))
    authority = f.material.key("LTU second authority", Suite.HYBRID).public.fingerprint
    lost = _with(f.charter, "LTU", authority=authority)
    _amend(f, "LTU's authority is replaced by 3 of 4 and by its new key, without its old one", three, members=lost)
    _amend(f, "quorum_remove is lowered by all four", ALL[:4], quorum_remove=Fraction(3, 4))
    ask()


def _named_again(f: Framework, ask: Ask) -> None:
    """A charter does not bring back a key that was revoked."""
    f.log(f.revoke("FIN/mod-1"), "FIN revokes the node that the charter names")
    ask()
    states = ALL[:4]
    named = _node(f.charter, "FIN/mod-1", accreditation={"REGIONAL": "RESTRICTED"})
    _amend(
        f, "the charter names FIN/mod-1 again, with the key that was revoked: it stays revoked", states, members=named
    )
    ask()
    key = f.material.key("FIN/mod-1 second signing").public.fingerprint
    _amend(
        f, "the charter names FIN/mod-1 with another key", states, members=_node(f.charter, "FIN/mod-1", signing=key)
    )
    ask()
    old = f.signing("FIN/mod-1").public.fingerprint
    again = _node(f.charter, "FIN/mod-1", signing=old, accreditation={"REGIONAL": "OPEN"})
    _amend(f, "and with the revoked key once more, which is not the newest: it stays revoked", states, members=again)
    ask()
