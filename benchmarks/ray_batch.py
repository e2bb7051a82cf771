"""One worker against several in a batch job: photos per second, with one thread per worker.

    python benchmarks/ray_batch.py [--workers 1 2] [--photos 800] [--rounds 5] [--json FILE]
                                   [--detector NAME|FILE] [--pose NAME|FILE]

The built-in models by default, on copies of one of this package's photos. The machine needs as many free
cores as workers. Ray is started once. The jobs are interleaved, each into an empty folder; the first of each
is the warm-up. "job" is the whole call of `run_batch`: listing, loading the models here and in every worker,
and writing. "working" begins when every worker has written something, so it is the rate of a long job.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from pose_onnx.ray import Report, run_batch
from pose_onnx.ray._session import cores, ray_session

PHOTO: Final = Path(__file__).parents[1] / "models" / "photos" / "camera.jpg"
STARTED: Final = 0.2
"""Share of the photos after which all workers have started: they start together, and parts are smaller."""


def rates(photos: Path, count: int, workers: int, models: dict[str, str]) -> dict[str, float]:
    """Return photos per second of one job."""
    begin = time.perf_counter()
    marks: list[tuple[float, int]] = []

    def note(report: Report) -> None:
        if report.done >= STARTED * count:
            marks.append((time.perf_counter(), report.done))

    with tempfile.TemporaryDirectory() as out:
        report = run_batch([str(photos)], out, workers=workers, threads=1, progress=note, **models)
    if (report.done, report.failed) != (count, 0):
        raise SystemExit(f"{report.done} of {count} photos done, {report.failed} failed")
    (first, done), (last, _) = marks[0], marks[-1]
    return {"job": count / (last - begin), "working": (count - done) / (last - first)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--photos", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--pose", default=DEFAULT_POSE)
    args = parser.parse_args()
    models = {"detector": args.detector, "pose": args.pose}
    results: list[dict[int, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder, ray_session("local", max(args.workers)):
        for number in range(args.photos):
            shutil.copy(PHOTO, Path(folder) / f"{number:06}.jpg")
        for turn in range(1 + args.rounds):
            found = {count: rates(Path(folder), args.photos, count, models) for count in args.workers}
            if turn:
                results.append(found)
    print(f"{cores()} cores, 1 thread a worker, {args.photos} photos, {args.rounds} interleaved rounds")
    base = args.workers[0]
    for kind in ("job", "working"):
        for count in args.workers:
            rate = median(found[count][kind] for found in results)
            ratio = median(found[count][kind] / found[base][kind] for found in results)
            print(f"{kind:>8}, {count} workers: {rate:7.1f} photos/s, {ratio:.2f} x of {base}")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
