"""Paddle -> ONNX: hands jobs to `_paddle_worker` and reads their results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from pose_onnx import errors
from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import OPSETS, Graph
from pose_onnx.exporters.heads import find_heads
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.program import Program, program_from_json
from pose_onnx.exporters.source import Checkpoint, Folder, Source
from pose_onnx.exporters.two_stage.facts import SUFFIX, TwoStage
from pose_onnx.exporters.two_stage.join import join

Arrays = dict[str, NDArray[np.float32]]
Outputs = dict[str, Arrays]
"""Output arrays by name, for each named input."""

READABLE_FORMAT: Final = 3
"""Version of the PIR program format that paddle2onnx 2.1.0 and Paddle 3.2 read."""
NEXT_FORMAT: Final = 4
"""Version that Paddle 3.3 writes: the same except for the type of the resize operators' scales."""
WORKER: Final = "pose_onnx.exporters._paddle_worker"
QUOTED_LINES: Final = 8
"""Number of last lines of the worker's output that go into an error message."""


def to_onnx(
    source: Source, card: ModelCard, images: Mapping[str, NDArray[np.float32]], work: Path
) -> tuple[onnx.ModelProto, Outputs]:
    """Convert a source, and run it in Paddle for later comparison.

    Args:
        source: checkpoint or folder.
        card: the model's card.
        images: network inputs (N, 3, H, W) by name.
        work: folder for intermediate files.

    Returns:
        The model as paddle2onnx made it, and Paddle's outputs under the card's names.

    Raises:
        ExportError: Paddle or paddle2onnx failed.
        ModelFileError: the checkpoint's parameters do not fit the network.
    """
    program, outputs = write_program(source, card, images, work)
    return _joined(_convert(program, work), program), outputs


def write_program(
    source: Source, card: ModelCard, images: Mapping[str, NDArray[np.float32]], work: Path
) -> tuple[Path, Outputs]:
    """Write the Paddle program that a source is converted from, and run it.

    Args:
        source: checkpoint or folder.
        card: the model's card.
        images: network inputs (N, 3, H, W) by name.
        work: folder for the program and intermediate files.

    Returns:
        The program, which ends before its NMS, with its weights beside it (`.pdiparams`); and Paddle's
        outputs under the card's names.

    Raises:
        ExportError: Paddle failed.
        ModelFileError: the checkpoint's parameters do not fit the network.
    """
    np.savez(work / "images.npz", **images)  # type: ignore[arg-type]  # of NumPy's stub: keywords are arrays here
    if isinstance(source, Checkpoint):
        program, raw = _trace(source, card, work)
    else:
        program, raw = _run_folder(source, work)
    return program, {name: _named(arrays, card) for name, arrays in raw.items()}


def describe_program(source: Folder) -> Program:
    """Describe a folder's program: what it returns, and how it selects boxes.

    Raises:
        ExportError: Paddle failed, or the program has an operator that cannot be converted.
    """
    with tempfile.TemporaryDirectory(prefix="pose-onnx-") as name:
        work = Path(name)
        program, params = _copied(source, work)
        found = work / "describe.found.json"
        _worker(work, "describe", program=program, params=params, found=found)
        return program_from_json(json.loads(found.read_text(encoding="utf-8")))


def parameter_shapes(card: ModelCard, work: Path) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter of a card's network.

    Raises:
        ExportError: Paddle failed.
        UnknownNameError: there is no such network.
    """
    found = work / "shapes.found.json"
    _worker(work, "shapes", card=card.to_json(), program=found)
    shapes = json.loads(found.read_text(encoding="utf-8"))
    return {name: tuple(shape) for name, shape in shapes.items()}


def random_parameters(card: ModelCard, images: Mapping[str, NDArray[np.float32]], work: Path) -> Arrays:
    """Return random weights for a card's network that make it behave like a trained one.

    Raises:
        ExportError: Paddle failed.
        UnknownNameError: there is no such network.
    """
    np.savez(work / "images.npz", **images)  # type: ignore[arg-type]  # as above
    weights = work / "random.npz"
    _worker(work, "random", card=card.to_json(), program=weights, images=work / "images.npz")
    with np.load(weights) as archive:
        return dict(archive)


def _convert(program: Path, work: Path) -> onnx.ModelProto:
    target = work / "paddle2onnx.onnx"
    _worker(work, "convert", program=program, params=program.with_suffix(".pdiparams"), onnx=target)
    if not target.is_file():
        raise ExportError("paddle2onnx wrote no file and reported no error; please report the model")
    model = onnx.load(target)
    versions = [opset.version for opset in model.opset_import if not opset.domain]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise ExportError(
            f"the program has operators that the ONNX opsets {list(OPSETS)} lack (paddle2onnx chose "
            f"{versions}), but models with other opsets cannot be exported; please report the model"
        )
    return model


def _joined(model: onnx.ModelProto, program: Path) -> onnx.ModelProto:
    """Join the parts of a two-stage detector; other models are returned as they are."""
    facts = program.with_suffix(SUFFIX)
    if not facts.is_file():
        return model
    read = TwoStage.from_json(facts.read_text(encoding="utf-8"))
    return join(Graph.from_model(model), read).to_model()


def _trace(source: Checkpoint, card: ModelCard, work: Path) -> tuple[Path, Outputs]:
    np.savez(work / "parameters.npz", **source.parameters)  # type: ignore[arg-type]  # as above
    program = work / "program.json"
    _worker(
        work,
        "trace",
        card=card.to_json(),
        parameters=work / "parameters.npz",
        program=program.with_suffix(""),
        images=work / "images.npz",
        outputs=work / "paddle.npz",
    )
    if network_of(card).two_stage:
        program = _prepared(program, program.with_suffix(".pdiparams"), work)
    return program, _grouped(work / "paddle.npz")


def _run_folder(source: Folder, work: Path) -> tuple[Path, Outputs]:
    program, params = _copied(source, work)
    images, outputs = work / "images.npz", work / "paddle.npz"
    _worker(work, "run", program=program, params=params, images=images, outputs=outputs)
    return _prepared(program, params, work), _grouped(outputs)


def _prepared(program: Path, params: Path, work: Path) -> Path:
    prepared = work / f"prepared{program.suffix}"
    _worker(work, "prepare", program=program, params=params, prepared=prepared)
    return prepared


def _copied(source: Folder, work: Path) -> tuple[Path, Path]:
    """Copy program and weights: paddle2onnx writes beside its input, and newer programs are rewritten."""
    program = work / f"program{source.program.suffix}"
    params = program.with_suffix(".pdiparams")
    shutil.copyfile(source.params, params)
    if program.suffix == ".json":
        program.write_text(readable_program(source.program.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(source.program, program)
    return program, params


def readable_program(text: str) -> str:
    """Rewrite a PIR program that Paddle 3.3 saved to the previous format; others are returned unchanged.

    Paddle 3.3 stores the scales of resize operators as float64; earlier versions store them as float32.

    Raises:
        ExportError: the text is not such a program.
    """
    try:
        program = json.loads(text)
        if program["base_code"]["version"] != NEXT_FORMAT:
            return text
        for attribute in _resize_scales(program["program"]):
            for element in attribute["AT"]["D"]:
                element["#"] = element["#"].replace("a_f64", "a_f32")
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"the .json program is broken ({error}); save it again with Paddle") from error
    program["base_code"]["version"] = READABLE_FORMAT
    return json.dumps(program)


def _resize_scales(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the attribute "scale" of all operators *_interp at any depth; short keys are the format's own."""
    children = node if isinstance(node, list) else node.values() if isinstance(node, dict) else ()
    if isinstance(node, dict) and str(node.get("#", "")).endswith("_interp"):
        yield from (attribute for attribute in node["A"] if attribute["N"] == "scale")
    for child in children:
        yield from _resize_scales(child)


def _grouped(path: Path) -> Outputs:
    """Convert {"input/output": array} in a file to {input: {output: array}}."""
    grouped: Outputs = {}
    with np.load(path) as archive:
        for key in archive.files:
            name, _, output = key.partition("/")
            grouped.setdefault(name, {})[output] = archive[key]
    return grouped


def _named(arrays: Arrays, card: ModelCard) -> Arrays:
    """Convert a program's outputs to the form of the exported model."""
    floats = {name: a for name, a in arrays.items() if a.dtype == np.float32}
    heads = find_heads({name: a.shape for name, a in floats.items()}, card)
    return dict(export_of(card).read(floats, heads, card))


def _worker(work: Path, command: str, /, **arguments: Path | str) -> None:
    error_file = work / "error.json"
    job = {
        "command": command,
        "arguments": {key: str(value) for key, value in arguments.items()},
        "error": str(error_file),
    }
    job_file = work / f"{command}.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", WORKER, str(job_file)],
        env=_environment(Path(arguments["program"])),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if error_file.is_file():
        error = json.loads(error_file.read_text(encoding="utf-8"))
        raise getattr(errors, error["type"])(error["message"])
    if result.returncode != 0:
        lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
        said = " | ".join(line.strip() for line in lines if line.strip())[-QUOTED_LINES * 110 :]
        raise ExportError(
            f"{command!r} of the Paddle program failed with status {result.returncode}; it said: {said}"
        )


def _environment(program: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONWARNINGS": "ignore",
        # Programs before PIR load only with the old interpreter.
        "FLAGS_enable_pir_api": "0" if program.suffix == ".pdmodel" else "1",
        # oneDNN computes TinyPose wrongly (bilinear resize with aligned corners).
        "FLAGS_use_mkldnn": "0",
        "FLAGS_use_onednn": "0",
        "GLOG_minloglevel": "2",
    }
