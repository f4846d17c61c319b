"""Grants of a followed log."""

from __future__ import annotations

from typing import Any

from rsc_share.rulebook.facts import GrantFact


def grant_wire(fact: GrantFact) -> list[Any]:
    return [fact.index, fact.logged_at, list(fact.nodes)]


def read_grant(value: list[Any]) -> GrantFact:
    index, logged_at, nodes = value
    return GrantFact(index, logged_at, tuple(nodes))
