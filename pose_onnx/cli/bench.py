"""Measure where the time per picture goes: each stage, with engines and thread counts interleaved.

Times are medians over the rounds, with quartiles, in milliseconds per picture. Pictures are read again in
each round. Run it on an idle machine: the table says how busy it was.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError, PoseOnnxError
from pose_onnx.bench import WARM_UP, Column, gather, machine, measure, memory_of, report, versions
from pose_onnx.cards.lookup import resolve_model
from pose_onnx.cli._bench_table import as_text
from pose_onnx.cli._options import add_people_options, estimator_arguments, models_of
from pose_onnx.files import atomic_write_bytes, make_folder
from pose_onnx.image_files import load_image
from pose_onnx.one_pass import THRESHOLD
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.presets import find_preset
from pose_onnx.runtimes import backend_names, default_threads, model_suffix

DEFAULT_PHOTO: Final = "astronaut.jpg"
DEFAULT_REPEAT: Final = 30
_CROWD: Final = "crowd.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx bench`."""
    add = parser.add_argument
    add(
        "--image",
        nargs="+",
        default=[],
        metavar="PHOTO",
        help="pictures to run on (default: the bundled photo of an astronaut)",
    )
    add(
        "--people",
        type=int,
        metavar="N",
        help=(
            "repeat the photo side by side, and choose the box threshold, so that exactly N people are found"
        ),
    )
    add(
        "--backends",
        type=_words,
        metavar="A,B",
        help="engines (default: all installed ones that have files of the models)",
    )
    add(
        "--threads",
        type=_numbers,
        default=[default_threads()],
        metavar="N,M",
        help="numbers of threads to measure with (default: one per core)",
    )
    add_people_options(parser)
    add(
        "--repeat",
        type=int,
        default=DEFAULT_REPEAT,
        metavar="N",
        help=f"number of measured rounds, after {WARM_UP} rounds of warm-up (default: %(default)s)",
    )
    add("--json", metavar="FILE", help="also write the measurement as JSON")


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx bench`."""
    if args.repeat < 1:
        raise InputError(f"--repeat {args.repeat} was given; give a whole number of 1 or more")
    chosen, skipped = _choose_backends(args)
    busy = machine()  # before we make it so
    models = models_of(args)
    own = find_preset(args.preset).threshold if "detector" in models else THRESHOLD
    with _pictures(args, chosen[0]) as pictures:
        columns = _measure(args, chosen, pictures)
        settings = {
            "machine": busy,
            "versions": versions(chosen),
            "models": models,
            "preset": args.preset,
            "flip": args.flip,
            "threshold": own if args.threshold is None else args.threshold,
            "pictures": [_description(path) for path in pictures],
            "warm_up": WARM_UP,
            "repeat": args.repeat,
        }
    print(as_text(settings, columns, skipped))
    if args.json:
        make_folder(Path(args.json).parent)
        atomic_write_bytes(args.json, report(settings, columns, skipped).encode())
    return 0


def _choose_backends(args: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Return the backends to measure, and why the others are left out; requested ones must work."""
    reasons = {name: _misfit(name, args) for name in args.backends or backend_names()}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    chosen = [name for name in reasons if name not in skipped]
    if skipped and (args.backends or not chosen):
        raise InputError("; ".join(f"backend {name!r}: {reason}" for name, reason in skipped.items()))
    return chosen, skipped


def _misfit(backend: str, args: argparse.Namespace) -> str:
    """Return why a backend cannot run the models, or nothing."""
    try:
        suffix = model_suffix(backend)
        for model in models_of(args).values():
            if not suffix and not Path(model).is_dir():
                return f"it runs Paddle inference folders, and {model!r} is not one"
            if suffix and (found := resolve_model(model, backend, args.precision)).suffix != suffix:
                return f"it runs {suffix} files, and {str(found)!r} is not one"
        PoseEstimator(**_arguments(args, backend, 1)).close()
    except PoseOnnxError as error:
        return str(error)
    return ""


def _arguments(args: argparse.Namespace, backend: str, threads: int) -> dict[str, Any]:
    own = {"backend": backend, "threads": threads, "providers": None, "device": None}
    return estimator_arguments(argparse.Namespace(**{**vars(args), **own}))


@contextmanager
def _pictures(args: argparse.Namespace, backend: str) -> Iterator[list[Path]]:
    """Return the pictures to run on; `--people` creates one and sets `args.threshold` to match."""
    with as_file(files("pose_onnx.models") / "photos" / DEFAULT_PHOTO) as demo, ExitStack() as stack:
        paths = [Path(name) for name in args.image] or [demo]
        if args.people is not None:
            if len(paths) > 1 or args.threshold is not None:
                raise InputError(
                    "--people repeats one photo and chooses the box threshold; "
                    "give it with one --image, and without --threshold"
                )
            arguments = _arguments(args, backend, args.threads[0])
            crowd = gather(load_image(paths[0]), args.people, arguments)
            args.threshold = crowd.threshold
            paths = [Path(stack.enter_context(tempfile.TemporaryDirectory())) / _CROWD]
            paths[0].write_bytes(crowd.jpeg)
        yield paths


def _measure(args: argparse.Namespace, backends: Sequence[str], pictures: Sequence[Path]) -> list[Column]:
    settings = [(backend, threads) for threads in args.threads for backend in backends]
    arguments = [_arguments(args, *setting) for setting in settings]
    with ExitStack() as stack:
        models = [stack.enter_context(PoseEstimator(**each)) for each in arguments]
        runs = measure(models, pictures, args.repeat)
    memory = [memory_of(each, pictures) for each in arguments]
    return [
        Column(*setting, run, len(pictures), peak)
        for setting, run, peak in zip(settings, runs, memory, strict=True)
    ]


def _description(path: Path) -> dict[str, Any]:
    height, width = load_image(path).shape[:2]
    return {"path": str(path), "width": width, "height": height}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]
