"""ONNX Runtime as the exporters use it for comparisons: without optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

_FATAL = 4


def plain_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Open a model without any optimisation, on one thread.

    Errors are raised, so they are not also logged, and neither are unused initialisers. No arena is used: the
    arrays that a session returns would keep all of it in memory.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_singly(session: ort.InferenceSession, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run the items of a batch one after another, which takes less memory than the batch.

    Args:
        session: Of a model whose inputs and outputs have a free first axis.
        feeds: (N, ...) by input name.

    Returns:
        (N, ...) by output name.
    """
    names = [output.name for output in session.get_outputs()]
    count = len(next(iter(feeds.values())))
    runs = [
        session.run(names, {name: feed[item : item + 1] for name, feed in feeds.items()})
        for item in range(count)
    ]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*runs, strict=True), strict=True)}
