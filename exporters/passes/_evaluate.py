"""Runs a part of a graph with ONNX Runtime, without its optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from pose_onnx.errors import ExportError
from pose_onnx.exporters._memory import return_freed_memory
from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.session import PlainGraph

_REFUSALS: Final = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""Errors that ONNX Runtime raises for a graph; they have no common base class of their own."""


def evaluate(
    graph: Graph, nodes: Sequence[Node], names: Sequence[str], feeds: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[Any]]:
    """Compute tensors.

    Args:
        graph: graph with the constants and the inputs.
        nodes: nodes to run, in order.
        names: tensors to return.
        feeds: one array for each input of the graph that `nodes` read.

    Returns:
        The arrays by name.

    Raises:
        ExportError: ONNX Runtime cannot run the nodes.
    """
    part = Graph(
        list(nodes),
        graph.constants,
        [TensorInfo(name, TensorProto.FLOAT, array.shape) for name, array in feeds.items()],
        [TensorInfo(name, TensorProto.UNDEFINED, ()) for name in names],
        opsets=graph.opsets,
    )
    part.prune()
    try:
        return PlainGraph(part).run({info.name: feeds[info.name] for info in part.inputs})
    except _REFUSALS as error:
        raise ExportError(f"ONNX Runtime cannot run the graph ({error}); please report the model") from error
    finally:
        return_freed_memory()
