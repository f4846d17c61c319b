"""Headers, batch signatures, stamps and entries: bytes to unverified values and back. Nothing here decides."""
