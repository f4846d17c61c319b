"""What travels beside an entry, checked against its header before the rulebook sees it.

These are rules of the submission, not of the entry: an auditor never sees a submission, so nothing here decides what
may stand in the log. What fails is `malformed` (row 1); bodies that are too large or did not come are the rulebook's to
refuse (row 14), the former before they are looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.crypto.bodies import received_commitment
from rsc_share.envelope.contents import HeartbeatContent
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.parts import Opening
from rsc_share.errors import Refused, RemoteError
from rsc_share.rulebook.bodies import as_named, beside, within_limits
from rsc_share.session.frames import Statement, Submission


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission from its sender's own session, with a header and a block that parse.

    `fault`: what is wrong with what came beside them. It is looked at after row 0: an entry that is in the log already
    gets its receipt again even from a sender who has lost everything beside it.
    """

    signed: Signed
    openings: Mapping[str, Opening]
    statements: tuple[Statement, ...]
    bodies: Mapping[bytes, bytes]
    fault: Refused | None = None

    @property
    def header_hash(self) -> bytes:
        return self.signed.header_hash


@dataclass(frozen=True, slots=True)
class Malformed:
    """A submission whose header or block does not parse: the hash of the bytes sent as its header, and why not."""

    header_hash: bytes
    refused: Refused


def take(submission: Submission, node: str) -> Candidate | Malformed:
    """A submission from the session of `node`.

    Raises `RemoteError` for an entry of another sender: whoever read an entry holds its header and signature, and a
    signed refusal of it, handed to anybody but its sender, would contradict the log.
    """
    try:
        signed = Signed.parse(submission.header, submission.block)
    except RemoteError as error:
        return Malformed(header_hash(submission.header), Refused("malformed", error.what, row=1))
    header = signed.header
    if header.sender != node:
        raise RemoteError(f"an entry of {header.sender} in a session of {node}", code="foreign-sender")
    try:
        return Candidate(
            signed,
            _openings(header, submission.openings),
            _statements(header, submission.statements),
            _bodies(header, submission.bodies),
        )
    except RemoteError as error:
        return Candidate(signed, {}, (), {}, Refused("malformed", error.what, row=1))
    except Refused as refused:
        return Candidate(signed, {}, (), {}, refused)


def _openings(header: Header, openings: tuple[Opening, ...]) -> dict[str, Opening]:
    if len(openings) != len(header.to):
        raise RemoteError(f"{len(openings)} openings for {len(header.to)} recipients")
    return dict(zip(header.nodes, openings, strict=True))


def _statements(header: Header, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """One for each item of `received`, and true: the relay passes each on to the sender it is about."""
    received = header.content.received if isinstance(header.content, HeartbeatContent) else ()
    if len(statements) != len(received):
        raise RemoteError(f"{len(statements)} statements for {len(received)} items of a heartbeat")
    for (sender, commitment), statement in zip(received, statements, strict=True):
        opened = received_commitment(
            log=header.log,
            receiver=header.sender,
            sender=sender,
            header_hash=statement.header_hash,
            state=statement.state,
            salt=statement.salt,
        )
        if opened != commitment:
            raise RemoteError(f"the statement about {sender} does not open what the heartbeat says")
    return statements


def _bodies(header: Header, bodies: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """By digest, named by the header. Nothing is hashed that cannot be all of what the header names.

    None is empty: a row of a body without bytes says that they are a file's. A key hand-out with nothing as its sealed
    key would have an export, and every check of the store, miss a file that never was.
    """
    if not all(bodies):
        raise RemoteError("an empty body")
    within_limits(header)
    named = beside(header).keys()
    if len(bodies) <= len(named):
        as_named(header, sum(map(len, bodies)))
        found = {hashlib.sha256(body).digest(): body for body in bodies}
        if len(found) == len(bodies) and found.keys() <= named:
            return found
    raise RemoteError("a body that the header does not name, or names once and is sent twice")
