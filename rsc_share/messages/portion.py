"""Values inside a message that carry their own label, and the place that is left where one may not be read.

A field typed `Portion[str] | Withheld` (alone or in a list) becomes an entry of its own, with its own label and
audience. Three JSON forms: `{"value": ..., "label": "..."}` is what an author writes in a file; `{"$portion": 2}` is
the mark that stays in portion 0; `{"$portion": 2, "value": ...}` exists only in memory, while a received message is put
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, SerializationInfo, SerializerFunctionWrapHandler
from pydantic_core import PydanticCustomError, core_schema

from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels.label import Label

T = TypeVar("T", covariant=True)
MARK = "$portion"
"""The key that says "portion n stands here". No field of a message may be called this."""

PortionLabel: TypeAlias = str | Label | None


@dataclass(slots=True)
class Collector:
    """Gathers portions, in field order, while a body is dumped."""

    found: list[tuple[PortionLabel, Any]] = field(default_factory=list)

    def add(self, label: PortionLabel, value: Any) -> int:
        self.found.append((label, value))
        return len(self.found)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What validation of a received body needs to know: the label of each portion, who holds back the others."""

    labels: Mapping[int, Label]
    withheld: Mapping[int, tuple[str, ...]]


class Portion(Generic[T]):
    """A value under its own label. `label=None` means: the label of the whole message. Immutable.

    Before sending, `label` is text or a `Label`; on a received message it is always a `Label`.
    """

    # No dataclass: pydantic would take the fields of one apart instead of asking the class for its schema.
    __slots__ = ("label", "value")
    __match_args__ = ("value", "label")

    value: T
    label: PortionLabel

    def __init__(self, value: T, label: PortionLabel = None) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "label", label)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Portion cannot be changed: build another")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Portion) and (self.value, self.label) == (other.value, other.label)

    def __hash__(self) -> int:
        return hash((self.value, self.label))

    def __reduce__(self) -> tuple[type[Portion[Any]], tuple[Any, PortionLabel]]:
        return Portion, (self.value, self.label)

    def __repr__(self) -> str:
        return f"Portion(label={self.label!r})"

    def __rich_repr__(self) -> Iterator[tuple[str, PortionLabel]]:
        yield "label", self.label

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        arguments = get_args(source)
        value = handler.generate_schema(arguments[0]) if arguments else core_schema.any_schema()
        return core_schema.json_or_python_schema(
            json_schema=core_schema.with_info_after_validator_function(_from_json, _json_form(value)),
            python_schema=core_schema.no_info_wrap_validator_function(_from_python, value),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                _dump_portion, schema=value, info_arg=True, return_schema=core_schema.any_schema()
            ),
        )


class _NotForCallers(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise LocalError(f"{cls.__name__} cannot be built: it only ever comes out of a received message")

    def received(cls, *args: Any) -> Any:
        return super().__call__(*args)


@dataclass(frozen=True, slots=True)
class Withheld(metaclass=_NotForCallers):
    """Portion withheld by originator: `index` is what a release request names, `originators` whom it goes to.

    `originators` are member codes. Callers cannot build one.
    """

    index: int
    originators: tuple[str, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        mark = core_schema.typed_dict_schema({MARK: core_schema.typed_dict_field(_index())}, extra_behavior="forbid")
        return core_schema.json_or_python_schema(
            json_schema=core_schema.with_info_after_validator_function(_withheld_from_json, mark),
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump_withheld),
        )


def _index() -> core_schema.CoreSchema:
    return core_schema.int_schema(ge=1, strict=True)


def _json_form(value: core_schema.CoreSchema) -> core_schema.CoreSchema:
    return core_schema.typed_dict_schema(
        {
            "value": core_schema.typed_dict_field(value),
            "label": core_schema.typed_dict_field(_label_form(), required=False),
            MARK: core_schema.typed_dict_field(_index(), required=False),
        },
        extra_behavior="forbid",
    )


def _label_form() -> core_schema.CoreSchema:
    """The marking as text, or a label's wire form as a received message is dumped with."""
    wire = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
    return core_schema.union_schema([core_schema.str_schema(min_length=1), wire])


def _label(form: str | dict[str, Any] | None) -> PortionLabel:
    try:
        return Label.from_wire(form) if isinstance(form, dict) else form
    except RemoteError as error:
        raise PydanticCustomError("label", "{why}", {"why": error.what}) from None


def _from_python(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Portion[Any]:
    if not isinstance(value, Portion):
        raise PydanticCustomError("portion", 'needs a Portion, such as Portion("text", "REGIONAL RESTRICTED")')
    if not isinstance(value.label, str | Label | None):
        raise PydanticCustomError("label", "a portion's label is a text, a Label or None")
    return Portion(inner(value.value), value.label)


def _from_json(form: dict[str, Any], info: core_schema.ValidationInfo) -> Portion[Any]:
    if not form.keys() <= {"value", "label", MARK}:  # received bodies are read with extra fields allowed
        raise PydanticCustomError("portion", "holds a field that a portion does not have")
    index, arrived = form.get(MARK), info.context
    if not isinstance(arrived, Arrived):
        if index is not None:
            raise PydanticCustomError("portion", "a portion mark is not written by hand")
        return Portion(form["value"], _label(form.get("label")))
    if index is None:  # else a sender could put a value in portion 0 under any label that he likes to show
        raise PydanticCustomError("portion", "holds a value where only a portion mark may stand")
    return Portion(form["value"], arrived.labels.get(index))


def _withheld_from_json(form: dict[str, int], info: core_schema.ValidationInfo) -> Withheld:
    if not isinstance(info.context, Arrived):
        raise PydanticCustomError("portion", "a withheld portion is not written by hand")
    if len(form) != 1:  # a portion that is here but does not fit its type is wrong, not withheld
        raise PydanticCustomError("portion", "is not what a withheld portion looks like")
    index = form[MARK]
    made: Withheld = Withheld.received(index, info.context.withheld.get(index, ()))
    return made


def _dump_portion(portion: Portion[Any], inner: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
    value = inner(portion.value)
    if isinstance(info.context, Collector):
        return {MARK: info.context.add(portion.label, value)}
    form = {"value": value}
    if portion.label is None:
        return form
    return form | {"label": portion.label.wire() if isinstance(portion.label, Label) else portion.label}


def _dump_withheld(withheld: Withheld) -> dict[str, int]:
    return {MARK: withheld.index}
