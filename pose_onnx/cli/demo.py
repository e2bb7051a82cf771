"""Find the people in two bundled photos, with every installed backend."""

from __future__ import annotations

import argparse
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx.cli import _run_results
from pose_onnx.cli import run as run_verb
from pose_onnx.files import make_folder
from pose_onnx.image_files import load_image, write_image
from pose_onnx.pairs import DEFAULT_QUALITY, PAIRS
from pose_onnx.runtimes import installed_backends, model_suffix

DEFAULT_OUT: Final = f"{_run_results.DEFAULT_OUT}/demo"
DEFAULT_BACKEND: Final = "ort"
PHOTOS: Final = ("astronaut.jpg", "camera.jpg")
OFFICIAL: Final = "best"
_SIDE_BY_SIDE: Final = "side_by_side"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx demo`."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=f"folder for the results, with a subfolder for each backend (default: {DEFAULT_OUT}, replaced)",
    )
    parser.add_argument(
        "--official",
        action="store_true",
        help="fetch the best official models, and show their results beside those of the built-in models",
    )


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx demo`: `pose-onnx run` on the two photos, once for each backend."""
    out = Path(args.out or DEFAULT_OUT)
    rest = [] if args.out else ["--overwrite"]  # its own folder holds no other files
    if args.official:
        return _compare(out / "official", rest)
    backends = list(filter(model_suffix, installed_backends()))  # no Paddle folder is bundled
    # With none, the usual one's error says how to install it.
    backends = backends or [DEFAULT_BACKEND]
    return max(_run(out / backend, "--backend", backend, *rest) for backend in backends)


def _run(out: Path, option: str, value: str, *rest: str) -> int:
    """Run the two photos into a folder."""
    parser = argparse.ArgumentParser()
    run_verb.add_arguments(parser)
    with as_file(files("pose_onnx.models") / "photos") as folder:
        photos = [str(folder / name) for name in PHOTOS]
        print(f"{option.removeprefix('--')} {value}:")
        return run_verb.run(parser.parse_args([*photos, option, value, *rest, "--out", str(out)]))


def _compare(out: Path, rest: list[str]) -> int:
    """Run the built-in and the official pair, and put their pictures side by side."""
    from pose_onnx import zoo  # noqa: PLC0415 (only needed for official models)

    for name in PAIRS[OFFICIAL]:
        zoo.pull(name, progress=True)
    qualities = (DEFAULT_QUALITY, OFFICIAL)
    codes = [_run(out / quality, "--quality", quality, *rest) for quality in qualities]
    for name in (f"{Path(photo).stem}_pose.jpg" for photo in PHOTOS):
        pictures = [load_image(out / quality / name) for quality in qualities]
        make_folder(out / _SIDE_BY_SIDE)
        write_image(out / _SIDE_BY_SIDE / name, np.concatenate(pictures, axis=1))
    print(f"{qualities[0]} left, {qualities[1]} right: {out / _SIDE_BY_SIDE}")
    return max(codes)
