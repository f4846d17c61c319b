"""Traffic Light Protocol markings of STIX: version 1.0 (STIX 2.1 section 7.2.1.4) and version 2.0 (OASIS extension)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

TLP_2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
ORDER = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")
"""From the most open to the strictest. Version 1.0's WHITE is CLEAR."""

_PREFIX = "marking-definition--"
KNOWN = {
    f"{_PREFIX}613f2e26-407d-48c7-9eca-b8e91df99dc9": "TLP:CLEAR",
    f"{_PREFIX}34098fce-860f-48ae-8e50-ebd3cc5e41da": "TLP:GREEN",
    f"{_PREFIX}f88d31f6-486f-44da-b317-01333bde0b82": "TLP:AMBER",
    f"{_PREFIX}5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "TLP:RED",
    f"{_PREFIX}94868c89-83c2-464b-929b-a1a8aa3c8487": "TLP:CLEAR",
    f"{_PREFIX}bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "TLP:GREEN",
    f"{_PREFIX}55d920b0-5e8b-4f79-9ee9-91f868d9b421": "TLP:AMBER",
    f"{_PREFIX}939a9414-2ddd-4d32-a0cd-375ea402b003": "TLP:AMBER+STRICT",
    f"{_PREFIX}e828b379-4e03-4974-9ac4-e53a884c97c1": "TLP:RED",
}
"""Marking definitions by their published ids: a bundle may use one without holding it."""


def tlp_of(marking: dict[str, Any]) -> str | None:
    """The level a `marking-definition` object states, or None for any other marking."""
    known = KNOWN.get(str(marking.get("id")))
    if known is not None:
        return known  # what a bundle says about a published id does not change what the id means
    definition, extensions = marking.get("definition"), marking.get("extensions")
    word: Any = None
    if marking.get("definition_type") == "tlp" and type(definition) is dict:
        word = definition.get("tlp")
    elif type(extensions) is dict and type(extensions.get(TLP_2_EXTENSION)) is dict:
        word = extensions[TLP_2_EXTENSION].get("tlp_2_0")
    if type(word) is not str:
        return None
    level = "TLP:CLEAR" if word == "white" else f"TLP:{word.upper()}"
    return level if level in ORDER else None


def strictest(levels: Iterable[str]) -> str:
    """The strictest of some levels (at least one)."""
    return max(levels, key=ORDER.index)
