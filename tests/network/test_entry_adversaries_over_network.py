"""Every entry that lies, handed in or logged over TLS: what catches it is not the transport."""

from __future__ import annotations

import pytest
from over_tls import over_tls

pytestmark = pytest.mark.slow

globals().update(over_tls("attacks", ("test_attacks_on_entries",)))
