"""A folder of photos through `pose-onnx run`, against a plain loop over the photos.

    OMP_NUM_THREADS=1 python benchmarks/run_photos.py FOLDER [--photos 360] [--threads 2] [--rounds 3]
        [--detector M --pose M]

Each way does everything that the command does: it opens the models, reads the files, finds the people and
writes the JSON; the second time it also writes annotated photos. The loop runs once with as many threads
inside a network as `run` has for everything, and once with one. Runs are interleaved and timed by the clock,
after all ways have found the same people to the last digit. Medians are printed, and medians of the ratios
within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pose_onnx import PoseEstimator, Poses, draw_poses, load_image
from pose_onnx.cli import main as pose_onnx
from pose_onnx.files import make_folder
from pose_onnx.formats.results import ImageResult, read_results, results_json
from pose_onnx.image_files import write_image
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE


@dataclass(frozen=True)
class Job:
    """What each way does.

    Attributes:
        photos: Files.
        models: The arguments `detector` and `pose`.
        pictures: Whether annotated copies are written.
    """

    photos: Sequence[Path]
    models: Mapping[str, str]
    pictures: bool


def by_run(job: Job, out: Path, threads: int) -> None:
    """Process the photos with `pose-onnx run`.

    Raises:
        RuntimeError: The command failed.
    """
    options = [word for name, model in job.models.items() for word in (f"--{name}", model)]
    options += [] if job.pictures else ["--no-pictures"]
    words = ["run", *map(str, job.photos), "--out", str(out), "--threads", str(threads), *options]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pose_onnx(words)
    if code:
        raise RuntimeError(f"pose-onnx run ended with {code}")


def by_loop(job: Job, out: Path, threads: int) -> None:
    """Process the photos one after another."""
    found = []
    make_folder(out)
    with PoseEstimator(**job.models, threads=threads) as model:
        for photo in job.photos:
            pixels = load_image(photo)
            poses = model(pixels)
            target = out / f"{photo.stem}_pose{photo.suffix}"
            if job.pictures:
                write_image(target, draw_poses(pixels, poses))
            size = (pixels.shape[0], pixels.shape[1])
            found.append(ImageResult(str(photo), size, poses, str(target) if job.pictures else ""))
    (out / "poses.json").write_text(results_json({}, found), encoding="utf-8")


def poses_of(folder: Path) -> list[tuple[str, Poses]]:
    """Return what was found in each photo."""
    return [(image.path, image.poses) for image in read_results(folder / "poses.json").images]


def differences(folders: Sequence[Path]) -> int:
    """Return in how many photos any of the ways found something different from the first."""
    first, *others = ([(path, poses.to_dict()) for path, poses in poses_of(folder)] for folder in folders)
    return sum(one != two for other in others for one, two in zip(first, other, strict=True))


def timed(ways: Sequence[Callable[[Path], None]], rounds: int, scratch: Path) -> list[list[float]]:
    """Return the seconds of each way in each round, after an uncounted round that compares their results.

    Raises:
        RuntimeError: The ways find different people.
    """
    seconds: list[list[float]] = [[] for _ in ways]
    for turn in range(rounds + 1):
        folders = [scratch / f"{turn}-{number}" for number in range(len(ways))]
        for way, folder, own in zip(ways, folders, seconds, strict=True):
            begun = time.perf_counter()
            way(folder)
            if turn:
                own.append(time.perf_counter() - begun)
        if not turn and (number := differences(folders)):
            raise RuntimeError(f"different people in {number} photos")
    return seconds


def compare(job: Job, threads: int, rounds: int) -> str:
    """Return one line: milliseconds per photo of `run`, and how much faster it is than the loops."""
    ways = {
        f"run, {threads} threads": lambda out: by_run(job, out, threads),
        f"loop, {threads} threads": lambda out: by_loop(job, out, threads),
        "loop, 1 thread": lambda out: by_loop(job, out, 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        ours, *others = timed(list(ways.values()), rounds, Path(scratch))
    ours_name, *names = ways
    parts = [f"{ours_name} {1e3 * median(ours) / len(job.photos):.1f} ms a photo"]
    for name, seconds in zip(names, others, strict=True):
        ratio = median(other / own for own, other in zip(ours, seconds, strict=True))
        parts.append(f"{name} {1e3 * median(seconds) / len(job.photos):.1f} ({ratio:.2f}x)")
    return "; ".join(parts)


def main() -> None:
    """Print a line without annotated photos, and one with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=360, help="of the folder, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    given = parser.parse_args()
    photos = sorted(given.folder.glob("*.jpg"))[: given.photos]
    print(f"{len(photos)} photos; load of the machine at the start: {os.getloadavg()[0]:.1f}")
    for pictures in (False, True):
        job = Job(photos, {"detector": given.detector, "pose": given.pose}, pictures)
        print(f"annotated photos {pictures}: {compare(job, given.threads, given.rounds)}", flush=True)


if __name__ == "__main__":
    main()
