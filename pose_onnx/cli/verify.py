"""Compare two or more files of one model, of any formats, stage by stage; the first is the reference."""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np

from pose_onnx import InputError, load_card
from pose_onnx.cli._options import add_model_option, add_threads_option
from pose_onnx.cli._tables import table
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.image_files import ImageSource
from pose_onnx.verification import Difference, verify

TOLERANCE: Final = 0.5
"""Pixels between two end results that no export of one model reaches, float16 weights included."""

EXIT_DIFFERENT: Final = 1
_END: Final = "end to end"
_SEED: Final = 0
_SIDE: Final = 480  # pixels
_BLUR: Final = 12  # standard deviation, pixels
_WHITE: Final = 255


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx verify`."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a .onnx or .tflite file, or a Paddle inference folder"
    )
    parser.add_argument(
        "--backend",
        action="append",
        metavar="NAME",
        help="what runs each file, once for each in their order (default: by the file's name)",
    )
    parser.add_argument(
        "--image", metavar="PHOTO", help="a photo, best one that a person fills (default: a random picture)"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="PX",
        help="fail if keypoints or boxes differ by more, end to end (default: %(default)s)",
    )
    add_model_option(parser)
    add_threads_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx verify`."""
    if len(args.model) > 1:
        raise InputError(f"--model was given {len(args.model)} times; the files are of one model")
    card = load_card(args.model[0]) if args.model else None
    image: ImageSource = args.image or _random_picture()
    differences = list(verify(args.files, image, card=card, threads=args.threads, backends=args.backend))
    print(f"reference: {args.files[0]}; picture: {args.image or 'random, give a photo with --image'}\n")
    header = ("FILE", "BACKEND", "STAGE", "QUANTITY", "LARGEST DIFFERENCE")
    print(table([header, *(_row(difference) for difference in differences)]))
    wrong = [item for item in differences if _is_place(item) and not item.largest <= args.tolerance]
    for item in wrong:
        print(f"\n{item.file}: {item.stage}, {item.quantity}: {item.largest:.3g} is above {args.tolerance:g}")
    return EXIT_DIFFERENT if wrong else 0


def _row(difference: Difference) -> tuple[str, ...]:
    return (
        str(difference.file),
        difference.backend,
        difference.stage,
        difference.quantity,
        f"{difference.largest:.3g}",
    )


def _is_place(difference: Difference) -> bool:
    return difference.stage == _END and difference.quantity != "scores"


def _random_picture() -> Image:
    """Return smooth colours: pure noise would be averaged away by the first resize."""
    noise = np.random.default_rng(_SEED).random((_SIDE, _SIDE, 3), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), _BLUR)
    picture: Image = ((smooth - smooth.min()) * (_WHITE / np.ptp(smooth))).astype(np.uint8)
    return picture
