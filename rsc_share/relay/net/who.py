"""Whether a token is by the node it names, by the directory as it is now. Asked again at every change of it."""

from __future__ import annotations

from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.signing import PublicKey
from rsc_share.errors import Refused, RemoteError
from rsc_share.relay.service import Relay
from rsc_share.session.token import Token, UnverifiedToken, Use


def keys_of(view: DirectoryView, node: str, now: int) -> tuple[PublicKey, ...]:
    """The signing keys certified for a node. One that waits for NODE_DELAY counts: it may read the directory.

    Raises `Refused`, row 3: `unknown-sender` or `revoked`.
    """
    facts = view.node_facts(node)
    found = tuple(fact.certificate.signing for fact in facts if not fact.revoked and now < fact.until)
    if found:
        return found
    if facts and all(fact.revoked for fact in facts):
        raise Refused("revoked", f"{node} is revoked", row=3, node=node)
    raise Refused("unknown-sender", f"{node} has no certificate for this time", row=3, node=node)


def prove(relay: Relay, text: str, use: Use, nonce: bytes | None) -> tuple[Token, PublicKey]:
    """Who speaks, and with which certified key. Raises `RemoteError`, `Refused`, or `Unavailable` without a charter."""
    token = UnverifiedToken.parse(text)
    relay.directory_log  # noqa: B018 - raises while no charter is logged here
    now, view = relay.now(), relay.view
    refused: RemoteError | None = None
    for key in keys_of(view, token.claims.node, now):
        try:
            claims = token.verify(
                key,
                host=relay.host,
                framework_id=relay.framework_id,
                use=use,
                nonce=nonce,
                now=now,
                skew=view.parameters.skew,
            )
        except RemoteError as error:
            refused = error
        else:
            return claims, key
    raise refused or RemoteError("nobody signed this token", code="token")
