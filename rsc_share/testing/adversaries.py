"""A relay and members that cheat: one class for each attack, to try your own code and your own nodes against.

    async with Framework.create("EST", "LVA", "FIN") as framework:
        attack = adversaries.OverGrant(framework, "EST")
        await attack.prepare()
        await attack.force()
        await framework.settle()
        assert "void-entry" in framework.node("LVA").engine.alarms.codes()

Entries that lie (`prepare`, then `submit` to the honest relay or `force` with its help): `Tamper SwapAudience
CrossRealm CrossLog CrossFramework ForgedPrev ReusedId RevokedKey OverGrant UnderGrant TwoPlaintexts
OldDirectoryStamp OverlongBodies BodyAboveCharter BodyOfAnotherSize`, and the directory object `StrippedHybrid`. What a
relay tells one member: `Drop Reorder Withhold WithholdOpening Truncate Fork DirectoryFork Freeze`. What it logs by
itself: `Replay BackDate`. For attacks of your own: `Pen` writes any entry with a node's key, `CheatingRelay` logs it,
`Lie` stands between the relay and a member.
"""

from __future__ import annotations

from rsc_share.testing.adversaries_bodies import BodyAboveCharter, BodyOfAnotherSize, OverlongBodies
from rsc_share.testing.adversaries_entries import (
    CrossFramework,
    CrossLog,
    CrossRealm,
    EntryAttack,
    ForgedPrev,
    OldDirectoryStamp,
    OverGrant,
    ReusedId,
    RevokedKey,
    StrippedHybrid,
    SwapAudience,
    Tamper,
    TwoPlaintexts,
    UnderGrant,
)
from rsc_share.testing.adversaries_lies import (
    BackDate,
    Branch,
    DirectoryFork,
    Drop,
    Fork,
    Freeze,
    Reorder,
    Replay,
    Truncate,
    Withhold,
    WithholdOpening,
)
from rsc_share.testing.adversaries_pen import EVERYBODY, Forged, Pen
from rsc_share.testing.adversaries_relay import CheatingRelay, Lie

__all__ = [
    "EVERYBODY",
    "BackDate",
    "BodyAboveCharter",
    "BodyOfAnotherSize",
    "Branch",
    "CheatingRelay",
    "CrossFramework",
    "CrossLog",
    "CrossRealm",
    "DirectoryFork",
    "Drop",
    "EntryAttack",
    "Forged",
    "ForgedPrev",
    "Fork",
    "Freeze",
    "Lie",
    "OldDirectoryStamp",
    "OverGrant",
    "OverlongBodies",
    "Pen",
    "Reorder",
    "Replay",
    "ReusedId",
    "RevokedKey",
    "StrippedHybrid",
    "SwapAudience",
    "Tamper",
    "Truncate",
    "TwoPlaintexts",
    "UnderGrant",
    "Withhold",
    "WithholdOpening",
]
