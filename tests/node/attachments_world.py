"""A file, a message it is attached to, and the reader it comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsc_share import Attachment, Draft
from rsc_share.crypto.blobs import CHUNK
from rsc_share.messages import Indicator
from rsc_share.node.message import Message
from rsc_share.node.node import Node
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST

GREEN = "TLP:GREEN REL TO @members"
MAIN = f"{HOST}/test-framework/main"
LARGE = 2 * CHUNK + 12_345


def made(path: Path, size: int, seed: int = 1) -> Path:
    block = bytes((i * seed * 7 + i // 251) % 256 for i in range(65_536))
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(block[:left])
    return path


async def publish(fw: Framework, path: Path, label: str = GREEN, member: str = "EST", **more: Any) -> Any:
    draft = Draft(
        Indicator(pattern="p", stix_id="i"), label=label, attachments=[Attachment.file(path, media="image/png")], **more
    )
    return await fw.node(member).channel("main").publish(draft)


async def received(node: Node) -> Message[Any]:
    async with node.channel("main").subscribe(Indicator) as inbox:
        return await anext(inbox)


async def whole(message: Message[Any]) -> bytes:
    return b"".join([piece async for piece in message.attachments[0].read()])


def named_blob(fw: Framework) -> tuple[str, bytes]:
    """Owner and digest of the only blob there is."""
    (found,) = fw.relay_service.blobs.store._whole  # type: ignore[union-attr]
    return found
