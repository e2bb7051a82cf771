"""How many people to give the keypoint network at once: CPU time per person, by batch size.

    OMP_NUM_THREADS=1 python benchmarks/batch_size.py [--batches 1 2 4 8] [MODEL ...]

One thread, interleaved after a warm-up, medians. MODEL is a name or a path; a path's suffix is replaced with
the backend's. Times are relative to the first of `--batches` (1.00).
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from overhead import BACKENDS, measure

from pose_onnx import KeypointModel
from pose_onnx.pairs import DEFAULT_POSE
from pose_onnx.runtimes import model_suffix


def main() -> None:
    """Print a line for each model and backend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[DEFAULT_POSE], metavar="MODEL")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    for name in given.models:
        for backend in BACKENDS:
            path = str(Path(name).with_suffix(model_suffix(backend))) if Path(name).suffix else name
            with KeypointModel(path, backend=backend, threads=1) as model:
                shapes = [(count, 3, *model.card.picture.size) for count in given.batches]
                feeds = [{"image": rng.standard_normal(shape, np.float32)} for shape in shapes]
                runs = [partial(model.runtime.run, feed) for feed in feeds]
                times = measure(runs, given.repeats, time.process_time)
            each = [median(own) / count for own, count in zip(times, given.batches, strict=True)]
            ratios = ", ".join(
                f"{count}: {one / each[0]:.2f}" for count, one in zip(given.batches, each, strict=True)
            )
            print(f"{model.card.name}, {backend:6s}: {each[0]:.2f} ms a person; {ratios}")


if __name__ == "__main__":
    main()
