"""Signatures, sealed grants, sealed bodies and the keystore. Import from the modules: each has one job.

`signing` (Ed25519, hybrid with ML-DSA-65, ML-DSA-44), `sealing` (HPKE grants), `bodies` (commitments and
AES-256-GCM), `keystore` (the only file I/O of this package).
"""
