"""Every lying relay and cheating member of tests/attacks over TLS: what catches them is not the transport."""

from __future__ import annotations

import pytest
from over_tls import over_tls

pytestmark = pytest.mark.slow

globals().update(over_tls("attacks", ("test_attack_holes", "test_attacks_by_relays"), fixtures=("fw",)))
