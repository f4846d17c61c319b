"""Which message types a node knows. Given explicitly: nothing is registered by importing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages.body import Body, UnknownMessage
from rsc_share.messages.portions import assemble


class Registry:
    """A fixed set of message types by their wire id. Two classes with one id are a `LocalError`."""

    __slots__ = ("_types",)

    def __init__(self, types: Iterable[type[Body]]) -> None:
        self._types: dict[str, type[Body]] = {}
        for kind in types:
            if not isinstance(getattr(kind, "TYPE", None), str):
                raise LocalError(
                    f"{kind.__name__} has no TYPE", advice="give it one, such as int.example.navy/sighting/1"
                )
            if self._types.setdefault(kind.TYPE, kind) is not kind:
                raise LocalError(f"two classes claim the message type {kind.TYPE}", type=kind.TYPE)

    def __contains__(self, type_id: object) -> bool:
        return type_id in self._types

    def __iter__(self) -> Iterator[type[Body]]:
        return iter(self._types.values())

    def __len__(self) -> int:
        return len(self._types)

    def get(self, type_id: str) -> type[Body] | None:
        """The class for a wire id, or None for a type this node does not know."""
        return self._types.get(type_id)

    def read(
        self,
        type_id: str,
        payloads: Mapping[int, bytes],
        total: int | None,
        withheld: Mapping[int, Sequence[str]],
        labels: Mapping[int, Label],
    ) -> Body:
        """`assemble` for a known type; an `UnknownMessage` with the bytes kept for any other.

        An unknown type needs no portion 0: `payload` is then empty.
        """
        kind = self._types.get(type_id)
        if kind is not None:
            return assemble(kind, payloads, total, withheld, labels)
        others = {index: payload for index, payload in payloads.items() if index}
        return UnknownMessage(type=type_id, payload=payloads.get(0, b""), portions=others)
