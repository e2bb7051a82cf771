"""Videos in parts: joined, every frame is there once, at its time, with the sound of the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pose_onnx import OutputError
from pose_onnx.core.arrays import Image
from pose_onnx.video import open_source
from pose_onnx.video.outputs.encoders import FORMATS
from pose_onnx.video.outputs.parts import VideoParts, fit_into
from tests.video.clips import beeps, frame_times, make_clip

TIMES = np.cumsum(np.random.default_rng(0).choice([0.0005, 0.01, 0.04, 0.5], 40))
MS = 1e-3


def grey(index: int, size: tuple[int, int] = (48, 64)) -> Image:
    return np.full((*size, 3), 20 + 5 * index, np.uint8)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_frame_is_there_once_at_its_time(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    with VideoParts(tmp_path, target, fps=25) as parts:
        for index, time in enumerate(TIMES):
            parts.write(grey(index), float(time))
            if index in {0, 7, 30}:  # a part of one frame, and of many
                parts.cut()
        assert parts.join(None) == ""
    found = np.array(frame_times(target))
    tolerance = (
        MS / 2 if suffix in {".mp4", ".mov"} else 2 * MS
    )  # whole milliseconds, and each later than the last
    np.testing.assert_allclose(found - found[0], TIMES - TIMES[0], atol=tolerance)
    with open_source(target) as source:
        levels = [int(np.median(image)) for _, _, image in source]
    assert source.missing == 0
    assert levels == pytest.approx([20 + 5 * index for index in range(len(TIMES))], abs=6)


def test_an_earlier_run_goes_on(tmp_path: Path) -> None:
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=25) as first:
        for index in range(10):
            first.write(grey(index), index / 25)
        first.cut()
        first.write(grey(45), 10 / 25)  # lost with the run
    done = first.parts[:1]
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=25, parts=done, size=first.size) as second:
        for index in range(10, 15):
            second.write(grey(index), index / 25)
        second.join(None)
    assert frame_times(tmp_path / "a.mp4") == pytest.approx([index / 25 for index in range(15)])


def test_the_sound_stays_in_step(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", [grey(1)] * 50, fps=25, audio="aac", seconds=2)
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=25) as parts:
        for index in range(50):
            parts.write(grey(1), index / 25)
            if index % 15 == 0:
                parts.cut()
        assert parts.join(clip) == ""
    assert beeps(tmp_path / "a.mp4") == pytest.approx(beeps(clip), abs=0.025)


def test_another_size_is_fitted_in(tmp_path: Path) -> None:
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=25) as parts:
        for index, size in enumerate([(48, 64), (24, 32), (100, 40), (48, 64)]):
            parts.write(grey(30, size), index / 25)
        parts.join(None)
    assert parts.fitted == 2
    assert len(frame_times(tmp_path / "a.mp4")) == 4
    tall = fit_into(grey(30, (100, 40)), (50, 60))
    assert tall.shape == (50, 60, 3)
    assert set(tall[:, 20:40].ravel().tolist()) == {170}
    assert not tall[:, :20].any()
    assert not tall[:, 40:].any()


def test_of_no_frames_there_is_no_file(tmp_path: Path) -> None:
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=None) as parts:
        assert parts.join(None) == ""
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="names no video format"):
        VideoParts(tmp_path, tmp_path / "a.xyz", fps=None)


def test_a_part_that_cannot_be_finished_is_none(tmp_path: Path) -> None:
    with VideoParts(tmp_path, tmp_path / "a.mp4", fps=25) as parts:
        parts.write(grey(0), 0.0)
        (tmp_path / "000000.mp4").mkdir()  # in the way of the part
        with pytest.raises(OutputError, match="cannot be written"):
            parts.cut()
    assert parts.parts == []
