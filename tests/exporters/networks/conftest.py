"""Scripts that need Paddle, run as processes of their own: it warns at import and keeps global state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import load_card
from pose_onnx.exporters.paddle_to_onnx import random_parameters
from pose_onnx.exporters.verify import make_inputs

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def run_paddle() -> Callable[..., None]:
    """Return a function that runs a script of this folder: `run_paddle(name, *arguments)`."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")

    def run(script: str, *arguments: str | Path) -> None:
        subprocess.run(
            [sys.executable, "-W", "ignore", str(HERE / script), *map(str, arguments)],
            check=True,
            capture_output=True,
            env={
                **os.environ,
                "GLOG_minloglevel": "2",
                "PYTHONPATH": os.pathsep.join([str(HERE.parents[2]), *filter(None, sys.path)]),
            },
        )

    return run


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that writes a checkpoint of seeded random weights for a card's name."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")

    def write(name: str) -> Path:
        folder, card = tmp_path_factory.mktemp("random"), load_card(name)
        weights = random_parameters(card, make_inputs(card), folder)
        np.savez(folder / f"{name}.npz", **weights)  # type: ignore[arg-type]  # keywords are arrays here
        return folder / f"{name}.npz"

    return write
