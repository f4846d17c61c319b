"""The Admiralty grade in words (AJP-2.1, FM 2-22.3 appendix B)."""

from __future__ import annotations

from rsc_share.errors import LocalError

RELIABILITY = {
    "A": "completely reliable",
    "B": "usually reliable",
    "C": "fairly reliable",
    "D": "not usually reliable",
    "E": "unreliable",
    "F": "reliability cannot be judged",
}
CREDIBILITY = {
    "1": "confirmed by other sources",
    "2": "probably true",
    "3": "possibly true",
    "4": "doubtful",
    "5": "improbable",
    "6": "truth cannot be judged",
}


def render_grade(grade: str) -> str:
    """`B2` as "source usually reliable, information probably true". Raises `LocalError`."""
    letter, digit = grade[:1].upper(), grade[1:]
    if letter not in RELIABILITY or digit not in CREDIBILITY:
        raise LocalError("not an Admiralty grade", advice="a letter A to F and a digit 1 to 6, such as B2")
    return f"source {RELIABILITY[letter]}, information {CREDIBILITY[digit]}"
