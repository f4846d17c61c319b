"""From a call's bytes to the relay's session and back to bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rsc_share.errors import RscError, Unavailable
from rsc_share.relay.net.office import Office
from rsc_share.relay.session import Session
from rsc_share.session.calls import CALLS, read_arguments
from rsc_share.session.fault import Fault
from rsc_share.session.relay_side import Called

CLOCK_SECONDS = 5.0
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


_LOGS = ("submit", "submit_object")


async def run(session: Session, call: Called, office: Office) -> bytes:
    """The answer's bytes. Raises whatever the session raises."""
    meters = office.meters
    try:
        if call.name in _LOGS and not office.clock_good():
            raise Unavailable("the relay's clock has stepped", code="not-ready", retry_after=CLOCK_SECONDS)
        arguments = read_arguments(call.name, call.body)
        result = await METHODS[call.name](session, *arguments)
    except RscError as error:
        code = Fault.of(error).code
        meters.called(call.name, code)
        if code == "internal":
            office.journal.error("call failed", call=call.name, node=session.access.node, what=error.what)
        raise
    if call.name == "submit":
        meters.outcomes(arguments[0], result)
    meters.called(call.name, "ok")
    return CALLS[call.name].answer(result)
