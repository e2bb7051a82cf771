"""Makes a template: converts a network with random weights with Paddle and paddle2onnx."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.paddle_to_onnx import parameter_shapes, random_parameters, to_onnx
from pose_onnx.exporters.plain_run import run_plainly
from pose_onnx.exporters.source import Checkpoint
from pose_onnx.exporters.templates._file import Proof, make_template, template_name
from pose_onnx.exporters.verify import Arrays, Outputs, make_inputs

_DIGITS: Final = 1  # of an error: its later digits differ between machines
_TOOLS: Final = ("paddlepaddle", "paddle2onnx", "onnxruntime")

Parameters = dict[str, NDArray[np.float32]]


def make(card: ModelCard) -> bytes:
    """Make the template of a card's network, and return the content of its file.

    Raises:
        ExportError: Paddle or paddle2onnx failed, or no template can be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        inputs = make_inputs(card)
        model, parameters, paddle = convert_random(card, inputs, work)
        plain = run_plainly(Graph.from_model(model), card, inputs)
        match = export_of(card).match
        pairs = {name: match(outputs, plain[name]) for name, outputs in paddle.items()}
        errors = {
            f"{name}/{output}": float(f"{np.abs(array - found[output]).max():.{_DIGITS}g}")
            for name, (expected, found) in pairs.items()
            for output, array in expected.items()
        }
        proof = Proof(
            versions={tool: version(tool) for tool in _TOOLS},
            errors=errors,
            joints=len(card.keypoints),
            joint_parameters=_sized_by("keypoints", card, parameters, work),
            classes=len(card.classes),
            class_parameters=_sized_by("classes", card, parameters, work),
        )
    return make_template(model, parameters, proof)


def convert_random(
    card: ModelCard, inputs: Arrays, work: Path
) -> tuple[onnx.ModelProto, Parameters, Outputs]:
    """Convert a card's network with random weights by Paddle and paddle2onnx.

    Returns:
        The model of paddle2onnx, the network's parameters, and Paddle's outputs for the inputs.
    """
    parameters = random_parameters(card, inputs, work)
    model, paddle = to_onnx(Checkpoint(work / "random.npz", parameters), card, inputs, work)
    return model, parameters, paddle


def _sized_by(names: str, card: ModelCard, parameters: Parameters, work: Path) -> tuple[str, ...]:
    """Return the parameters whose size changes if the network has one more keypoint or class."""
    if not getattr(card, names):
        return ()
    more: dict[str, Any] = {names: (*getattr(card, names), "one_more")}
    wider = replace(card, **more, oks_sigmas=())
    if template_name(wider) != template_name(card):  # joints are an axis of the input
        return ()
    shapes = parameter_shapes(wider, work)
    return tuple(sorted(name for name, shape in shapes.items() if shape != parameters[name].shape))
