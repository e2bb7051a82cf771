"""Costs and savings of smaller number formats: average precision, size and time of exported files.

    python benchmarks/precision.py FOLDER

FOLDER holds what `pose-onnx export --precision fp32,fp16,int8-dynamic,int8 --annotations ...` wrote. Average
precision is taken from the receipts. Times are CPU times of single images on one thread; each file is
interleaved with the float32 file of its format. Medians of the ratios of neighbouring runs are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from pose_onnx import read_card
from pose_onnx.exporters.receipt import SUFFIX
from pose_onnx.runtimes import Runtime, backend_for, open_runtime

WARM_UP: Final = 5
FORMATS: Final = (".onnx", ".tflite")
PRECISIONS: Final = ("fp16", "int8-dynamic", "int8")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=60)
    args = parser.parse_args()
    print("| file | MB | AP | every layer int8 | layers in float32 | time vs fp32 |")
    print("|---|---|---|---|---|---|")
    for receipt in sorted(args.folder.glob(f"*{SUFFIX}")):
        for row in rows(args.folder, json.loads(receipt.read_text()), args.repeats):
            print("|", " | ".join(row), "|", flush=True)


def rows(folder: Path, receipt: dict[str, Any], repeats: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each file of a model."""
    name, accuracy = receipt["model"], receipt["accuracy"]
    costs = {item["file"]: item for item in accuracy["files"]}
    for suffix in FORMATS:
        reference = folder / f"{name}{suffix}"
        yield reference.name, megabytes(reference), f"{accuracy['on']['fp32_ap']:.2f}", "", "", "1"
        for precision in PRECISIONS:
            file = folder / f"{name}_{precision}{suffix}"
            cost = costs[file.name]
            kept = cost["float_layers"]
            every = [
                trial["ap"] for trial in cost["trials"] if trial["float_layers"] == 0 and kept is not None
            ]
            yield (
                file.name,
                megabytes(file),
                f"{cost['ap']:.2f}",
                " ".join(f"{ap:.2f}" for ap in every),
                "" if kept is None else f"{len(kept)} of {cost['layers']}",
                f"{ratio(file, reference, repeats):.2f}",
            )


def megabytes(file: Path) -> str:
    """Size in 10^6 bytes."""
    return f"{file.stat().st_size / 1e6:.2f}"


def ratio(file: Path, reference: Path, repeats: int) -> float:
    """CPU time of one image, as a multiple of the reference's."""
    image = np.random.default_rng(0).standard_normal((1, 3, *read_card(file).picture.size)).astype(np.float32)
    opened = [open_runtime(path, backend_for(path), threads=1) for path in (file, reference)]
    ratios = []
    for _ in range(WARM_UP + repeats):
        mine, other = (cpu_time(runtime, image) for runtime in opened)
        ratios.append(mine / other)
    return statistics.median(ratios[WARM_UP:])


def cpu_time(runtime: Runtime, image: np.ndarray) -> float:
    """Seconds of CPU time of one run, in all threads of this process."""
    start = time.process_time()
    runtime.run({"image": image})
    return time.process_time() - start


if __name__ == "__main__":
    main()
