"""The tests of tests/api over TLS: an embedder cannot tell the difference, nor can the five scripts."""

from __future__ import annotations

from over_tls import over_tls

FILES = ("test_first_path", "test_publishing", "test_subscribing", "test_embedders_scripts")

globals().update(over_tls("api", FILES, fixtures=("homes",)))
