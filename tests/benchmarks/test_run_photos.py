"""The benchmark of `pose-onnx run`: its ways find the same people, and it sees if they do not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copyfile
from types import ModuleType

import pytest

from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
MODELS = {"detector": DEFAULT_DETECTOR, "pose": DEFAULT_POSE}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    return [Path(copyfile(PHOTO, folder / f"{name}.jpg")) for name in "ab"]


@pytest.mark.parametrize("pictures", [False, True])
def test_both_ways_do_the_same(
    script: Callable[[str], ModuleType], photos: list[Path], pictures: bool, tmp_path: Path
) -> None:
    benchmark = script("run_photos")
    job = benchmark.Job(photos, MODELS, pictures)
    ways = [partial(benchmark.by_run, job, threads=2), partial(benchmark.by_loop, job, threads=1)]
    seconds = benchmark.timed(ways, 1, tmp_path)
    assert [len(own) for own in seconds] == [1, 1]
    for folder in ("1-0", "1-1"):
        copies = ["a_pose.jpg", "b_pose.jpg"] if pictures else []
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == [*copies, "poses.json"]
        assert [len(poses) for _, poses in benchmark.poses_of(tmp_path / folder)] == [1, 1]


def test_different_people_are_not_timed(
    script: Callable[[str], ModuleType], photos: list[Path], tmp_path: Path
) -> None:
    benchmark = script("run_photos")
    one = partial(benchmark.by_loop, benchmark.Job(photos[:1], MODELS, False), threads=1)
    two = partial(benchmark.by_loop, benchmark.Job(photos[1:], MODELS, False), threads=1)
    with pytest.raises(RuntimeError, match="different people in 1 photos"):
        benchmark.timed([one, two], 1, tmp_path)
