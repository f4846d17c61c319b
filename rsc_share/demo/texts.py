"""What the four states say in the scenario. All of it is invented."""

from __future__ import annotations

from datetime import datetime

from rsc_share.messages import Alert, Portion, ThreatAssessment
from rsc_share.messages.disaster import Info

EVERYBODY = "REGIONAL RESTRICTED REL TO @members"
CLEARED = "REGIONAL SECRET REL TO @members"


ASSESSMENT = ThreatAssessment(
    title="Attempt on a ferry terminal",
    likelihood=3000,
    confidence="moderate",
    grade="B2",
    text=[
        Portion("Checks of vehicles that board in the last ten minutes are advised until 1 December.", EVERYBODY),
        Portion(
            "A crew list handed over on 19 November names two people from the earlier voyage under other papers.",
            CLEARED,
        ),
    ],
)
UPDATE = ThreatAssessment(
    title="Attempt on a ferry terminal: update",
    likelihood=4500,
    confidence="moderate",
    text=[
        Portion("The advice stands and now covers foot passengers.", EVERYBODY),
        Portion("The same two people booked one-way passages for the night of 26 November.", CLEARED),
    ],
)
OWN = ThreatAssessment(title="Vessel seen twice without its transponder", likelihood=2000, confidence="low")
NEIGHBOURS = ThreatAssessment(title="Vessel of interest expected at two harbours", likelihood=2500, confidence="low")
STOLEN = ThreatAssessment(title="Signed on a node that was then stolen")
AFTER = ThreatAssessment(title="Talk in two forums has stopped", likelihood=1500, confidence="low")


def second_alert(sent_at: datetime) -> Alert:
    """The alert that the relay will try to keep from one state."""
    return Alert(
        identifier="lv.sea.2026-1123-0005",
        sender="duty@coast-guard.example",
        sent=sent_at,
        status="Test",
        message_type="Update",
        scope="Restricted",
        restriction="Rescue coordination centres of the framework",
        infos=[
            Info(
                language="en",
                categories=["Env"],
                event="Oil on the water",
                urgency="Immediate",
                severity="Extreme",
                certainty="Observed",
                headline="The slick has split; one part drifts to the northern shore",
            )
        ],
    )
