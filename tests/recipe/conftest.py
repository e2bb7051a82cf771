"""The recipe is a program of its own beside the package: it is imported from `models/`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
