"""Inserts a network into a larger graph, and runs the larger graph on a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from pose_onnx.core.arrays import F32, Image
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.presets import PRESETS
from pose_onnx.runtimes import open_runtime

PRESET: Final = PRESETS["accurate"]
_PREFIX: Final = "network/"


def insert(network: Graph, tensor: Value) -> dict[str, Value]:
    """Append a network to the graph that holds its input; return its outputs by name."""
    graph = tensor.graph
    names = {network.inputs[0].name: tensor.name, "": ""}

    def name(inner: str) -> str:
        return names.get(inner, f"{_PREFIX}{inner}")

    for node in network.nodes:
        inputs, outputs = ([name(item) for item in items] for items in (node.inputs, node.outputs))
        graph.nodes.append(replace(node, inputs=inputs, outputs=outputs, name=name(node.name)))
    graph.constants |= {name(key): array for key, array in network.constants.items()}
    return {item.name: Value(graph, name(item.name), np.dtype(np.float32)) for item in network.outputs}


def add_output(value: Value, name: str, shape: tuple[int | str, ...]) -> None:
    """Make a value a float32 output of its graph."""
    value.rename(name)
    value.graph.outputs.append(TensorInfo(name, TensorProto.FLOAT, shape))


def run_on_picture(file: Path, image_bgr: Image, **others: F32) -> dict[str, F32]:
    """Run an end-to-end file on a picture, (H, W, 3) uint8."""
    runtime = open_runtime(file, threads=1)
    try:
        feeds: dict[str, Any] = {"image": np.ascontiguousarray(image_bgr[:, :, ::-1]), **others}
        return runtime.run(feeds)
    finally:
        runtime.close()
