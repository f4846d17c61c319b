"""The program that writes docs/vectors: `python -m rsc_share.testing.vectors docs/vectors`.

Seeds and times are fixed, so a run changes nothing unless the code did. What no seed can fix (ML-DSA signatures are
hedged, HPKE encapsulations fresh) is kept in `randomised.json` and used again as long as it verifies.
"""
