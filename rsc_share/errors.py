"""One tree of errors that answers two questions: whose fault is it, and what to do now.

    RscError
    ├── LocalError      your call or your file was wrong: change it
    ├── PolicyDenied    the sharing policy says no: nothing was sent (carries the plan)
    ├── Refused         a relay or the rulebook turned an entry down (carries code, row and fields)
    ├── Unavailable     weather: the only class one may retry (carries retry_after)
    ├── StorageError    this machine's disk or keystore: stop and look
    └── RemoteError     what somebody sent is wrong: do not use it
        └── Misbehaviour    signed proof that somebody cheated (carries the evidence)

Every error has a `code` for programs, `fields` for logs, and prints as one line for people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from rsc_share.legible import escaped


class RscError(Exception):
    """Base of every error this library raises on purpose.

    `code` is stable and machine-readable; `fields` hold what a log or a form needs; `advice` is what to do now.
    """

    default_code: ClassVar[str] = "error"
    told = False
    """Whether another party's words are all there is to it; else this process found it out."""

    def __init__(self, what: str, *, code: str | None = None, advice: str = "", **fields: Any) -> None:
        # Strangers' words end up in sentences: a line break in one would forge the next line of a log.
        self.what = escaped(what)
        super().__init__(self.what)
        self.code = code or self.default_code
        self.advice = escaped(advice)
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.what}: {self.advice}" if self.advice else self.what

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, {self.what!r})"


class LocalError(RscError):
    """Your call, your file or your configuration is wrong. Retrying it unchanged fails again."""

    default_code = "local"


class PolicyDenied(RscError):
    """The sharing policy forbids what was asked; nothing was queued and nothing left this node.

    `plan` is the release plan that was refused (a `rsc_share.ReleasePlan`), or None where no plan exists.
    """

    default_code = "policy-denied"

    def __init__(
        self, what: str, *, plan: Any = None, code: str | None = None, advice: str = "", **fields: Any
    ) -> None:
        super().__init__(what, code=code, advice=advice, **fields)
        self.plan = plan


class Refused(RscError):
    """An entry fails the rulebook. `code` and `row` are those of the admission table in docs/protocol.md."""

    default_code = "refused"

    def __init__(self, code: str, what: str, *, row: int, advice: str = "", **fields: Any) -> None:
        super().__init__(what, code=code, advice=advice, **fields)
        self.row = row


class Unavailable(RscError):
    """Nothing is wrong with the request; try again after `retry_after` seconds (None: when something changes)."""

    default_code = "unavailable"

    def __init__(
        self, what: str, *, retry_after: float | None = None, code: str | None = None, advice: str = "", **fields: Any
    ) -> None:
        super().__init__(what, code=code, advice=advice, **fields)
        self.retry_after = retry_after


class StorageError(RscError):
    """This machine's disk, keystore or lock. Nothing was half written."""

    default_code = "storage"


class RemoteError(RscError):
    """Bytes from outside this process are wrong: malformed, forged or not verifiable."""

    default_code = "malformed"


class Misbehaviour(RemoteError):
    """Somebody's own signature proves that they cheated. `evidence` is the folder that holds the proof, once kept."""

    default_code = "misbehaviour"

    def __init__(
        self, what: str, *, evidence: Path | None = None, code: str | None = None, advice: str = "", **fields: Any
    ) -> None:
        super().__init__(what, code=code, advice=advice, **fields)
        self.evidence = evidence
