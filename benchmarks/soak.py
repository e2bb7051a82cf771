"""Memory over many pictures: resident set from beginning to end, for each backend, by calls and by `map`.

    python benchmarks/soak.py [--images 2000] [--backends ort tflite] [--threads N] [--json FILE]

Pictures of varying size and number of people, from nobody to 9, are read from files in a seeded order. Each
run is a separate process. Engines and allocators grow to the largest picture that they have seen, so the
first third does not count. Memory is flat if it grows by less than `BAR` from then to the end. A leak of one
heatmap of 32 x 24 cells, the smallest array needed for a person, in each of 2,000 pictures would exceed that.
Exits with 1 if memory is not flat. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pose_onnx import PoseEstimator, load_image
from pose_onnx.bench import repeat_picture
from pose_onnx.image_files import Image, write_image
from pose_onnx.runtimes import default_threads

PHOTOS: Final = Path(__file__).parents[1] / "models" / "photos"
FILES: Final = 60
SIDES: Final = (120, 1200)
"""Shortest and longest side of a picture, pixels."""
COPIES: Final = (0, 1, 1, 1, 2, 3, 4, 6, 9)
"""How often a photo is repeated in a picture; 0 means a picture without people."""
EVERY: Final = 10
"""Number of pictures between two memory readings."""
BAR: Final = 2.5
"""MB."""
_KB: Final = 1024

Run = Callable[[PoseEstimator, Iterable[Path]], Iterator[Any]]


def call(estimator: PoseEstimator, pictures: Iterable[Path]) -> Iterator[Any]:
    """Yield the poses of each picture, with one call per picture."""
    return map(estimator, pictures)


RUNS: Final = MappingProxyType({"call": call, "map": PoseEstimator.map})


@dataclass(frozen=True)
class Soak:
    """Memory of one run, MB.

    Attributes:
        backend: Name of the engine.
        run: One of `RUNS`.
        images: Number of pictures.
        people: Number of people found in them.
        memory: Memory after every `EVERY` pictures.
    """

    backend: str
    run: str
    images: int
    people: int
    memory: tuple[float, ...]

    @property
    def settled(self) -> Sequence[float]:
        """Memory after the first third."""
        return self.memory[len(self.memory) // 3 :]

    @property
    def growth(self) -> float:
        """Growth in MB from the first fifth of the counted readings to the last fifth."""
        part = max(1, len(self.settled) // 5)
        return median(self.settled[-part:]) - median(self.settled[:part])

    @property
    def slope(self) -> float:
        """Slope in KB per picture of a straight line through the counted readings."""
        return float(np.polyfit(np.arange(len(self.settled)) * EVERY, self.settled, 1)[0]) * _KB


def make_pictures(folder: Path) -> list[Path]:
    """Write pictures of many kinds."""
    rng = np.random.default_rng(0)
    photos = [load_image(path) for path in sorted(PHOTOS.glob("*.jpg"))]
    paths = [folder / f"{number}.jpg" for number in range(FILES)]
    for path in paths:
        write_image(path, make_picture(photos[rng.integers(len(photos))], rng))
    return paths


def make_picture(photo: Image, rng: np.random.Generator) -> Image:
    """Repeat a photo, or show nobody if the count is 0, then crop and stretch the result to any size."""
    copies = int(rng.choice(COPIES))
    image = repeat_picture(photo, copies) if copies else np.full_like(photo, rng.integers(256))
    height, width = rng.integers(*SIDES, size=2)
    rows = np.linspace(0, image.shape[0] - 1, height).astype(int)
    columns = np.linspace(0, image.shape[1] - 1, width).astype(int)
    return image[rows][:, columns]


def resident_mb() -> float:
    """Return the memory of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / _KB


def soak(backend: str, run: str, threads: int, pictures: Sequence[Path], images: int) -> Soak:
    """Run a number of pictures through one estimator."""
    order = np.random.default_rng(1).integers(len(pictures), size=images)
    people, memory = 0, []
    with PoseEstimator(backend=backend, threads=threads) as estimator:
        results = RUNS[run](estimator, (pictures[index] for index in order))
        for number, poses in enumerate(results):
            people += len(poses)
            if number % EVERY == 0:
                memory.append(resident_mb())
    return Soak(backend, run, images, people, tuple(memory))


def main() -> int:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--backends", nargs="+", default=["ort", "tflite"])
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    soaks = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = make_pictures(Path(folder))
        for backend in args.backends:
            for run in RUNS:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    one = pool.submit(soak, backend, run, args.threads, pictures, args.images).result()
                soaks.append(one)
                start, middle, end = (one.memory[at] for at in (0, len(one.memory) // 2, -1))
                print(
                    f"{backend}, {run}, {args.threads} threads: {one.images} pictures, {one.people} people; "
                    f"MB at start {start:.1f}, middle {middle:.1f}, end {end:.1f}; from the first third on "
                    f"{one.growth:+.2f} MB, {one.slope:+.2f} kB a picture: "
                    f"{'flat' if one.growth < BAR else 'NOT FLAT'}",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in soaks]) + "\n", encoding="utf-8")
    return int(any(one.growth >= BAR for one in soaks))


if __name__ == "__main__":
    sys.exit(main())
