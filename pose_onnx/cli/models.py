"""List the known models: their names, what they take, and in which formats they are on this machine."""

from __future__ import annotations

import argparse

from pose_onnx import ModelFileError, card_names, load_card, models_home, resolve_model
from pose_onnx.cli._tables import table
from pose_onnx.runtimes import BACKENDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx models`: none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx models`."""
    del args
    rows = [("NAME", "TASK", "INPUT", "HERE AS")]
    for name in card_names():
        card = load_card(name)
        height, width = card.input_size
        here = [backend for backend in BACKENDS if _is_here(name, backend)]
        rows.append((name, card.task, f"{height} x {width}", ", ".join(here) or "-"))
    print(table(rows))
    print(f"\nConverted models are looked for in {models_home()}.")
    print(
        "Make one with: pose-onnx export NAME.pdparams --model NAME --to onnx,tflite --out that folder;\n"
        "the address of the official .pdparams is in: pose-onnx info NAME"
    )
    return 0


def _is_here(name: str, backend: str) -> bool:
    try:
        resolve_model(name, backend)
    except ModelFileError:
        return False
    return True
