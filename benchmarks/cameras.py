"""Cost of several cameras at once: in one process with `MultiVideo`, and with one process per camera.

    python -m benchmarks.cameras [--cameras 1 2 4 8 16] [--fps 10] [--people 1] [--threads 1] [--seconds 8]

Cameras are H.264 over HTTP from this machine (`benchmarks.cameras_server`), 640 x 360 pixels, in real time.
For each way, it measures the processor time (user and system, all threads) without the server, the number of
processed frames, and the time from taking a picture to its result. Counting starts `WARM_UP_S` after every
camera has given its first result. Other programs on the machine lengthen latencies and drop frames, but
affect the processor time per frame less, so the comparison uses that.

`--recorded` compares only the processor time, on the same scene from files: one `MultiVideo` against one
video after another. Nothing waits for a clock, so this also works on a busy machine. Frames of all files are
always waiting, like those of cameras when the machine cannot keep up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.cameras_server import offset_of, read_mark, serve, taken_at
from benchmarks.video_scene import crossing, demo_people
from pose_onnx import PoseEstimator
from pose_onnx.video import Frame, MultiVideo, VideoPoseEstimator, VideoWriter
from pose_onnx.video.multi import GATHER_S

WARM_UP_S: Final = 3.0
"""In the first seconds, captures give all their buffered frames at once."""


RECORDED: Final = 60
"""Number of frames in a file."""


@dataclass
class Count:
    """What one process did while it was counted.

    Attributes:
        cpu: Processor time in seconds.
        seconds: Wall-clock time in seconds.
        frames: Number of results of each camera, by the camera's number.
        latencies: From taking a picture to its result, seconds.
    """

    cpu: float = 0.0
    seconds: float = 0.0
    frames: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--gather", type=float, default=GATHER_S, help="of MultiVideo")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--most-processes", type=int, default=16, help="leave more processes out")
    parser.add_argument("--recorded", action="store_true", help="files instead of cameras")
    parser.add_argument("--follow", nargs="*", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        print(json.dumps(vars(count(options.follow, options))))
        return
    if options.recorded:
        compare_recorded(options)
        return
    for cameras in options.cameras:
        with serve(options.people, options.fps, cameras) as addresses:
            together = processes([addresses], options)
            show("one process", together, cameras)
            if cameras <= options.most_processes:
                apart = processes([[address] for address in addresses], options)
                show(f"{cameras} processes", apart, cameras)
                print(
                    f"   processor time of a frame: {cost(together) / cost(apart):.2f} of {cameras} processes"
                )


def compare_recorded(options: argparse.Namespace) -> None:
    """Print the processor time per frame of several files at once, and of each file alone."""
    scene = crossing(demo_people(), seed=1, count=options.people)
    frames = list(islice(scene.frames(), RECORDED))
    with tempfile.TemporaryDirectory() as folder, PoseEstimator(threads=options.threads) as estimator:
        path = Path(folder) / "scene.mp4"
        with VideoWriter(path, fps=options.fps) as writer:
            for index, (_, image) in enumerate(frames):
                writer.write(image, index / options.fps)
        video = VideoPoseEstimator(estimator)
        alone(video, path)  # engines settle in the first run
        for cameras in options.cameras:
            apart = sum(alone(video, path) for _ in range(cameras)) / cameras
            together = at_once(video, path, cameras) / cameras
            print(
                f"{cameras:2} files: at once {1000 * together / RECORDED:5.1f} ms of processor a frame, alone"
                f" {1000 * apart / RECORDED:5.1f} ms: {together / apart:.2f}",
                flush=True,
            )


def alone(video: VideoPoseEstimator, path: Path) -> float:
    """Return the processor time of one file, seconds."""
    begun = time.process_time()
    for _ in video.run(path):
        pass
    return time.process_time() - begun


def at_once(video: VideoPoseEstimator, path: Path, count: int) -> float:
    """Return the processor time, seconds, of several copies of a file at once."""
    begun = time.process_time()
    with MultiVideo(video) as cameras:
        for number in range(count):
            cameras.add(path, name=str(number))
        for _ in cameras.frames():
            pass
    return time.process_time() - begun


def processes(groups: Sequence[Sequence[str]], options: argparse.Namespace) -> list[Count]:
    """Follow each group of cameras in a separate process, all at the same time."""
    words = [sys.executable, "-m", "benchmarks.cameras"]
    for name in ("fps", "threads", "seconds", "gather"):
        words += [f"--{name}", str(getattr(options, name))]
    words += ["--cameras", str(sum(map(len, groups)))]
    started = [
        subprocess.Popen([*words, "--follow", *group], stdout=subprocess.PIPE, text=True) for group in groups
    ]
    return [Count(**json.loads(process.communicate()[0])) for process in started]


def count(addresses: Sequence[str], options: argparse.Namespace) -> Count:
    """Follow cameras and count."""
    cameras = options.cameras[0]
    counted = Count()
    begun_at: float | None = None
    seen: set[str] = set()
    with PoseEstimator(threads=options.threads) as estimator:
        for name, frame in results(VideoPoseEstimator(estimator), addresses, options.gather):
            now = time.monotonic()
            seen.add(name)
            if begun_at is None and len(seen) == len(addresses):
                begun_at = now + WARM_UP_S
            if begun_at is None or now < begun_at:
                begun_cpu = time.process_time()
                continue
            if now > begun_at + options.seconds:
                counted.cpu, counted.seconds = time.process_time() - begun_cpu, now - begun_at
                return counted
            offset = offset_of(int(name), cameras, options.fps)
            counted.frames[name] = counted.frames.get(name, 0) + 1
            counted.latencies.append(now - taken_at(read_mark(frame.image), now, options.fps, offset))
    raise RuntimeError("the cameras ended")


def results(
    video: VideoPoseEstimator, addresses: Sequence[str], gather: float
) -> Iterator[tuple[str, Frame]]:
    """Yield each frame with the number of its camera."""
    names = [address.rpartition("/")[2].removesuffix(".ts") for address in addresses]
    if len(addresses) == 1:
        for frame in video.run(addresses[0]):
            yield names[0], frame
        return
    with MultiVideo(video, gather=gather) as cameras:
        for name, address in zip(names, addresses, strict=True):
            cameras.add(address, name=name)
        for stream, following in cameras.frames():
            if following is None:
                raise RuntimeError(f"camera {stream.name} ended: {stream.error}")
            yield stream.name, following


def cost(counts: Sequence[Count]) -> float:
    """Return the processor time per frame, seconds."""
    return sum(each.cpu for each in counts) / sum(sum(each.frames.values()) for each in counts)


def show(way: str, counts: Sequence[Count], cameras: int) -> None:
    """Print the measurements."""
    rates = [number / each.seconds for each in counts for number in each.frames.values()]
    rates += [0.0] * (cameras - len(rates))
    latencies: Any = np.concatenate([each.latencies for each in counts]) * 1000
    cores = sum(each.cpu / each.seconds for each in counts)
    median, late = np.percentile(latencies, [50, 99])
    print(
        f"{cameras:2} cameras, {way:12}: {sum(rates):5.1f} frames/s in all, {min(rates):4.1f} to"
        f" {max(rates):4.1f} each; {1000 * cost(counts):5.1f} ms of processor a frame, {cores:.2f} cores;"
        f" latency {median:4.0f} ms, 99 % within {late:4.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
