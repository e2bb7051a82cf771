"""Runs of `pose-onnx video` that are killed at random moments, and go on each time.

`python -m tests.fuzz.kills [RUNS [FIRST_SEED]]` tries many. Every output must be that of a run that nobody
killed: the same bytes, and for the annotated video the same frames at the same times, but for noise of the
encoder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import load_image
from pose_onnx.core.opencv import cv2
from pose_onnx.video import open_source
from tests.cli.conftest import DETECTOR_SIZE, POSE_SIZE, detector_model, pose_model, resized_card
from tests.video.clips import beeps, frame_times, make_clip

ROOT: Final = Path(__file__).parents[2]
PHOTO: Final = ROOT / "models" / "photos" / "camera.jpg"
OUTPUTS: Final = ("o.mp4", "o.jsonl", "o.csv", "o.json")
RUNS: Final = 30
FRAMES: Final = 330
MOST_KILLS: Final = 2
"""Of one run; then it may come to its end."""
MOST_NOISE: Final = 2 * 2.5
"""x264 gives other bits now and then for the same pictures (3 of 828 times), each up to 2.2 from them: the
mean over a frame, of 255."""


def prepare(folder: Path) -> list[str]:
    """Make a video with sound, and models that answer at once; return the command without its outputs."""
    image = cv2.resize(load_image(PHOTO), (160, 160), interpolation=cv2.INTER_AREA) // 2 + 120
    frames = [np.roll(image, 60 - abs(60 - index % 120), axis=1) for index in range(FRAMES)]
    clip = make_clip(folder / "in.mp4", frames, fps=25, audio="aac", seconds=FRAMES / 25)
    detector, pose = folder / "detector.onnx", folder / "pose.onnx"
    size = (DETECTOR_SIZE, DETECTOR_SIZE)
    detector.write_bytes(detector_model(resized_card("picodet_s_192_lcnet_pedestrian", "bright", size)))
    pose.write_bytes(pose_model(resized_card("tinypose_128x96", "blobs", POSE_SIZE)))
    options = ("--detector", detector, "--pose", pose, "--threads", "1", "--resume")
    return [sys.executable, "-m", "pose_onnx", "video", str(clip), *map(str, options)]


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a run whose outputs are in a folder."""
    folder.mkdir(exist_ok=True)
    out, lines, table, coco = (str(folder / name) for name in OUTPUTS)
    files = ["--out", out, "--jsonl", lines, "--csv", table, "--coco", coco]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *files], env=environment, text=True, stdout=pipe, stderr=pipe)


def finish(command: list[str], folder: Path) -> None:
    """Let a run come to its end."""
    with start(command, folder) as process:
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, ""), errors


def kill(command: list[str], folder: Path, after: float) -> bool:
    """Kill a run after some seconds, wherever it is; say whether it came to its end before."""
    with start(command, folder) as process:
        try:
            _, errors = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    assert (process.returncode, errors) == (0, ""), errors
    return True


def kill_at_random(command: list[str], folder: Path, seed: int, longest: float) -> int:
    """Kill a run again and again; return how often."""
    rng = np.random.default_rng(seed)
    for kills in range(MOST_KILLS):
        if kill(command, folder, rng.uniform(0, longest)):
            return kills
    finish(command, folder)
    return MOST_KILLS


def attempt(command: list[str], folder: Path, seed: int, longest: float) -> tuple[int, str]:
    """Kill one run again and again, and compare; return how often, and what is wrong."""
    kills = 0
    try:
        kills = kill_at_random(command, folder / f"{seed}", seed, longest)
        check_same(folder / f"{seed}", folder / "whole")
    except AssertionError as error:
        return kills, str(error)
    return kills, ""


def check_same(killed: Path, whole: Path) -> None:
    """Compare the outputs of two runs."""
    assert sorted(path.name for path in killed.iterdir()) == sorted(OUTPUTS)
    for name in OUTPUTS[1:]:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = killed / OUTPUTS[0], whole / OUTPUTS[0]
    assert frame_times(one) == frame_times(other)
    assert beeps(one) == beeps(other)
    noise = differences(one, other)
    assert max(noise) < MOST_NOISE
    # A picture too many or too few would be seen in half of the frames.
    assert np.median(noise) < 0.5


def differences(path: Path, other: Path) -> list[float]:
    """Return the mean difference of two videos in each frame, of 255."""
    with open_source(path) as source, open_source(other) as others:
        return [float(cv2.absdiff(one[2], two[2]).mean()) for one, two in zip(source, others, strict=True)]


def main() -> int:
    """Try as many runs as the command line says; say what fails, and return the exit code."""
    numbers = [int(word) for word in sys.argv[1:]]
    total, first = (*numbers, *(RUNS, 0)[len(numbers) :])
    failed = kills = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command, begun = prepare(folder), time.monotonic()
        finish(command, folder / "whole")
        longest = time.monotonic() - begun
        for seed in range(first, first + total):
            number, problem = attempt(command, folder, seed, longest)
            kills, failed = kills + number, failed + bool(problem)
            print(f"seed {seed}: killed {number} times {problem}", flush=True)  # noqa: T201 (a command)
    print(f"{total} runs, killed {kills} times, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
