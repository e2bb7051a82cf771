"""The networks in Paddle Inference, ONNX Runtime and TFLite, on one thread each.

    OMP_NUM_THREADS=1 python benchmarks/against_paddle.py [MODEL ...] [--work FOLDER] [--make]
        [--rounds 20] [--seconds 20] [--json FILE]

MODEL is an official name, whose network gets seeded random weights, or an inference folder as PaddleDetection
writes it. By default one network of each family is measured. NMS and argmax are left out everywhere: the
Paddle program ends where our files end. `--work` keeps what was made, `--make` stops before the timing.

Paddle runs its own kernels and those of oneDNN. Every engine must compute what Paddle's own kernels compute,
within the exporter's bars; times of one that does not are not printed, but by how much it is off. Runs are
interleaved after a warm-up. Times are medians of the process's CPU time, which other programs disturb less
than the clock on the wall; ratios are medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx import load_card, read_card
from pose_onnx.bench import machine
from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters import export
from pose_onnx.exporters.heads import find_heads
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.paddle_to_onnx import random_parameters, write_program
from pose_onnx.exporters.program import SIDE_INPUTS
from pose_onnx.exporters.source import read_source
from pose_onnx.exporters.verify import Measured, compare, make_inputs, run_with_rounding
from pose_onnx.files import make_folder
from pose_onnx.runtimes import backend_for, open_runtime
from pose_onnx.runtimes._paddle_folder import find_files

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about a compiler cache that is not needed to run a model
    from paddle import inference

FAMILIES: Final = (
    "tinypose_256x192",
    "tinypose_256x256_hand",
    "wider_naive_hrnet_18_256x192_coco",
    "lite_hrnet_18_256x192_coco",
    "hrnet_w32_256x192",
    "picodet_s_320_coco_lcnet",
    "ppyoloe_plus_crn_s_80e_coco",
    "yolov3_mobilenet_v1_270e_coco",
    "ppyolo_tiny_650e_coco",
    "ppyolo_r50vd_dcn_1x_coco",
    "ppyolov2_r50vd_dcn_365e_coco",
    "centernet_mbv3_small_140e_coco",
)
NATIVE, ONEDNN, ORT, TFLITE = "Paddle", "Paddle oneDNN", "ONNX Runtime", "TFLite"
WARM_UP: Final = 2
FEWEST: Final = 5
"""Rounds of a network, however slow it is."""

F32 = NDArray[np.float32]
Run = Callable[[F32], Mapping[str, F32]]
"""Runs a network on (1, ...) and returns its outputs under the card's names."""


@dataclass(frozen=True)
class Line:
    """What is measured of one network.

    Attributes:
        model: Its name.
        ms: Median by engine; of engines that compute the right thing.
        ratio: Time of Paddle's own kernels over that of the engine, likewise.
        difference: From Paddle's own kernels, the largest of any output, by engine and output.
        wrong: Engines whose difference is above a bar, and engines that fail, with Paddle's message.
    """

    model: str
    ms: dict[str, float]
    ratio: dict[str, float]
    difference: dict[str, dict[str, float]]
    wrong: dict[str, str]


def make(model: str, work: Path) -> tuple[Path, tuple[Path, ...]]:
    """Return a folder with Paddle's program, and our ONNX and TFLite file; make them if need be."""
    folder = make_folder(work / Path(model).name)
    paddle, done = folder / "paddle", folder / "done"
    if not done.exists():
        source = Path(model)
        if not source.is_dir():
            source = folder / f"{model}.npz"
            card = load_card(model)
            np.savez(source, **random_parameters(card, make_inputs(card), folder))  # type: ignore[arg-type]  # keywords are arrays here
        given = read_source(source)
        card, _ = resolve_card(given, Identity())
        program, _ = write_program(given, card, single_inputs(card), folder)
        for file in (program, program.with_suffix(".pdiparams")):
            shutil.move(file, make_folder(paddle) / file.name)
        export(source, out=folder)
        done.touch()
    return paddle, (*folder.glob("*.onnx"), *folder.glob("*.tflite"))


def single_inputs(card: ModelCard) -> dict[str, F32]:
    """Return the exporter's inputs, one of each kind."""
    return {name: batch[:1] for name, batch in make_inputs(card).items()}


def open_paddle(folder: Path, card: ModelCard, *, onednn: bool) -> Run:
    """Open a program in Paddle Inference, with all its graph optimisations."""
    program, weights = find_files(folder)
    config = inference.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(1)
    (config.enable_mkldnn if onednn else config.disable_mkldnn)()  # oneDNN's former name
    predictor = inference.create_predictor(config)

    def run(images: F32) -> Mapping[str, F32]:
        for name in predictor.get_input_names():
            make_side = SIDE_INPUTS.get(name)
            array = images if make_side is None else make_side(card.picture.size)
            predictor.get_input_handle(name).copy_from_cpu(array)
        predictor.run()
        handles = map(predictor.get_output_handle, predictor.get_output_names())
        arrays = {str(number): handle.copy_to_cpu() for number, handle in enumerate(handles)}
        floats = {name: array for name, array in arrays.items() if array.dtype == np.float32}
        heads = find_heads({name: array.shape for name, array in floats.items()}, card)
        return export_of(card).read(floats, heads, card)

    return run


def open_file(file: Path) -> Run:
    """Open one of our files as the package does."""
    runtime = open_runtime(file, backend_for(file), threads=1)
    (spec,) = runtime.inputs
    return lambda images: {name: array.copy() for name, array in runtime.run({spec.name: images}).items()}


def measure(model: str, work: Path, rounds: int, seconds: float) -> Line:
    """Compare and time one network."""
    folder, files = make(model, work)
    onnx, tflite = files
    card = read_card(onnx)
    inputs = single_inputs(card)
    openers: dict[str, Callable[[], Run]] = {
        NATIVE: lambda: open_paddle(folder, card, onednn=False),
        ONEDNN: lambda: open_paddle(folder, card, onednn=True),
        ORT: lambda: open_file(onnx),
        TFLITE: lambda: open_file(tflite),
    }
    _, rounding = run_with_rounding(onnx, inputs, card)
    line = Line(model, {}, {}, {}, {})
    right: dict[str, Run] = {}
    expected: dict[str, Mapping[str, F32]] = {}
    for name, opener in openers.items():
        try:
            run = opener()
            found = {key: run(array) for key, array in inputs.items()}
        except (RuntimeError, ValueError, NotImplementedError) as error:  # Paddle's derive from these
            line.wrong[name] = next(text for text in str(error).splitlines() if text.strip(" -"))
            continue
        expected = expected or found
        measured = compare(name, expected, found, card=card, precision="fp32", rounding=rounding)
        line.difference[name] = largest(measured)
        if all(each.passes for each in measured):
            right[name] = run
        else:
            line.wrong[name] = "computes something else"
    times = interleaved(right, inputs["random"], rounds, seconds)
    for name, own in times.items():
        line.ms[name] = 1e3 * median(own)
        line.ratio[name] = median(a / b for a, b in zip(times[NATIVE], own, strict=True))
    return line


def largest(measured: Sequence[Measured]) -> dict[str, float]:
    """Return the largest difference of each output."""
    return {
        output: max(each.error for each in measured if each.output == output)
        for output in {each.output: None for each in measured}
    }


def interleaved(runs: Mapping[str, Run], images: F32, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return CPU seconds of each engine in each round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for number in range(-WARM_UP, rounds):
        if number >= FEWEST and time.perf_counter() - start > seconds:
            break
        for name, run in runs.items():
            before = time.process_time()
            run(images)
            if number >= 0:
                times[name].append(time.process_time() - before)
    return times


def show(line: Line) -> str:
    """Return a row of the table."""
    engines = (NATIVE, ONEDNN, ORT, TFLITE)
    cells = [f"{line.ms[name]:.1f}" if name in line.ms else line.wrong[name] for name in engines]
    ratios = [f"{line.ratio[name]:.2f}" if name in line.ratio else "" for name in engines[1:]]
    apart = [
        ", ".join(f"{output} {error:.1e}" for output, error in line.difference.get(name, {}).items())
        for name in engines[1:]
    ]
    return f"| {' | '.join([line.model, *cells, *ratios, *apart])} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("models", nargs="*", default=FAMILIES)
    add("--work", type=Path, help="folder for what is made (default: a temporary one)")
    add("--make", action="store_true", help="only make the files in --work")
    add("--rounds", type=int, default=20)
    add("--seconds", type=float, default=20, help="no more rounds of a network after this time")
    add("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    before, lines = machine(), []
    print(f"{before['cpu']}, load before {before['load_average']}")
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        for model in args.models:
            if args.make:
                make(model, work)
                continue
            lines.append(measure(model, work, args.rounds, args.seconds))
            print(show(lines[-1]), flush=True)
    if args.json:
        document = {"machine": before, "lines": [asdict(line) for line in lines]}
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
