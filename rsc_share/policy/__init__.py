"""Policy: who may have what, decided the same way by sender, relay, reader and auditor."""

from rsc_share.policy.bundle import Bundle, pack_bundle, unpack_bundle
from rsc_share.policy.decide import decide, required_releases
from rsc_share.policy.decision import STEPS, Decision, Step
from rsc_share.policy.rows import Row, parse_rows
from rsc_share.policy.subject import ChannelFacts, Entitlement, Facets, Subject

__all__ = [
    "STEPS",
    "Bundle",
    "ChannelFacts",
    "Decision",
    "Entitlement",
    "Facets",
    "Row",
    "Step",
    "Subject",
    "decide",
    "pack_bundle",
    "parse_rows",
    "required_releases",
    "unpack_bundle",
]
