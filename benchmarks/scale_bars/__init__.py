"""The bars of the scale room, one module each; ``benchmarks.scale`` runs them.

A bar is a function ``run(options) -> Part``, and is listed in ``benchmarks.scale.PARTS``.
"""

import sys
from pathlib import Path

# The simulations that tests share.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "support"))
