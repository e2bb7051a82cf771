"""Smallest and largest value of tensors over calibration inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto

from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.exporters.session import plain_session

F32 = NDArray[np.float32]
Ranges = Mapping[str, tuple[float, float]]


def measure_ranges(graph: Graph, samples: F32, names: Iterable[str]) -> Ranges:
    """Run the graph and record the ranges of tensors.

    Args:
        graph: a float32 graph.
        samples: (M, 3, H, W), its inputs.
        names: tensors of the graph, its input included.

    Returns:
        Smallest and largest value of each over all samples.
    """
    fed = graph.inputs[0].name
    wanted = [name for name in dict.fromkeys(names) if name != fed]
    session = session_of(_with_outputs(graph, wanted))
    found = {fed: (float(samples.min()), float(samples.max()))}
    for sample in samples:
        for name, array in zip(wanted, session.run(wanted, {fed: sample[None]}), strict=True):
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = min(low, float(array.min())), max(high, float(array.max()))
    return found


def session_of(graph: Graph) -> ort.InferenceSession:
    """Open a graph in ONNX Runtime for a few short runs, without optimising it, which would take longer."""
    return plain_session(graph.to_model())


def _with_outputs(graph: Graph, names: list[str]) -> Graph:
    shapes = graph.shapes()
    there = graph.output_names()
    wider = graph.copy()
    wider.outputs += [TensorInfo(n, TensorProto.FLOAT, shapes[n]) for n in names if n not in there]
    return wider
