"""Signed, end-to-end encrypted channels between states that do not trust each other.

    async with Node.open("/var/lib/rsc/est", unlock=Unlock.file("/run/secrets/rsc")) as node:
        sent = await node.channel("counter-terrorism").publish(report, label="REGIONAL SECRET REL TO FIN")

Everything else a program needs is in `rsc_share.messages`, `rsc_share.stix`, `rsc_share.cap` and `rsc_share.testing`.
Importing the package loads nothing heavy: names are looked up when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rsc_share.compiled import check as _check_compiled

if TYPE_CHECKING:
    from rsc_share.errors import (
        LocalError,
        Misbehaviour,
        PolicyDenied,
        Refused,
        RemoteError,
        RscError,
        StorageError,
        Unavailable,
    )
    from rsc_share.labels.label import Label
    from rsc_share.labels.shipped import read_label
    from rsc_share.messages import Body, Portion, UnknownMessage, Withheld
    from rsc_share.node.attachments import Attachment
    from rsc_share.node.channel import Channel
    from rsc_share.node.draft import Draft
    from rsc_share.node.message import Message, Recalled
    from rsc_share.node.node import Node
    from rsc_share.node.plan import Outcome, ReleasePlan
    from rsc_share.node.receipt import Receipt
    from rsc_share.node.received import ReceivedAttachment
    from rsc_share.node.submission import Delivery, Submission
    from rsc_share.node.subscription import Subscription
    from rsc_share.node.unlock import Unlock

__version__ = "0.1.0"

_check_compiled()  # before anything is loaded that may be older than its source

_WHERE = {
    "rsc_share.errors": ("LocalError Misbehaviour PolicyDenied Refused RemoteError RscError StorageError Unavailable"),
    "rsc_share.labels.label": "Label",
    "rsc_share.labels.shipped": "read_label",
    "rsc_share.messages": "Body Portion UnknownMessage Withheld",
    "rsc_share.node.attachments": "Attachment",
    "rsc_share.node.channel": "Channel",
    "rsc_share.node.draft": "Draft",
    "rsc_share.node.message": "Message Recalled",
    "rsc_share.node.node": "Node",
    "rsc_share.node.plan": "Outcome ReleasePlan",
    "rsc_share.node.receipt": "Receipt",
    "rsc_share.node.received": "ReceivedAttachment",
    "rsc_share.node.submission": "Delivery Submission",
    "rsc_share.node.subscription": "Subscription",
    "rsc_share.node.unlock": "Unlock",
}
_MODULES = {name: module for module, listed in _WHERE.items() for name in listed.split()}

__all__ = [
    "Attachment",
    "Body",
    "Channel",
    "Delivery",
    "Draft",
    "Label",
    "LocalError",
    "Message",
    "Misbehaviour",
    "Node",
    "Outcome",
    "PolicyDenied",
    "Portion",
    "Recalled",
    "Receipt",
    "ReceivedAttachment",
    "Refused",
    "ReleasePlan",
    "RemoteError",
    "RscError",
    "StorageError",
    "Submission",
    "Subscription",
    "Unavailable",
    "UnknownMessage",
    "Unlock",
    "Withheld",
    "read_label",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'rsc_share' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
