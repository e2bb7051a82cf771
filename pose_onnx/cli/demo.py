"""Find the people in two photos that come with the package, with every backend that is installed."""

from __future__ import annotations

import argparse
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from pose_onnx.cli import _run_results
from pose_onnx.cli import run as run_verb
from pose_onnx.runtimes import installed_backends, model_suffix

DEFAULT_OUT: Final = f"{_run_results.DEFAULT_OUT}/demo"
PHOTOS = ("astronaut.jpg", "camera.jpg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx demo`."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=f"folder for the results, a folder for each backend in it (default: {DEFAULT_OUT}, replaced)",
    )


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx demo`: `pose-onnx run` on the two photos, once for each backend."""
    parser = argparse.ArgumentParser()
    run_verb.add_arguments(parser)
    codes = []
    with as_file(files("pose_onnx.models") / "photos") as folder:
        photos = [str(folder / name) for name in PHOTOS]
        for backend in filter(model_suffix, installed_backends()):  # no Paddle folder comes along
            print(f"backend {backend}:")
            words = [*photos, "--backend", backend, "--out", str(Path(args.out or DEFAULT_OUT) / backend)]
            words += [] if args.out else ["--overwrite"]  # in its own folder there is nobody else's
            codes.append(run_verb.run(parser.parse_args(words)))
    return max(codes)
