"""The slow, obvious decision: a second opinion for auditors and tests.

Relay, node and auditor share one rulebook, and with it one bug. So the auditor asks twice: `rsc_share.policy.decide`
works on tables and bits, this works through the twelve rules one after the other on the values as they are written.
The two share the classes that hold those values and not one line that judges them. Where they differ, one of them is
wrong, and that is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping

from rsc_share.audit.reference_labels import FORGET_AFTER, Labels
from rsc_share.errors import RscError
from rsc_share.labels.label import Label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import Decision
from rsc_share.policy.rows import Row
from rsc_share.policy.subject import Facets, Subject

_DAY = 24 * 60 * 60 * 1000
_KNOWN_ACTIONS = ("receive", "open", "forward", "derive", "publish")


def decide(bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets) -> Decision:
    """The same question as `rsc_share.policy.decide.decide`, answered independently."""
    reference = bundle.memo.get("reference")
    if reference is None:
        reference = bundle.memo.setdefault("reference", Reference(bundle))
    found: Decision = reference.decide(label, subject, action, facets)
    return found


class Reference:
    """One bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.schemes = bundle.schemes
        self.labels = Labels(bundle.schemes)
        self._dated_groups = frozenset(row.group for scheme in bundle.schemes.values() for row in scheme.groups)
        self._about: dict[frozenset[str], list[Row]] = {}

    def decide(self, label: Label, subject: Subject, action: str, facets: Facets) -> Decision:
        if action not in _KNOWN_ACTIONS:
            return Decision(permitted=False, code="action")
        try:
            code, row = self._judge(label, subject, action, facets)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RscError):
            return Decision(permitted=False, code="error")
        return Decision(permitted=code == "released", code=code, row=row)

    def _judge(self, label: Label, subject: Subject, action: str, facets: Facets) -> tuple[str, str | None]:
        day = facets.time // _DAY
        # 1 EPOCH: the policy is in force on this day.
        if not self.bundle.valid.first <= day <= self.bundle.valid.last:
            return "epoch", None
        # 2 VALID: the label means something under its scheme.
        if not self.labels.is_valid(label):
            return "valid", None
        # 3 SCHEME to 7 PERMIT: as the subject's entitlements see the label.
        originators = set(label.originators) if label.originators else {facets.originator}
        readings = self.labels.readings(label, day)
        seen = self._seen(label, subject, readings)
        if not seen:
            return "scheme", None
        codes = [self._cleared(reading, readings, subject, originators, facets, day) for reading in seen]
        if "released" not in codes:
            return codes[0], None
        # 8 NEED: the subject's member is in the channel.
        if subject.member not in facets.channel.members:
            return "need", None
        # 9 REALM: exercise stays with exercise.
        realm = facets.channel.realm
        if realm not in ("operational", "exercise") or (facets.realm is not None and facets.realm != realm):
            return "realm", None
        # 10 ORIGIN: passing on needs every other originator's release, unless it is public and nobody controls it.
        scheme = self.schemes[label.scheme]
        level = scheme.levels[label.level]
        if action in ("forward", "derive", "publish"):
            controlled = any(scheme.tags[tag].originator_control for tag, _ in label.tags)
            silent = originators - {facets.originator} - facets.releases
            if silent and (controlled or not level.public_release):
                return "origin", None
        # 11 AGREEMENT: no deny and no broken ceiling; a permit for each originator that requires one.
        code, row = self._agreement(label, readings, subject, originators, action, facets, day)
        if code != "released":
            return code, row
        # 12 HANDLING: only public levels are published; some levels want their readers named.
        if action == "publish" and not level.public_release:
            return "handling", None
        if level.named and subject.member not in label.audience and originators != {subject.member}:
            return "handling", None
        return "released", row

    # 3 SCHEME

    def _seen(self, label: Label, subject: Subject, readings: list[Label]) -> list[Label]:
        if label.scheme in subject.entitlements:
            return [label]
        return [reading for reading in readings[1:] if reading.scheme in subject.entitlements]

    # 4 LEVEL to 7 PERMIT

    def _cleared(
        self,
        reading: Label,
        readings: list[Label],
        subject: Subject,
        originators: set[str],
        facets: Facets,
        day: int,
    ) -> str:
        held = subject.entitlements[reading.scheme]
        if reading.level not in held.levels:
            return "level"
        if not self._within(readings, subject.accreditation) or not self._within(readings, facets.channel.ceiling):
            return "level"
        scheme = self.schemes[reading.scheme]
        for name, values in reading.tags:
            if scheme.tags[name].type == "restrictive" and not set(values) <= held.tags.get(name, frozenset()):
                return "restrict"
        if not self._in_audience(reading, subject, originators, day):
            return "audience"
        for name, values in reading.tags:
            if scheme.tags[name].type == "permissive" and not set(values) & held.tags.get(name, frozenset()):
                return "permit"
        return "released"

    def _within(self, readings: list[Label], limits: Mapping[str, str]) -> bool:
        """A limit in the label's own scheme decides. Without one, any scheme the label has an equivalent in may."""
        if readings[0].scheme in limits:
            return self.labels.not_above(readings[0], readings[0].scheme, limits[readings[0].scheme])
        return any(
            self.labels.not_above(reading, reading.scheme, limits[reading.scheme])
            for reading in readings[1:]
            if reading.scheme in limits
        )

    def _in_audience(self, label: Label, subject: Subject, originators: set[str], day: int) -> bool:
        if "@members" not in subject.groups:
            return False
        if originators == {subject.member} or subject.member in label.audience:
            return True
        if not subject.groups.isdisjoint(label.audience):
            return True
        return any(
            self._in_group(subject.member, group, day) for group in self._dated_groups.intersection(label.audience)
        )

    def _in_group(self, member: str, group: str, day: int) -> bool:
        return any(
            row.group == group and row.member == member and row.valid.first <= day <= row.valid.last
            for scheme in self.schemes.values()
            for row in scheme.groups
        )

    # 11 AGREEMENT

    def _agreement(
        self,
        label: Label,
        readings: list[Label],
        subject: Subject,
        originators: set[str],
        action: str,
        facets: Facets,
        day: int,
    ) -> tuple[str, str | None]:
        permits: list[Row] = []
        for row in self._rows_about(originators):
            if not self._addressed(row, subject, day) or not self._applies(row, action, facets, day):
                continue
            if not any(self._sent_by(row, who, day) for who in originators):
                continue
            carries = any(self._carries(label, tag, values) for tag, values in row.carrying)
            below = row.max_level is None or any(self.labels.not_above(r, *row.max_level) for r in readings)
            if row.effect == "permit":
                if below and not carries:
                    permits.append(row)
            elif row.carrying and not carries:
                continue
            elif (row.effect == "ceiling" and not below) or (row.effect == "deny" and self._reaches(row, readings)):
                return "agreement", row.id
        need = self.bundle.need
        for who in originators - {subject.member}:
            required = need.everybody or who in need.originators or label.scheme in need.schemes
            if required and not any(self._sent_by(row, who, day) for row in permits):
                return "agreement", None
        return "released", permits[0].id if permits else None

    def _rows_about(self, originators: set[str]) -> list[Row]:
        """Rows whose `from` names one of them or any group, in the order of the bundle."""
        key = frozenset(originators)
        if key not in self._about:
            if len(self._about) > FORGET_AFTER:
                self._about.clear()
            named = (row for row in self.bundle.rows if row.effect != "require-release")
            self._about[key] = [row for row in named if row.senders & key or any(s[0] == "@" for s in row.senders)]
        return self._about[key]

    def _addressed(self, row: Row, subject: Subject, day: int) -> bool:
        if subject.member in row.to or not subject.groups.isdisjoint(row.to):
            return True
        dated = row.to & self._dated_groups
        return bool(dated) and any(self._in_group(subject.member, group, day) for group in dated)

    def _sent_by(self, row: Row, who: str, day: int) -> bool:
        if who in row.senders or "@members" in row.senders:
            return True
        for group in row.senders:
            if group[0] != "@":
                continue
            known = group in self.bundle.groups and bool(self.bundle.groups[group])
            inside = known and who in self.bundle.groups[group]
            listed = {m.member for s in self.schemes.values() for m in s.groups if m.group == group and day in m.valid}
            # Nobody knows this group: a permit does not count, a denial does.
            unknown = not known and not listed and row.effect != "permit"
            if inside or who in listed or unknown:
                return True
        return False

    def _applies(self, row: Row, action: str, facets: Facets, day: int) -> bool:
        if not row.valid.first <= day <= row.valid.last or action not in row.actions:
            return False
        if row.families and facets.family not in row.families:
            return False
        if row.channels and facets.channel.name not in row.channels:
            return False
        if not row.purposes or facets.purpose in row.purposes:
            return True
        # A message that does not say its purpose cannot use a permit, and cannot dodge a denial.
        return facets.purpose is None and row.effect != "permit"

    def _carries(self, label: Label, tag: str, values: frozenset[str]) -> bool:
        """Permissive and handling values get fewer in a join: a row that names them counts them as there."""
        tags = self.schemes[label.scheme].tags
        if tag not in tags:
            return False
        return tags[tag].type in ("permissive", "handling") or bool(values & set(label.values(tag)))

    def _reaches(self, row: Row, readings: list[Label]) -> bool:
        """At least as high as a deny row says; what cannot be compared counts as high."""
        if row.min_level is None:
            return True
        name, limit = row.min_level
        if name not in self.schemes or limit not in self.schemes[name].levels:
            return True
        levels = self.labels.order[name]
        places = [levels.index(reading.level) for reading in readings if reading.scheme == name]
        return not places or max(places) >= levels.index(limit)
