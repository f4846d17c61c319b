"""What happened, step by step, as values. The screen and the JSON summary are made from these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rsc_share.demo.claim import Claim as Claim
from rsc_share.demo.network.parts import Part as NetworkPart


@dataclass(frozen=True, slots=True)
class Cell:
    """One portion and one member: what the sender's node decided, and whether that member's node opened it.

    `code` is `released`, the step of the decision that said no, or `inactive`; `rule` the row that decided, where one
    did; `why` a sentence. `signed` is the newest state the member itself has signed for, empty before it has.
    """

    member: str
    code: str
    rule: str | None
    why: str
    read: bool
    signed: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One portion of one message, or of several that went the same way: `references` names them all."""

    references: tuple[str, ...]
    channel: str
    sender: str
    title: str
    portion: int
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """One member at the founding."""

    member: str
    node: str
    authority: str
    limit: str


@dataclass(frozen=True, slots=True)
class Founding:
    """`digest` is that of charter version 1, in hex: what the parties compare on paper."""

    title: ClassVar[str] = "Four states found a framework"
    framework: str
    digest: str
    seats: tuple[Seat, ...]
    channels: tuple[str, ...]
    host: str
    operator: str
    witnesses_needed: int
    directory_size: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A file of another standard became messages."""

    kind: str
    source: str
    found: int
    messages: int
    lost: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]

    @property
    def title(self) -> str:
        return f"A {self.kind} becomes signed, sealed messages"


@dataclass(frozen=True, slots=True)
class Assessed:
    """A message whose portions do not reach the same readers. `seen` is what the member with less was shown."""

    title: ClassVar[str] = "An assessment in two portions; one state may read only one"
    less: str
    seen: str
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Restricted:
    """One member, alone, tonight: nothing of its own goes to a neighbour any more."""

    title: ClassVar[str] = "One state restricts a neighbour, for its own material only"
    by: str
    against: str
    row: str
    denied: str
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Amended:
    """The next version of the charter. `refused` is what the relay said when too few had signed."""

    title: ClassVar[str] = "The charter is amended by quorum"
    version: int
    signers: tuple[str, ...]
    too_few: tuple[str, ...]
    refused: str
    changes: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A stolen node. `refusal` is what the relay signed when the thief handed in what the node had signed before."""

    title: ClassVar[str] = "A stolen node is revoked"
    node: str
    by: str
    refusal: str
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that was sent, who read it and who signed for it."""

    title: ClassVar[str] = "Who received what, and which rule withheld what"
    members: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Caught:
    """A relay that showed one member another tree. Both notes carry the log's own valid signature: that is the proof.

    `hidden` is the message it kept from `victim`; roots in hex.
    """

    title: ClassVar[str] = "The relay cheats, and is caught"
    victim: str
    log: str
    hidden: str
    size: int
    shown_root: str
    true_root: str
    said: str
    alarm: str
    notes: tuple[str, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    title: ClassVar[str] = "The logs are exported for an auditor who holds no key"
    files: int
    size: int
    logs: tuple[tuple[str, int], ...]
    manifest: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    grade: str
    count: int


@dataclass(frozen=True, slots=True)
class Audited:
    """The replay of the export. `first_line` stands on top of the report.

    `checkpoints`: channel -> the signed note one state gave the auditor itself, for whoever wants to replay again.
    """

    title: ClassVar[str] = "The auditor replays the export"
    first_line: str
    exit_code: int
    entries: int
    signatures: int
    decisions: int
    anchors: tuple[str, ...]
    checkpoints: Mapping[str, str]
    grades: tuple[Grade, ...]
    findings: tuple[str, ...]
    digest: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """What the auditor said. `manifest_again`: the forger also wrote and signed a new manifest.

    `leading` are the findings about the altered file and its log; the others follow from them.
    """

    manifest_again: bool
    exit_code: int
    leading: tuple[str, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flipped:
    title: ClassVar[str] = "One byte of a copy is flipped"
    path: str
    offset: int
    before: int
    after: int
    flips: tuple[Flip, ...]
    claims: tuple[Claim, ...]


Part = (
    Founding | Published | Assessed | Restricted | Amended | Revoked | Ledger | Caught | Exported | Audited | Flipped
    | NetworkPart
)  # fmt: skip


def failed(parts: Iterable[Part]) -> tuple[str, ...]:
    """The claims that do not hold."""
    return tuple(claim.text for part in parts for claim in part.claims if not claim.held)
