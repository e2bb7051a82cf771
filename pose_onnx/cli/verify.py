"""Compare two or more files of one model, of any formats, stage by stage; the first is the reference."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import InputError, load_card, resolve_model
from pose_onnx.cli._options import add_model_option, add_threads_option
from pose_onnx.cli._tables import count, table
from pose_onnx.cli.demo import PHOTOS
from pose_onnx.verification import END_TO_END, SCORES, Difference, verify

TOLERANCE: Final = 0.5
"""Pixel difference of end results that no export of one model reaches, even with float16 weights."""

EXIT_DIFFERENT: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx verify`."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE|NAME",
        help="a .onnx or .tflite file, a Paddle inference folder, or a known model's name",
    )
    parser.add_argument(
        "--backend",
        action="append",
        metavar="NAME",
        help="engine for each file, once for each file in the same order (default: by the file's suffix)",
    )
    parser.add_argument(
        "--image",
        action="append",
        metavar="PHOTO",
        help="photo, preferably filled by one person; may be given several times (default: the two photos "
        "of pose-onnx demo)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="PX",
        help="fail if final keypoints or boxes differ by more pixels (default: %(default)s)",
    )
    add_model_option(parser)
    add_threads_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx verify`."""
    if len(args.model) > 1:
        raise InputError(
            f"--model was given {len(args.model)} times; give it once, as the files are of one model"
        )
    card = load_card(args.model[0]) if args.model else None
    paths = _paths(args.files, args.backend)
    with ExitStack() as stack:
        pictures = args.image or [
            stack.enter_context(as_file(files("pose_onnx.models") / "photos" / name)) for name in PHOTOS
        ]
        differences = _over_all(
            difference
            for picture in pictures
            for difference in verify(paths, picture, card=card, threads=args.threads, backends=args.backend)
        )
    names = ", ".join(Path(picture).name for picture in pictures)
    print(f"reference: {paths[0]}; {count(len(pictures), 'picture')}: {names}\n")
    header = ("FILE", "BACKEND", "STAGE", "QUANTITY", "COMPARED", "LARGEST DIFFERENCE")
    print(table([header, *map(_row, differences)]))
    return _judge([each for each in differences if _is_place(each)], args.tolerance)


def _paths(words: Sequence[str], backends: Sequence[str] | None) -> list[Path]:
    """Return the files for the given words; for a name, the file for the selected engine."""
    engines = backends if backends and len(backends) == len(words) else ["ort"] * len(words)
    return [resolve_model(word, engine) for word, engine in zip(words, engines, strict=True)]


def _over_all(differences: Iterable[Difference]) -> list[Difference]:
    """Return the largest differences over all pictures, and how much was compared in total."""
    found: dict[tuple[object, ...], Difference] = {}
    for one in differences:
        key = (one.file, one.backend, one.stage, one.quantity)
        before = found.get(key, replace(one, largest=0.0, compared=0))
        largest = float(np.maximum(before.largest, one.largest))  # not max: NaN stays NaN
        found[key] = replace(one, largest=largest, compared=before.compared + one.compared)
    return list(found.values())


def _judge(places: Sequence[Difference], tolerance: float) -> int:
    """Print what is wrong with the end results, and return the exit code."""
    wrong = [each for each in places if not each.largest <= tolerance]
    for each in wrong:
        print(f"\n{each.file}: {each.stage}, {each.quantity}: {each.largest:.3g} is above {tolerance:g}")
    compared = sum(each.compared for each in places)
    if not compared:
        print(
            "\nnothing was compared, because the reference finds nobody in the pictures; give others "
            "with --image"
        )
    return EXIT_DIFFERENT if wrong or not compared else 0


def _row(difference: Difference) -> tuple[str, ...]:
    return (
        str(difference.file),
        difference.backend,
        difference.stage,
        difference.quantity,
        str(difference.compared),
        f"{difference.largest:.3g}",
    )


def _is_place(difference: Difference) -> bool:
    return difference.stage == END_TO_END and difference.quantity != SCORES
