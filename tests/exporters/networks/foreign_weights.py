"""Put the weights of someone else's ONNX export into our network: `python foreign_weights.py NAME ONNX OUT`.

Run as a process of its own, because Paddle warns at import and keeps global state. The export was made from
the official checkpoint, but has lost the parameters' names and folded its batch norms. So the n-th
convolution that our network runs gets the weights of the n-th of the file; a batch norm after it becomes
its bias.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import paddle
from numpy.typing import NDArray
from paddle import nn

from pose_onnx import load_card
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS

State = dict[str, NDArray[np.float32]]


def convolutions(path: Path) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weight and bias of every convolution, in the order of the graph."""
    graph = rewrite(Graph.from_model(onnx.load(path)), [INLINE_CONSTANTS, FOLD_CONSTANTS])
    return [(graph.constants[n.inputs[1]], graph.constants[n.inputs[2]]) for n in graph.of_type("Conv")]


def order_of_calls(layer: nn.Layer, image: paddle.Tensor) -> list[tuple[str, nn.Layer]]:
    """Convolutions and batch norms by name, in the order in which they run."""
    called: list[tuple[str, nn.Layer]] = []
    for name, part in layer.named_sublayers():
        if isinstance(part, nn.Conv2D | nn.BatchNorm2D):

            def note(part: nn.Layer, _inputs: Any, name: str = name) -> None:
                called.append((name, part))

            part.register_forward_pre_hook(note)
    layer(image)
    return called


def state_of(
    called: list[tuple[str, nn.Layer]], values: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> State:
    state: State = {}
    remaining = iter(values)
    for (name, part), (next_name, after) in zip(called, [*called[1:], ("", None)], strict=True):
        if not isinstance(part, nn.Conv2D):
            continue
        weight, bias = next(remaining)
        state[f"{name}.weight"] = weight
        bias = bias.reshape(-1)
        if part.bias is not None:
            state[f"{name}.bias"] = bias
        else:
            assert isinstance(after, nn.BatchNorm2D)
            state[f"{next_name}.weight"] = np.ones_like(bias)
            state[f"{next_name}.bias"] = bias
            state[f"{next_name}._mean"] = np.zeros_like(bias)
            state[f"{next_name}._variance"] = np.full_like(bias, 1 - after._epsilon)
    assert next(remaining, None) is None
    return state


def main(name: str, path: Path, out: Path) -> None:
    card = load_card(name)
    layer = network_of(card).build(card)
    layer.eval()
    size = (1, 3, *card.picture.size)
    with paddle.no_grad():
        called = order_of_calls(layer, paddle.zeros(size))
        state = state_of(called, convolutions(path))
        expected = {key: tuple(value.shape) for key, value in layer.state_dict().items()}
        assert {key: value.shape for key, value in state.items()} == expected
        layer.set_state_dict(state)
        image = np.random.default_rng(0).standard_normal(size).astype(np.float32)
        features = layer.neck(layer.backbone(paddle.to_tensor(image)))
        heads = list(zip(*layer.head.levels(features), strict=True))
        boxes, scores = layer(paddle.to_tensor(image))
    np.savez(out / f"{name}.npz", **state)  # type: ignore[arg-type]  # of NumPy's stub: keywords are arrays here
    np.savez(
        out / "outputs.npz",
        image=image,
        boxes=boxes.numpy(),
        scores=scores.numpy(),
        **{f"score{i}": x.numpy() for i, x in enumerate(heads[0])},
        **{f"bins{i}": x.numpy() for i, x in enumerate(heads[1])},
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
