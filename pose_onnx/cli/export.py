"""Convert a Paddle checkpoint or inference folder to ONNX and TFLite, verified, with a receipt."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pose_onnx import InputError, load_card
from pose_onnx.cli._tables import table

if TYPE_CHECKING:
    from pose_onnx.exporters.quantize.gate import Accuracy
    from pose_onnx.exporters.verify import Measured

FORMATS: Final = ("onnx", "tflite")
PRECISIONS: Final = ("fp32", "fp16", "int8-dynamic", "int8")
WAYS: Final = ("template", "paddle")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx export`."""
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a .pdparams (or .npz) checkpoint, or a Paddle inference folder")
    card = parser.add_mutually_exclusive_group()
    card.add_argument(
        "--model", metavar="NAME", help="official name of the model that SOURCE is: it gets its claims"
    )
    card.add_argument(
        "--like", metavar="NAME", help="name of a model that SOURCE is run like, without claims"
    )
    card.add_argument("--card", metavar="FILE", help="card file (.json) of the model that SOURCE is")
    add("--to", default="onnx,tflite", metavar="FORMATS", help="comma-separated (default: %(default)s)")
    add(
        "--precision",
        default="fp32",
        metavar="PRECISIONS",
        help=f"out of {','.join(PRECISIONS)} (default: %(default)s)",
    )
    add("--image", metavar="PHOTO", help="a photo for the comparison (default: the demo photo)")
    add(
        "--end-to-end",
        action="store_true",
        help="also write NAME_end_to_end.onnx for other languages: image in, boxes or keypoints out",
    )
    add(
        "--avx512",
        action="store_true",
        help="ONNX files faster on ONNX Runtime with AVX-512, slower on other CPUs and OpenVINO",
    )
    add("--calibration", metavar="DIR", help="photos of people, needed by int8")
    add("--annotations", metavar="JSON", help="COCO person keypoints: measure AP, refuse 1.0 less than fp32")
    add("--images", metavar="DIR", help="folder of the annotated pictures")
    add("--force", action="store_true", help="write a precision that is refused, or int8 unmeasured")
    add(
        "--via",
        choices=WAYS,
        help="how a checkpoint becomes ONNX: by a bundled template, or through Paddle (default: a"
        " template where there is one)",
    )
    add("--sha256", metavar="HEX", help="refuse a checkpoint with another digest")
    add("--out", default=".", metavar="DIR", help="folder for the files (default: here)")


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx export`."""
    to = _chosen(args.to, FORMATS, "--to")
    precision = _chosen(args.precision, PRECISIONS, "--precision")
    card = load_card(args.card) if args.card else None
    from pose_onnx import exporters  # noqa: PLC0415 (no other verb needs it)

    done = exporters.export(
        args.source,
        model=args.model,
        like=args.like,
        card=card,
        to=to,
        precision=precision,
        out=args.out,
        photo=args.image,
        end_to_end=args.end_to_end,
        avx512=args.avx512,
        calibration=args.calibration,
        annotations=args.annotations,
        images=args.images,
        force=args.force,
        via=args.via,
        sha256=args.sha256,
    )
    print(table([("COMPARED", "INPUT", "OUTPUT", "LARGEST DIFFERENCE", "BAR"), *map(_row, done.measured)]))
    print()
    if done.accuracy:
        heads = ("FILE", "AP", "BELOW FP32", "LAYERS IN FLOAT32", "")
        print(table([heads, *map(_accuracy, done.accuracy)]))
        print()
    for note in done.notes:
        print(f"note: {note}")
    for path in (*done.files, done.receipt):
        print(path)
    return 0


def _row(item: Measured) -> tuple[str, ...]:
    return item.stage, item.inputs, item.output, f"{item.error:.3g}", _bar(item)


def _bar(item: Measured) -> str:
    if item.bar is None:
        return "none: AP decides"
    return f"{item.bar:.3g}" if item.error <= item.bar else f"{item.rounding:.3g} (float32's rounding)"


def _accuracy(item: Accuracy) -> tuple[str, ...]:
    kept = "-" if item.float_layers is None else f"{len(item.float_layers)} of {item.layers}"
    figures = ("-", "-") if item.ap is None or item.drop is None else (f"{item.ap:.2f}", f"{item.drop:.2f}")
    return item.file, *figures, kept, item.note


def _chosen(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split(",")))
    if unknown := [word for word in words if word not in known]:
        raise InputError(
            f"{option} was given {unknown}; choose out of {','.join(known)}, separated by commas"
        )
    return words
