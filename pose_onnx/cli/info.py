"""Show what a model file is: inputs, outputs, size, digest and card; or the card of a known name."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pose_onnx import DependencyError, InputError, ModelCard, load_card, read_card
from pose_onnx.cards.lookup import is_known_name
from pose_onnx.cli._options import add_model_option
from pose_onnx.cli._tables import table
from pose_onnx.loading import is_end_to_end
from pose_onnx.runtimes import TensorSpec, backend_for, open_runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx info`."""
    parser.add_argument(
        "file",
        metavar="FILE|NAME",
        help="a .onnx or .tflite file, a Paddle inference folder, or a known model's name",
    )
    add_model_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx info`."""
    if is_known_name(args.file):
        print(table(list(_card_rows(load_card(args.file)))))
        return 0
    if len(args.model) > 1:
        raise InputError(f"--model was given {len(args.model)} times; give it once for one file")
    path = Path(args.file)
    print(table([("file", str(path)), *_tensor_rows(path), *_content_rows(path)]))
    print(table(list(_card_rows(load_card(args.model[0]) if args.model else read_card(path)))))
    return 0


def _tensor_rows(path: Path) -> Iterator[tuple[str, str]]:
    backend = backend_for(path)
    try:
        runtime = open_runtime(path, backend, threads=1)
    except DependencyError as error:
        yield "tensors", f"unknown: {error}"
        return
    yield from (("input", _text(spec)) for spec in runtime.inputs)
    yield from (("output", _text(spec)) for spec in runtime.outputs)
    if is_end_to_end(runtime):
        yield "form", "end to end: RGB picture in, results in its pixels out; for programs without pose-onnx"
    runtime.close()


def _text(spec: TensorSpec) -> str:
    shape = ", ".join("N" if size is None else str(size) for size in spec.shape)
    return f"{spec.name} ({shape}) {spec.dtype}"


def _content_rows(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        for file in sorted(filter(Path.is_file, path.iterdir())):
            yield "", file.name
            yield from _content_rows(file)
        return
    content = path.read_bytes()
    yield "size", f"{len(content):,} bytes"
    yield "sha256", hashlib.sha256(content).hexdigest()


def _card_rows(card: ModelCard) -> Iterator[tuple[str, str]]:
    for name, value in json.loads(card.to_json()).items():
        if value not in ([], ""):
            yield name, _value_text(value)


def _value_text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value_text(item)}" for name, item in value.items() if item != [])
    if isinstance(value, list):
        return " ".join("-".join(map(str, item)) if isinstance(item, list) else str(item) for item in value)
    return str(value)
