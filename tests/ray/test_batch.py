"""The actor class by itself: one row for each picture and frame, and for each that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_onnx import InputError, PoseEstimator, UnknownNameError, load_image

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

import pyarrow as pa

from pose_onnx.ray import SCHEMA, PoseBatch
from pose_onnx.video import VideoPoseEstimator
from tests.ray.conftest import options
from tests.video.clips import make_clip

ROOT = Path(__file__).parents[2]
FRAMES = 300  # more than one table


@pytest.fixture
def batch(tiny_detector: Path, tiny_pose: Path) -> Any:
    threads = cv2.getNumThreads()
    yield PoseBatch(**options(tiny_detector, tiny_pose))
    cv2.setNumThreads(threads)


def rows(batch: PoseBatch, table: Any) -> list[dict[str, Any]]:
    tables = list(batch(table))
    assert all(table.schema == SCHEMA for table in tables)
    return [row for table in tables for row in table.to_pylist()]


def test_pictures(
    batch: PoseBatch,
    photo: Callable[..., Path],
    tmp_path: Path,
    tiny_detector: Path,
    tiny_pose: Path,
) -> None:
    paths = [str(photo(tmp_path / f"{people}.png", people)) for people in (2, 0, 1)]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    paths[1:1] = [str(broken)]
    found = rows(batch, pa.table({"path": [*paths, str(tmp_path / "gone.png")]}))
    assert [row["error_kind"] for row in found] == [None, "InputError", None, None, "InputError"]
    assert [row["people"] is not None and len(row["people"]) for row in found] == [2, False, 0, 1, False]
    assert (found[0]["width"], found[0]["height"], found[0]["frame"], found[0]["time"]) == (
        64,
        64,
        None,
        None,
    )
    assert (found[0]["detector"], found[0]["pose"]) == ("tiny_detector", "tiny_pose")
    assert "broken.jpg" in found[1]["error"]
    poses = PoseEstimator(tiny_detector, tiny_pose, threads=1)(paths[0])
    people = found[0]["people"]
    assert [person["keypoints"] for person in people] == poses.keypoints.tolist()
    assert [person["id"] for person in people] == [None, None]


def test_content_that_was_read_already(batch: PoseBatch, photo: Callable[..., Path], tmp_path: Path) -> None:
    content = photo(tmp_path / "a.png").read_bytes()
    (row,) = rows(batch, {"path": np.array(["s3://far/a.png"]), "bytes": np.array([content], object)})
    assert (row["path"], len(row["people"])) == ("s3://far/a.png", 1)


def test_a_video(
    batch: PoseBatch,
    photo: Callable[..., Path],
    tmp_path: Path,
    tiny_detector: Path,
    tiny_pose: Path,
) -> None:
    film, broken = tmp_path / "film.avi", tmp_path / "broken.mp4"
    image = cv2.imread(str(photo(tmp_path / "a.png")))
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 64))
    for _ in range(FRAMES):
        writer.write(image)
    writer.release()
    broken.write_bytes(b"no video")
    found = rows(batch, pa.table({"path": [str(broken), str(film)]}))
    assert (found[0]["path"], found[0]["people"], found[0]["frame"]) == (str(broken), None, None)
    assert "broken.mp4" in found[0]["error"]
    frames = found[1:]
    assert [row["frame"] for row in frames] == list(range(FRAMES))
    video = VideoPoseEstimator(PoseEstimator(tiny_detector, tiny_pose, threads=1))
    for row, frame in zip(frames, video.run(film), strict=True):
        assert (row["time"], row["error"]) == (frame.time, None)
        assert [person["keypoints"] for person in row["people"]] == frame.poses.keypoints.tolist()
        assert [person["id"] for person in row["people"]] == list(frame.poses.ids)  # type: ignore[arg-type]


def test_half_a_video_has_the_rows_of_its_frames_and_one_with_the_error(
    batch: PoseBatch, photo: Callable[..., Path], tmp_path: Path
) -> None:
    image = load_image(photo(tmp_path / "a.png"))
    film = make_clip(tmp_path / "film.mkv", [np.roll(image, index, axis=1) for index in range(30)])
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    *frames, last = rows(batch, pa.table({"path": [str(film)]}))
    assert 0 < len(frames) < 30
    assert [row["frame"] for row in frames] == list(range(len(frames)))
    assert (last["frame"], last["error_kind"]) == (None, "InputError")
    assert "are missing at the end" in last["error"]


def test_a_batch_without_paths(batch: PoseBatch) -> None:
    with pytest.raises(InputError, match="it needs 'path'"):
        list(batch(pa.table({"image": [b""]})))


def test_wrong_options_are_said_at_once() -> None:
    with pytest.raises(UnknownNameError, match="no_such_model"):
        PoseBatch(pose="no_such_model")


def test_a_missing_scipy_is_found_out_before_the_second_person_of_a_video() -> None:
    code = (
        "import sys\n"
        "sys.modules['scipy'] = None\n"
        "from pose_onnx import DependencyError\n"
        "try:\n"
        "    import pose_onnx.ray\n"
        "except DependencyError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "SciPy" in done.stdout
    assert "pose-onnx[ray]" in done.stdout
