"""What an entry that another one refers to said."""

from __future__ import annotations

from collections.abc import Callable

from rsc_share.envelope.contents import Content
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.parts import Ref
from rsc_share.labels.label import Label
from rsc_share.rulebook.unseen import Unseen
from rsc_share.value import Value


class Source(Value, frozen=True):
    """What an entry that another one refers to said: an admitted one, or one that could not be checked whole
    (`in_doubt`)."""

    ref: Ref
    kind: str
    sender: str
    type: str | None
    label: Label | None
    nodes: tuple[str, ...]
    commits: tuple[bytes, ...]
    content: Content | None
    target: Ref | None
    in_doubt: bool = False

    @classmethod
    def of(cls, index: int, signed: Signed, *, in_doubt: bool = False) -> Source:
        h = signed.header
        return cls(
            ref=Ref(h.log, index, signed.header_hash),
            kind=h.kind,
            sender=h.sender,
            type=h.type,
            label=h.label,
            nodes=h.nodes,
            commits=tuple(part.commit for part in h.parts),
            content=h.content,
            target=h.refs.target,
            in_doubt=in_doubt,
        )


Known = Callable[[Ref], Source | Unseen | None]
"""The entry that a reference names. None says that there is no such entry, or a void one; a node's None says less."""


def nothing_known(ref: Ref) -> Source | None:
    return None
