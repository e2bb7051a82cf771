"""Runs a part of a graph with ONNX Runtime, without its optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.session import plain_session

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
    used = {name for node in nodes for name in node.inputs}
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node(n.op, n.inputs, n.outputs, **n.attributes) for n in nodes],
            "part",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name, a in feeds.items()],
            [helper.make_empty_tensor_value_info(name) for name in names],
            [numpy_helper.from_array(a, name) for name, a in graph.constants.items() if name in used],
        ),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in graph.opsets.items()],
        ir_version=graph.ir_version,
    )
    try:
        return dict(zip(names, plain_session(model).run(list(names), dict(feeds)), strict=True))
    except _REFUSALS as error:
        raise ExportError(f"ONNX Runtime cannot run the graph ({error}); please report the model") from error
