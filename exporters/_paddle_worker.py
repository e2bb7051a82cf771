"""The part of an export that needs Paddle, run as a process of its own.

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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import PoseOnnxError
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.graph import OPSET
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.trim import SCALE_INPUT

Arrays = dict[str, NDArray[np.float32]]
NMS: Final = "multiclass_nms3"


def trace(card: str, parameters: str, program: str, images: str, outputs: str) -> None:
    """Load weights into a network of ours, save it as a program, and run it.

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
    spec = paddle.static.InputSpec([None, *model_card.input_shape], "float32", model_card.input.tensor_name)
    paddle.jit.save(layer, program, input_spec=[spec])
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
    """Write name and shape of every parameter of a network of ours, in the network's order.

    Args:
        card: model card as JSON.
        program: .json to write.
    """
    model_card = ModelCard.from_json(card)
    layer = network_of(model_card).build(model_card)
    found = {name: list(value.shape) for name, value in layer.state_dict().items()}
    Path(program).write_text(json.dumps(found), encoding="utf-8")


def random(card: str, program: str, images: str) -> None:
    """Write random weights of a network of ours.

    Args:
        card: model card as JSON.
        program: .npz to write.
        images: .npz of network inputs by name.
    """
    from pose_onnx.exporters.networks.random_weights import random_weights  # noqa: PLC0415 (imports Paddle)

    weights = random_weights(ModelCard.from_json(card), _load(images))
    np.savez(program, **weights)  # type: ignore[arg-type]  # of NumPy's stub: keywords are arrays here


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


def run(program: str, params: str, images: str, outputs: str) -> None:
    """Run a program on Paddle's native CPU kernels, image by image: some have a batch of 1 built in.

    Args:
        program: .json or .pdmodel.
        params: .pdiparams, of the same stem.
        images: .npz of network inputs by name.
        outputs: .npz to write, "input/index" by index of the output; boxes and scores as they go into an
            NMS, if the program has one.
    """
    import paddle  # noqa: PLC0415

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    path = Path(program)
    loaded, feeds, fetches = paddle.static.load_inference_model(
        str(path.parent), executor, model_filename=path.name, params_filename=Path(params).name
    )
    fetches = _before_nms(loaded.global_block()) or fetches
    results: Arrays = {}
    for name, batch in _load(images).items():
        rows = []
        for image in batch:
            feed = {f: np.ones((1, 2), np.float32) if f == SCALE_INPUT else image[None] for f in feeds}
            rows.append(executor.run(loaded, feed=feed, fetch_list=fetches))
        results |= {f"{name}/{i}": np.concatenate(column) for i, column in enumerate(zip(*rows, strict=True))}
    np.savez(outputs, **results)  # type: ignore[arg-type]  # as above


def _before_nms(block: Any) -> list[Any]:
    """Boxes and scores that go into the NMS; nothing if there is none."""
    if not hasattr(block.ops[0], "operand_source"):  # the form before PIR
        found = [op for op in block.ops if op.type == NMS]
        return [block.var(op.input(slot)[0]) for op in found for slot in ("BBoxes", "Scores")]
    names = [op.name() for op in block.ops]
    if f"pd_op.{NMS}" not in names:
        return []
    place = names.index(f"pd_op.{NMS}")
    values = [block.ops[place].operand_source(slot) for slot in range(2)]
    # The program's own fetches would take the places of the new ones.
    for op in reversed(list(block.ops)[place:]):
        block.remove_op(op)
    return values


def _load(path: str) -> Arrays:
    with np.load(path) as archive:
        return dict(archive)


COMMANDS: Final[Mapping[str, Callable[..., None]]] = MappingProxyType(
    {"trace": trace, "shapes": shapes, "random": random, "convert": convert, "run": run}
)


def main(job_file: str) -> None:
    """Run a job: {"command", "arguments", "error": file to write if an error of ours occurs}."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    try:
        COMMANDS[job["command"]](**job["arguments"])
    except PoseOnnxError as error:
        text = json.dumps({"type": type(error).__name__, "message": str(error)})
        Path(job["error"]).write_text(text, encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
