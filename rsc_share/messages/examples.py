"""One example of each standard type, for the schemas in `docs/schemas/` and for people who read them. All fictional."""

from __future__ import annotations

from datetime import UTC, datetime

from rsc_share.messages.body import Body
from rsc_share.messages.common import Period, Place, Point, Reference
from rsc_share.messages.control import (
    CannotRelease,
    ReadReceipt,
    RecallCompliance,
    RecallNotice,
    ReleaseRequest,
    ResendRequest,
)
from rsc_share.messages.cyber import Indicator, KillChainPhase, Report
from rsc_share.messages.disaster import Alert, Area, Circle, Info, NamedValue
from rsc_share.messages.portion import Portion
from rsc_share.messages.threat import ThreatAssessment

_NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
_EVENING = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
_MESSAGE = "EST/mod-1/counter-terrorism/417"

EXAMPLES: tuple[Body, ...] = (
    ThreatAssessment(
        title="Threat to ferry terminals",
        summary="An attempt on a ferry terminal in the coming month is unlikely.",
        text=[
            Portion("Known groups speak of ferries more often.", "REGIONAL RESTRICTED REL TO @members"),
            Portion("One source has seen a plan.", "REGIONAL SECRET REL TO FIN"),
        ],
        language="en",
        places=[Place(name="Tallinn", code="EE-37", geometry=Point(coordinates=(24.75, 59.44)))],
        period=Period(start=_NOON, end=_EVENING),
        grade="B2",
        likelihood=3000,
        confidence="moderate",
        references=[Reference(source="earlier assessment", external_id=_MESSAGE)],
    ),
    Indicator(
        pattern="[domain-name:value = 'updates.example']",
        stix_id="indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        name="Update server",
        kinds=["malicious-activity"],
        valid_from=_NOON,
        kill_chain=[KillChainPhase(kill_chain="lockheed-martin-cyber-kill-chain", phase="delivery")],
        score=70,
    ),
    Report(
        subject="malware",
        stix_id="malware--fdd60b30-b67c-41e3-b0b9-f01faf20d111",
        title="HARBOUR MOUSE",
        summary="A remote access tool that waits in port management systems.",
        kinds=["remote-access-trojan"],
        is_family=True,
        created=_NOON,
    ),
    Alert(
        identifier="ee.rescue.2026-0115-7",
        sender="duty@rescue.example",
        sent=_NOON,
        status="Actual",
        message_type="Alert",
        scope="Public",
        infos=[
            Info(
                language="en",
                categories=["Met"],
                event="Storm surge",
                response_types=["Evacuate"],
                urgency="Expected",
                severity="Severe",
                certainty="Likely",
                onset=_EVENING,
                event_codes=[NamedValue(name="GLIDE", value="SS-2026-000001-EST")],
                areas=[Area(description="Harbour", circles=[Circle(centre=(59.44, 24.75), radius=5.0)])],
            )
        ],
    ),
    ReleaseRequest(message=_MESSAGE, portion=2, reason="ongoing case 17/2026"),
    CannotRelease(request="FIN/mod-1/counter-terrorism/12", reason="third party has not agreed"),
    ResendRequest(message=_MESSAGE, cause="bad-grant"),
    RecallNotice(message=_MESSAGE, reason="source compromised", replaced_by="EST/mod-1/counter-terrorism/420"),
    RecallCompliance(message=_MESSAGE, outcome="held", copies="held", basis="court order 5/2026"),
    ReadReceipt(message=_MESSAGE, note="passed to the duty officer"),
)
