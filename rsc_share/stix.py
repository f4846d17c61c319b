"""STIX 2.1 in: `read_bundle(path)` gives messages and a report of what could not be carried."""

from __future__ import annotations

from rsc_share.bridges.loss import LossReport
from rsc_share.bridges.stix import StixImport, read_bundle

__all__ = ["LossReport", "StixImport", "read_bundle"]
