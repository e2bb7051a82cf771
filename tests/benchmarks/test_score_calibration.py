"""A joint's similarity is its term of OKS; each score falls into one range."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from pose_onnx.core.oks import oks

SIGMAS = tuple(np.linspace(0.03, 0.1, 17).tolist())


@pytest.fixture(scope="module")
def calibration(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("score_calibration")


def test_the_mean_of_the_terms_is_oks(calibration: ModuleType) -> None:
    rng = np.random.default_rng(0)
    found, truth = rng.uniform(0, 40, (2, 3, 17, 2)).astype(np.float32)
    areas = np.array([900, 1600, 2500], np.float32)
    terms = calibration.similarities(found, truth, areas, SIGMAS)
    wanted = np.diag(oks(found, truth, areas, SIGMAS))
    assert terms.mean(axis=1) == pytest.approx(wanted, rel=1e-4)


def test_rows(calibration: ModuleType) -> None:
    lines = calibration.rows(np.array([0.05, 0.2, 0.25, 0.9]), np.array([0.1, 0.6, 0.4, 0.9]))
    assert lines[0] == "0.0 to 0.1: 0.00 of 1"
    assert lines[1] == "0.1 to 0.2: - of 0"
    assert lines[2] == "0.2 to 0.3: 0.50 of 2"
    assert lines[-2] == "0.8 to inf: 1.00 of 1"
    assert lines[-1] == "above 0.2: 0.500 of 50.0% of all joints"
