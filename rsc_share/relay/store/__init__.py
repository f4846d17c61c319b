"""Where a relay keeps its logs: one protocol, nine promises, one conformance suite that every store passes."""
