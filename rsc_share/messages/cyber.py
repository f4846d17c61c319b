"""Cyber threat: indicators, and what is reported about malware and threat actors. Shapes follow STIX 2.1."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from rsc_share.messages.body import Body, Element
from rsc_share.messages.common import MAX_ROWS, Language, Line, Product, Reference, Text, Time

Words: TypeAlias = Annotated[list[Line], Field(max_length=MAX_ROWS)]
StixId: TypeAlias = Annotated[str, Field(min_length=1, max_length=300)]
StixIds: TypeAlias = Annotated[list[StixId], Field(max_length=MAX_ROWS)]
Score: TypeAlias = Annotated[int, Field(ge=0, le=100)]
"""STIX 2.1 section 3.2: confidence of the creator, 0 to 100."""


class KillChainPhase(Element):
    """STIX 2.1 section 2.11."""

    kill_chain: Line
    phase: Line


class Indicator(Body):
    """A pattern to look for (STIX 2.1 section 4.7)."""

    TYPE: ClassVar[str] = "cyber/indicator/1"

    pattern: Annotated[str, Field(min_length=1, max_length=200_000)]
    stix_id: StixId
    pattern_type: Line = "stix"
    pattern_version: Line | None = None
    name: Line | None = None
    description: Text | None = None
    kinds: Words = Field(default_factory=list)
    valid_from: Time | None = None
    valid_until: Time | None = None
    kill_chain: list[KillChainPhase] = Field(default_factory=list, max_length=MAX_ROWS)
    score: Score | None = None
    language: Language | None = None
    references: list[Reference] = Field(default_factory=list, max_length=MAX_ROWS)
    tags: Words = Field(default_factory=list)
    created: Time | None = None
    modified: Time | None = None
    created_by: StixId | None = None
    revoked: bool = False

    @model_validator(mode="after")
    def _valid_for_a_while(self) -> Indicator:
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("valid_until is not after valid_from")
        return self


class Report(Product):
    """A report about `subject`: a published report, a malware family or sample, a threat actor.

    Fields that only one subject has stay empty for the others (STIX 2.1 sections 4.9, 4.16, 4.18). `period` is first to
    last seen.
    """

    TYPE: ClassVar[str] = "cyber/report/1"

    subject: Literal["report", "malware", "threat-actor"]
    stix_id: StixId
    title: Line | None = None
    kinds: Words = Field(default_factory=list)
    aliases: Words = Field(default_factory=list)
    published: Time | None = None
    objects: StixIds = Field(default_factory=list)
    is_family: bool | None = None
    operating_systems: StixIds = Field(default_factory=list)
    architectures: Words = Field(default_factory=list)
    implementation_languages: Words = Field(default_factory=list)
    capabilities: Words = Field(default_factory=list)
    samples: StixIds = Field(default_factory=list)
    kill_chain: list[KillChainPhase] = Field(default_factory=list, max_length=MAX_ROWS)
    roles: Words = Field(default_factory=list)
    goals: Words = Field(default_factory=list)
    sophistication: Line | None = None
    resource_level: Line | None = None
    primary_motivation: Line | None = None
    secondary_motivations: Words = Field(default_factory=list)
    personal_motivations: Words = Field(default_factory=list)
    score: Score | None = None
    tags: Words = Field(default_factory=list)
    created: Time | None = None
    modified: Time | None = None
    created_by: StixId | None = None
    revoked: bool = False
