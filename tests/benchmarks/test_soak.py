"""The soak test sees what it is for, and its two ways of running find the same people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

IMAGES = 2000
HEATMAP_MB = 32 * 24 * 4 / 1024**2


@pytest.fixture(scope="module")
def soak(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("soak")


def memory(soak: ModuleType, leak_mb: float) -> tuple[float, ...]:
    """Return what a process holds that grows to its working size, with noise, and leaks so much a picture."""
    pictures = np.arange(0, IMAGES, soak.EVERY)
    noise = np.random.default_rng(0).normal(0, 0.5, len(pictures))
    held = 120 + 40 * (1 - np.exp(-pictures / 100)) + noise + leak_mb * pictures
    return tuple(held.tolist())


@pytest.mark.parametrize(("leak", "flat"), [(0, True), (HEATMAP_MB, False), (50 * HEATMAP_MB, False)])
def test_one_heatmap_kept_for_each_picture_is_seen(soak: ModuleType, leak: float, flat: bool) -> None:
    run = soak.Soak("ort", "call", IMAGES, 0, memory(soak, leak))
    assert (run.growth < soak.BAR) is flat
    assert run.slope == pytest.approx(1024 * leak, abs=1)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_calls_and_map_do_the_same_work(soak: ModuleType, tmp_path: Path) -> None:
    pictures = soak.make_pictures(tmp_path)
    assert len(pictures) == soak.FILES
    runs = [soak.soak("ort", name, 2, pictures, 30) for name in soak.RUNS]
    assert len({run.people for run in runs}) == 1
    assert runs[0].people > 30
    assert [len(run.memory) for run in runs] == [3, 3]
