"""From a call's bytes to the relay's session and back to bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rsc_share import codec
from rsc_share.errors import RscError
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.session import Session
from rsc_share.session.calls import CALLS, read_arguments
from rsc_share.session.fault import Fault
from rsc_share.session.relay_side import Called

Method = Callable[..., Awaitable[Any]]
METHODS: Mapping[str, Method] = {
    "logs": Session.logs,
    "submit": Session.submit,
    "submit_object": Session.submit_object,
    "read": Session.read,
    "witnessed": Session.witnessed,
    "bodies": Session.bodies,
    "offers": Session.offers,
    "cosign": Session.cosign,
    "changed": Session.changed,
}
"""What each call runs. Written out: a name from the wire must never reach an attribute."""


async def run(session: Session, call: Called, meters: Meters) -> bytes:
    """The answer's bytes. Raises whatever the session raises."""
    try:
        arguments = read_arguments(call.name, call.body)
        result = await METHODS[call.name](session, *arguments)
    except RscError as error:
        meters.called(call.name, Fault.of(error).code)
        raise
    if call.name == "submit":
        meters.outcomes(arguments[0], result)
    meters.called(call.name, "ok")
    return codec.pack(CALLS[call.name].answer(result))
