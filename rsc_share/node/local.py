"""What a running node says about itself and its messages, as plain values for other programs on the machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rsc_share.errors import LocalError
from rsc_share.messages import Body, Registry, UnknownMessage
from rsc_share.node.connect import failure_of
from rsc_share.node.engine import Engine
from rsc_share.node.message import Message
from rsc_share.node.node import Node
from rsc_share.node.received import PART_FILE
from rsc_share.progress import Progress


def read_body(registry: Registry, type_id: str, text: str) -> Body:
    """A message from JSON. Raises `LocalError` that names the places, never what stands there."""
    kind = registry.get(type_id)
    if kind is None:
        known = ", ".join(sorted(found.TYPE for found in registry))
        raise LocalError(f"this node knows no message type {type_id!r}", advice=f"it knows {known}")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        places = dict.fromkeys(_place(e["loc"]) + f": {e['msg']}" for e in error.errors(include_input=False))
        raise LocalError(f"no {type_id}: {'; '.join(places)[:500]}", code="wrong-body") from None


def _place(where: tuple[int | str, ...]) -> str:
    """`text.0.label`; without the names that pydantic gives to the alternatives of a union."""
    return ".".join(str(step) for step in where if isinstance(step, int) or "[" not in step) or "the whole"


async def save_all(message: Message[Any], folder: Path, progress: Progress) -> list[Path]:
    """Every attachment as a file below `<folder>/<id of the message>`; one that was saved before is left as it is."""
    own = folder / str(message.id)
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    found: list[Path] = []
    for part, attachment in enumerate(message.attachments, 1):
        path = own / attachment.name
        if path.name.casefold() in {other.name.casefold() for other in found} or path.name.endswith(PART_FILE):
            path = own / f"{part}-{attachment.name}.file"
        found.append(path)
        if not path.exists():
            await attachment.save(path, progress=progress)
    return found


def message_wire(message: Message[Any], saved: Sequence[Path] = ()) -> dict[str, Any]:
    """One message for a listener; the body as JSON text. `saved`: where its attachments lie."""
    paths: Sequence[str | None] = [str(path) for path in saved] or [None] * len(message.attachments)
    return {
        "attachments": [
            {"media": found.media, "name": found.name, "path": path, "size": found.size}
            for found, path in zip(message.attachments, paths, strict=True)
        ],
        "body": _body(message.body),
        "exercise": message.exercise,
        "id": str(message.id),
        "label": str(message.label),
        "logged_at": message.logged_at,
        "precedence": message.precedence,
        "redelivered": message.redelivered,
        "reference": message.reference,
        "sender": message.sender,
        "type": message.body.type if isinstance(message.body, UnknownMessage) else message.body.TYPE,
        "unconfirmed": message.unconfirmed,
    }


def _body(body: Body) -> str:
    if isinstance(body, UnknownMessage):
        return json.dumps({"payload": base64.b64encode(body.payload).decode()})
    return body.model_dump_json()


def _readers(engine: Engine, log: str, now: int) -> list[str]:
    """Nodes that could be sealed to now, as far as this one has read: who has no prekey yet is in no plan."""
    if not engine.trust.ready:
        return []
    view = engine.trust.view
    return [node for node in view.active_nodes(log, now) if view.prekey(node, now) is not None]


def _away(port: object) -> dict[str, str] | None:
    """Why there is no session with a relay; None while there is one."""
    error = failure_of(port)
    return None if error is None else {"code": error.code, "what": error.what}


def status_of(node: Node) -> dict[str, Any]:
    """Who it is, how far it has read, what waits, and what is wrong. No content."""
    engine = node.engine
    now = node.now()
    logs = {
        log: {
            "alive": line.stopped is None,
            "outbox": len(line.sending.outbox),
            "readers": _readers(engine, log, now),
            "sends": engine.trust.ready and line.ready(now),
            "size": line.follower.size,
            "witnessed": line.follower.witnessed_size,
        }
        for log, line in engine.lines.items()
    }
    return {
        "alarms": [{"code": a.code, "time": a.time, "what": a.what} for a in node.alarms[-100:]],
        "directory": {"fresh": engine.trust.ready and engine.trust.fresh(now), "size": engine.trust.size},
        "instance": engine.instance.id.hex(),
        "logs": logs,
        "node": node.name,
        "prekeys": len(engine.keys),
        "relays": {host: _away(port) for host, port in sorted(engine.ports.items())},
        "stopped": None if engine.stopped is None else engine.stopped.what,
        "turned_away": None if engine.turned_away is None else engine.turned_away.what,
    }
