"""Convert a Paddle checkpoint or inference folder to ONNX and TFLite, verify it, and write a receipt."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pose_onnx import InputError, load_card
from pose_onnx.cli._tables import table

if TYPE_CHECKING:
    from pose_onnx.exporters.quantize.gate import Accuracy
    from pose_onnx.exporters.verify import Measured

FORMATS: Final = ("onnx", "tflite")
PRECISIONS: Final = ("fp32", "fp16", "int8-dynamic", "int8")
REFERENCE: Final = ("onnx", "fp32")
LAYOUTS: Final = ("triton", "deepstream")
WAYS: Final = ("template", "paddle")
_OF_FINISHED: Final = ("source", "image", "end_to_end", "golden", "layout", "out")
"""Options that are allowed for models that are already exported."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx export`."""
    add = parser.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="a checkpoint (.pdparams, .pth, .npz), or a Paddle inference folder; for --end-to-end, --golden "
        "and --layout also an exported .onnx file or a model's name, or two of them: a detector and "
        "a keypoint model",
    )
    card = parser.add_mutually_exclusive_group()
    card.add_argument(
        "--model",
        metavar="NAME",
        help=(
            "official name of the model that SOURCE is; its source, licence and accuracy are written into "
            "the files"
        ),
    )
    card.add_argument(
        "--like", metavar="NAME", help="name of a model that SOURCE is run like; nothing else is claimed"
    )
    card.add_argument("--card", metavar="FILE", help="card file (.json) of SOURCE")
    add(
        "--to",
        metavar="FORMATS",
        help=f"formats, separated by commas (default: {','.join(FORMATS)}; onnx alone for a two-stage "
        "detector)",
    )
    add(
        "--precision",
        default="fp32",
        metavar="PRECISIONS",
        help=f"some of {','.join(PRECISIONS)}, separated by commas (default: %(default)s)",
    )
    add("--image", metavar="PHOTO", help="photo for the comparison (default: the demo photo)")
    add(
        "--end-to-end",
        action="store_true",
        help=(
            "also write NAME_end_to_end.onnx, which other languages can run: image in, boxes or keypoints out"
        ),
    )
    add(
        "--golden",
        action="store_true",
        help="also write a folder with inputs and expected outputs of each stage, to check a port with",
    )
    add(
        "--layout",
        default="",
        metavar="LAYOUTS",
        help="also write the folder that a server reads: triton, deepstream, or both, separated by commas",
    )
    add(
        "--avx512",
        action="store_true",
        help="make ONNX files faster in ONNX Runtime with AVX-512, but slower on other CPUs and in OpenVINO",
    )
    add("--calibration", metavar="DIR", help="folder of photos of people, needed for int8")
    add(
        "--annotations",
        metavar="JSON",
        help=(
            "COCO person keypoint annotations: measure AP, and refuse a precision that loses more than 1.0 "
            "against fp32"
        ),
    )
    add("--images", metavar="DIR", help="folder of the annotated pictures")
    add(
        "--force",
        action="store_true",
        help="also write a precision that would be refused, or int8 without measuring AP",
    )
    add(
        "--via",
        choices=WAYS,
        help="how to convert a checkpoint to ONNX: with a bundled template, or with Paddle (default: a "
        "template if there is one)",
    )
    add("--sha256", metavar="HEX", help="refuse a checkpoint with another digest")
    add("--out", default=".", metavar="DIR", help="folder for the files (default: the current one)")


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx export`."""
    layouts = _chosen(args.layout, LAYOUTS, "--layout") if args.layout else ()
    layouts += ("golden",) if args.golden else ()
    from pose_onnx import exporters  # noqa: PLC0415 (no other verb needs it)
    from pose_onnx.exporters.finished import is_finished  # noqa: PLC0415 (likewise)

    if all(map(is_finished, args.source)):
        _wrap(args, layouts)
        networks = args.source
    else:
        precisions = _chosen(args.precision, PRECISIONS, "--precision")
        kinds = list(itertools.product(_formats(args) or FORMATS, precisions))
        if layouts and REFERENCE not in kinds:
            raise InputError(
                "--golden and --layout need the ONNX file in fp32; add onnx to --to and fp32 to --precision"
            )
        files = _export(args)
        networks = [files[kinds.index(REFERENCE)]] if layouts else []
    if layouts:
        for path in exporters.lay_out(networks, layouts, out=args.out, photo=args.image):
            print(path)
    return 0


def _export(args: argparse.Namespace) -> Sequence[Path]:
    """Convert one model; return its files, in the order of formats and precisions."""
    if len(args.source) > 1:
        raise InputError(
            f"{len(args.source)} sources were given, but not all are exported yet; export them one by one, "
            "then give the .onnx files together"
        )
    from pose_onnx import exporters  # noqa: PLC0415 (no other verb needs it)

    done = exporters.export(
        *args.source,
        model=args.model,
        like=args.like,
        card=load_card(args.card) if args.card else None,
        to=_formats(args),
        precision=_chosen(args.precision, PRECISIONS, "--precision"),
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
    _show(done.measured)
    if done.accuracy:
        heads = ("FILE", "AP", "BELOW FP32", "LAYERS IN FLOAT32", "")
        print(table([heads, *map(_accuracy, done.accuracy)]))
        print()
    for note in done.notes:
        print(f"note: {note}")
    for path in (*done.files, done.receipt):
        print(path)
    return done.files


def _wrap(args: argparse.Namespace, layouts: Sequence[str]) -> None:
    """Refuse conversion options if nothing is converted, and write the requested end-to-end files."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    usual = vars(parser.parse_args(args.source))
    if given := [name for name in usual if name not in _OF_FINISHED and getattr(args, name) != usual[name]]:
        raise InputError(
            f"--{given[0]} is for a conversion, but {', '.join(args.source)} is already exported; leave it "
            "out, or give a checkpoint or a Paddle folder"
        )
    if not (args.end_to_end or layouts):
        raise InputError(
            f"{', '.join(args.source)} is already exported; say what to make from it: --end-to-end, "
            "--golden or --layout"
        )
    if args.end_to_end:
        from pose_onnx.exporters.finished import write_end_to_end_files  # noqa: PLC0415 (as above)

        photo = None if args.image is None else Path(args.image)
        paths, measured = write_end_to_end_files(args.source, Path(args.out), photo)
        _show(measured)
        for path in paths:
            print(path)


def _show(measured: Sequence[Measured]) -> None:
    print(table([("COMPARED", "INPUT", "OUTPUT", "LARGEST DIFFERENCE", "BAR"), *map(_row, measured)]))
    print()


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


def _formats(args: argparse.Namespace) -> tuple[str, ...] | None:
    return None if args.to is None else _chosen(args.to, FORMATS, "--to")


def _chosen(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split(",")))
    if unknown := [word for word in words if word not in known]:
        raise InputError(f"{option} was given {unknown}; choose from {','.join(known)}, separated by commas")
    return words
