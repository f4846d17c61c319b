"""The benchmarks are scripts that import each other; what is pure in them is tested here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "bench"))
