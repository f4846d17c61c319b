"""Many certified nodes of few members: what a thousand authenticated sessions need, without a thousand founders."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cli_world import Founders
from fault_dial import signing
from fault_flood import at_address
from fault_world import World

from rsc_share import names
from rsc_share.charter.certificate import NodeCertificate, certify
from rsc_share.crypto.keystore import Keystore
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.node.home import Home
from rsc_share.node.identity import World as NodeWorld
from rsc_share.node.net.link import Link
from rsc_share.node.net.port import NetPort

EACH = 60
"""More nodes of one member than this no charter allows; each has one already."""
DAY = 86_400_000


def crowd(codes: Sequence[str], each: int = EACH) -> list[str]:
    return [f"{code}/crowd-{n}" for code in codes for n in range(each)]


async def certified(world: World, founders: Founders, home: Home, nodes: Sequence[str]) -> None:
    """Log a certificate for every node, as its authority would. They wait for NODE_DELAY: they may open sessions and
    read the directory, and no message is for them."""
    identity = home.identity()
    link = Link(at_address(home, world.port), identity, NodeWorld())
    await link.start()
    port = NetPort(link)
    passphrase = founders.secret.read_bytes().strip()
    codes = {names.member_of(node) for node in nodes}
    authorities = {code: Keystore.open(founders.authority(code), passphrase).signer("authority") for code in codes}
    try:
        for node in nodes:
            made = _certificate(node, int(time.time() * 1000))
            found = certify(made, identity.charter_digest, authorities[names.member_of(node)])
            await port.submit_object(found, {})
    finally:
        await port.aclose()


def _certificate(node: str, now: int) -> NodeCertificate:
    seed = f"{node} witness".encode()
    one, two = (PrivateKey.generate(suite, seed=seed).public for suite in (Suite.ED25519, Suite.ML_DSA_44))
    return NodeCertificate(
        name=node,
        signing=signing(node).public,
        witness=(one, two),
        realms=frozenset({"operational"}),
        accreditation={},
        role="full",
        valid=(now, now + DAY),
        issued=now,
    )
