"""As `late`, for the two formats of others: STIX bundles and CAP alerts."""

from __future__ import annotations

import json
from typing import Any

from pool import STIX


def bundles() -> tuple[bytes, ...]:
    objects: list[Any] = STIX["objects"]
    first, later = objects[0], {**objects[0], "modified": "2026-02-15T12:00:00.000Z"}
    red = {**objects[2], "definition_type": "tlp", "definition": {"tlp": "red"}, "created": first["created"]}
    bundle = {key: value for key, value in STIX.items() if key != "objects"}
    made: list[Any] = [
        {**bundle, "objects": 1},
        {**bundle, "objects": [1]},
        {**bundle, "objects": [red] * 2},
        {**bundle, "objects": [{"type": "x"}] * 100_001},
        {**bundle, "objects": [first, later]},
        {**bundle, "objects": [later, first]},
        {**bundle, "objects": [first, first]},
        {**bundle, "objects": [{**first, "spec_version": "2.0"}]},
        {**bundle, "objects": [{**first, "object_marking_refs": ["marking-definition--x"]}]},
        {"objects": [first]},
        {},
        [],
        {**bundle, "type": 1},
        red,
    ]
    return (*(json.dumps(value).encode()[:70_000] for value in made), b'{"objects": [' + b'{"type":"x"},' * 5000)


def alerts() -> tuple[bytes, ...]:
    text = (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.{}"><identifier>a</identifier><sender>b</sender>'
        "<sent>2026-01-15T12:00:00-00:00</sent><status>Actual</status><msgType>Alert</msgType>{}<scope>Public</scope>{}"
        "</alert>"
    )
    info = (
        "<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>"
        "<certainty>Observed</certainty><area><areaDesc>d</areaDesc><circle>{},1.5 {}</circle></area></info>"
    )
    other = '<x xmlns="urn:x"/><y xmlns=""/>'
    made = [
        text.format(2, "", ""),
        text.format(1, "", ""),
        text.format(0, "", ""),
        text.format(2, "", info.format("59.123456789012345678901", "1")),
        text.format(2, "", info.format("59.5", "1.00000000000000000000001")),
        text.format(2, "", info.format("95", "1")),
        text.format(2, "", other),
        text.format(2, "<!DOCTYPE a>", ""),
        text.format(2, "", "loose text"),
        text.format(2, "<scope>Public</scope><scope>Public</scope>", ""),
        text.format(2, "<nothing/>", ""),
        text.format(2, "<sender>late</sender>", ""),
        text.format(2, "", "").replace("Actual", "Perhaps"),
        text.format(2, "", "").replace("2026-01-15T", "2026-13-15T"),
        text.format(2, "", "").replace(">b<", "><"),
        text.format(2, "", "").replace("<identifier>a</identifier>", "<identifier><a/></identifier>"),
        text.format(2, "", "").replace("<identifier>a</identifier>", '<identifier a="b">a</identifier>'),
        text.format(2, "", info.format("59", "1").replace("<circle>", "<polygon>1,1 2,2</polygon><circle>")),
        text.format(2, "", info.format("59", "1").replace("<event>e</event>", "<event></event>")),
        text.format(2, "", info.format("59", "1").replace("Past", "Soon")),
        text.format(2, "", info.format("x", "1")),
        text.format(2, "", "") + "<b/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "<alert/>",
        "<" * 1000,
        "<a>" * 5000,
    ]
    return tuple(text.encode() for text in made)
