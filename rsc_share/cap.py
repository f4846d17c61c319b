"""CAP 1.2 in and out: `read_alert(path)` and `write_alert(alert)`, each with a report of what could not be carried."""

from __future__ import annotations

from rsc_share.bridges.cap import CapExport, CapImport, read_alert, write_alert
from rsc_share.bridges.loss import LossReport

__all__ = ["CapExport", "CapImport", "LossReport", "read_alert", "write_alert"]
