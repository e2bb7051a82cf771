"""The part of an export that needs Paddle, run in a separate process.

paddle2onnx ends the process when it fails, and Paddle keeps global state. The
parent (`paddle_to_onnx.py`) writes a job file, runs
`python -m pose_onnx.exporters._paddle_worker JOB`, and reads what the job wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import PoseOnnxError
from pose_onnx.exporters._paddle_program import OpenedProgram
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.graph import OPSET
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.program import SIDE_INPUTS
from pose_onnx.exporters.two_stage.find import SIZE

Arrays = dict[str, NDArray[np.float32]]


def trace(card: str, parameters: str, program: str, images: str, outputs: str) -> None:
    """Load weights into one of our networks, save it as a program, and run it.

    Args:
        card: model card as JSON.
        parameters: .npz of the checkpoint's arrays.
        program: path of the program to write, without suffix.
        images: .npz of network inputs by name.
        outputs: .npz to write, "input/output" by "input/output".
    """
    import paddle  # noqa: PLC0415  # seconds to import; `convert` does without

    model_card = ModelCard.from_json(card)
    network = network_of(model_card)
    layer = network.build(model_card)
    expected = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    with np.load(parameters) as given:
        state = match_parameters(dict(given), expected, aliases=network.aliases, buffers=network.buffers)
    layer.set_state_dict(state)
    layer.eval()
    # The code is traced as it is: Paddle's rewriting of Python source knows only part of the language.
    layer.forward = paddle.jit.not_to_static(layer.forward)
    name, shape = model_card.input.tensor_name, model_card.input_shape
    spec = paddle.static.InputSpec([None, *shape], "float32", name)
    specs = [spec]
    if network.two_stage:
        specs = [
            paddle.static.InputSpec([None, shape[0], None, None], "float32", name),
            paddle.static.InputSpec([None, 2], "float32", SIZE),
        ]
    paddle.jit.save(layer, program, input_spec=specs)
    results: Arrays = {}
    with paddle.no_grad():
        for name, batch in _load(images).items():
            returned = layer(paddle.to_tensor(batch))
            tensors = returned if isinstance(returned, tuple | list) else [returned]
            results |= {
                f"{name}/{key}": t.numpy() for key, t in zip(model_card.output_names, tensors, strict=True)
            }
    np.savez(outputs, **results)  # type: ignore[arg-type]  # of NumPy's stub: keywords are arrays here


def shapes(card: str, program: str) -> None:
    """Write the name and shape of every parameter of one of our networks, in the network's order.

    Args:
        card: model card as JSON.
        program: .json to write.
    """
    model_card = ModelCard.from_json(card)
    layer = network_of(model_card).build(model_card)
    found = {name: list(value.shape) for name, value in layer.state_dict().items()}
    Path(program).write_text(json.dumps(found), encoding="utf-8")


def random(card: str, program: str, images: str) -> None:
    """Write random weights for one of our networks.

    Args:
        card: model card as JSON.
        program: .npz to write.
        images: .npz of network inputs by name.
    """
    from pose_onnx.exporters.networks.random_weights import random_weights  # noqa: PLC0415 (imports Paddle)

    weights = random_weights(ModelCard.from_json(card), _load(images))
    np.savez(program, **weights)  # type: ignore[arg-type]  # of NumPy's stub: keywords are arrays here


def prepare(program: str, params: str, prepared: str) -> None:
    """Write a program that ends before its NMS and has operators that paddle2onnx knows.

    Args:
        program: .json or .pdmodel.
        params: .pdiparams, with the same stem.
        prepared: file to write, with the program's suffix; its weights are written beside it.
    """
    OpenedProgram(program, params).save(Path(prepared).with_suffix(""))


def convert(program: str, params: str, onnx: str) -> None:
    """Convert a program with paddle2onnx.

    Args:
        program: .json or .pdmodel.
        params: .pdiparams.
        onnx: file to write.
    """
    import paddle2onnx  # noqa: PLC0415

    paddle2onnx.export(
        program,
        params,
        onnx,
        opset_version=OPSET,
        enable_onnx_checker=True,
        # Every other tool installs packages or fails.
        optimize_tool="None",
        verbose=False,
    )


def describe(program: str, params: str, found: str) -> None:
    """Write what a program returns, and how it selects boxes; see `pose_onnx.exporters.program.Program`.

    Args:
        program: .json or .pdmodel.
        params: .pdiparams, with the same stem.
        found: .json to write.
    """
    Path(found).write_text(json.dumps(OpenedProgram(program, params).describe()), encoding="utf-8")


def run(program: str, params: str, images: str, outputs: str) -> None:
    """Run a program on Paddle's native CPU kernels, one image at a time: some have a fixed batch of 1.

    Args:
        program: .json or .pdmodel.
        params: .pdiparams, with the same stem.
        images: .npz of network inputs by name.
        outputs: .npz to write, with keys "input/index", the index being that of the output. If the program
            has an NMS, boxes and scores are its inputs.
    """
    opened = OpenedProgram(program, params)
    fetches = opened.cut()
    results: Arrays = {}
    for name, batch in _load(images).items():
        rows = []
        for image in batch:
            size = (image.shape[-2], image.shape[-1])
            given = dict.fromkeys(opened.feeds, image[None])
            given |= {name: make(size) for name, make in SIDE_INPUTS.items()}
            rows.append(opened.run(given, fetches))
        results |= {f"{name}/{i}": np.concatenate(column) for i, column in enumerate(zip(*rows, strict=True))}
    np.savez(outputs, **results)  # type: ignore[arg-type]  # as above


def _load(path: str) -> Arrays:
    with np.load(path) as archive:
        return dict(archive)


COMMANDS: Final[Mapping[str, Callable[..., None]]] = MappingProxyType(
    {
        "trace": trace,
        "shapes": shapes,
        "random": random,
        "prepare": prepare,
        "convert": convert,
        "describe": describe,
        "run": run,
    }
)


def main(job_file: str) -> None:
    """Run a job: {"command", "arguments", "error": file to write if one of our own errors occurs}."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    try:
        COMMANDS[job["command"]](**job["arguments"])
    except PoseOnnxError as error:
        text = json.dumps({"type": type(error).__name__, "message": str(error)})
        Path(job["error"]).write_text(text, encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
