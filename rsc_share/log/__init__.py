"""Transparency log: RFC 6962 trees and the C2SP formats (signed note, checkpoint, cosignature, tiles, proof files).

Import from the modules: `merkle`, `proofs`, `tree`, `note`, `checkpoint`, `cosignature`, `tiles`, `tlogproof`.
Nothing here does I/O; the only import from its own floor is `crypto.signing`.
"""
