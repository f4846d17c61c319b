"""Bodies that are not in the export: each must have expired, been recalled or been ordered erased, as the log says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rsc_share.audit import layout
from rsc_share.audit.beside_checks import Place
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.source import named_by
from rsc_share.charter.parameters import DAY
from rsc_share.crypto.bodies import MAX_INLINE_PART
from rsc_share.envelope.contents import ErasureContent, GrantContent
from rsc_share.envelope.header import Header


@dataclass(frozen=True, slots=True)
class Missing:
    """A body an entry names and the export lacks. `gone_after` (ms): from then on its absence is in order."""

    log: str
    index: int
    digest: bytes
    sender: str
    when: int
    gone_after: int | None
    blob: int = 0
    """Its bytes, if it is too large to lie beside an entry."""


@dataclass(slots=True)
class BodyBook:
    """Collects over all logs what is named, what is missing, and what was ordered to go."""

    present: Mapping[bytes, int]
    absent: Mapping[bytes, str]
    named: set[bytes] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)
    recalled: set[tuple[str, int]] = field(default_factory=set)
    erased: set[bytes] = field(default_factory=set)

    def note(self, headers: Sequence[Header], member: str | None) -> bool:
        """Take down the bodies that entries name, in a view cut to `member`. Whether all of them are here."""
        digests = named_by(headers, member)
        self.named.update(digests)
        return all(map(self.present.__contains__, digests))

    def miss(self, h: Header, place: Place, grant_life: int, keep_days: int | None) -> None:
        """Take down what an entry at `place` names and is not here. `keep_days`: the channel's retention; `grant_life`
        ms."""
        for digest in named_by([h], place.member):
            if digest not in self.present:
                blobs = {part.digest: part.size for part in h.parts if part.size > MAX_INLINE_PART}
                gone = _gone_after(h, place.when, grant_life, keep_days)
                self.missing.append(
                    Missing(place.log, place.index, digest, h.sender, place.when, gone, blobs.get(digest, 0))
                )

    def order(self, h: Header) -> None:
        """A recall or erasure that the rulebook admitted, in the log or behind its end."""
        if h.kind == "recall" and h.refs.target is not None:
            self.recalled.add((h.refs.target.log, h.refs.target.index))
        elif isinstance(h.content, ErasureContent):
            self.erased.update(h.content.digests)

    def counts(self, now: int) -> dict[str, Counter[str]]:
        """By log: bodies that are gone in order, and those that are not. All logs in one pass: whoever brings many
        that are gone must not have them counted once for each of 256 logs."""
        found = defaultdict[str, Counter[str]](lambda: Counter(erased=0, missing=0))
        for item in self.missing:
            if not self._apart(item):
                found[item.log]["erased" if self._reasons(item, now) else "missing"] += 1
        return found

    def findings(self, now: int, *, whole: bool = True) -> Iterator[Finding]:
        """`now`: the newest time the logs and their witnesses show. `whole`: every entry could be read."""
        for item in self.missing:
            if self._apart(item):
                continue
            reasons, claimed = self._reasons(item, now), self.absent.get(item.digest)
            if not reasons:
                what = f"a body of entry {item.index} is not there, and nothing in the log says that it may be gone"
                yield _finding(item, "body-missing", what, claimed)
            elif claimed is not None and claimed not in reasons:
                what = f"a body of entry {item.index} is gone; the reason given ({claimed}) is not the log's"
                yield _finding(item, "body-reason", what, claimed)
        yield from self._strangers() if whole else self._unjudged()

    def _strangers(self) -> Iterator[Finding]:
        for digest in sorted(self.present.keys() - self.named):
            yield file_finding(layout.body_file(digest), "is a body that no entry names", "no such file")
        for digest in sorted(self.absent):
            if digest in self.present or digest not in self.named:
                what = f"lists {digest.hex()}, which is {'here' if digest in self.present else 'named by no entry'}"
                yield file_finding(layout.ABSENT, what, "only bodies that are gone")

    def _unjudged(self) -> Iterator[Finding]:
        count = len(self.present.keys() - self.named)
        if count:
            what = f"{count} bodies are named by no entry that could be read"
            yield Finding(Grade.OBSERVATION, "bodies-unjudged", what, evidence={"bodies": count})

    @property
    def apart(self) -> list[Missing]:
        """Blobs that the exporter says it holds, outside of the export."""
        return [item for item in self.missing if self._apart(item)]

    def _apart(self, item: Missing) -> bool:
        return item.blob > 0 and self.absent.get(item.digest) == "apart"

    def _reasons(self, item: Missing, now: int) -> set[str]:
        found = set()
        if item.gone_after is not None and item.gone_after <= now:
            found.add("expired")
        if (item.log, item.index) in self.recalled:
            found.add("recalled")
        if item.digest in self.erased:
            found.add("erased")
        return found


def _finding(item: Missing, code: str, what: str, claimed: str | None) -> Finding:
    evidence = {"digest": item.digest, "reason given": claimed}
    return Finding(Grade.IRREGULARITY, code, what, 14, item.log, item.index, item.sender, item.when, evidence=evidence)


def _gone_after(h: Header, when: int, grant_life: int, keep_days: int | None) -> int | None:
    """A sealed key is of no use once its grant is dead; a message goes with its expiry or the channel's retention."""
    if isinstance(h.content, GrantContent):
        return when + grant_life
    ends = [h.expires_at] if h.expires_at is not None else []
    if keep_days is not None:
        ends.append(when + keep_days * DAY)
    return min(ends) if ends else None
