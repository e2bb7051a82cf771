"""ONNX Runtime as the exporters use it for comparisons: without optimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph

_FATAL = 4

Arrays = Mapping[str, NDArray[Any]]


def plain_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Open a model without any optimisation, on one thread.

    Errors are raised, not logged, and warnings about unused initialisers are suppressed. No memory arena is
    used: the arrays that a session returns would keep all of it in memory.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class PlainGraph:
    """A graph in a session like that of `plain_session`, its weights in memory once.

    They are fed as inputs, which ONNX Runtime reads where they are. Of weights in a model it makes copies:
    one to read the model, and one to run it.

    Args:
        graph: A graph that no pass changes while this exists.
    """

    def __init__(self, graph: Graph) -> None:
        self._weights = graph.weights
        self._session = plain_session(graph.hollow())
        self.inputs = [value for value in self._session.get_inputs() if value.name not in self._weights]
        self.outputs = self._session.get_outputs()

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """Run the graph once: outputs by name."""
        names = [output.name for output in self.outputs]
        return dict(zip(names, self._session.run(names, {**self._weights, **feeds}), strict=True))

    def run_singly(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """Run the items of a batch one after another, which takes less memory than the batch.

        Args:
            feeds: (N, ...) by input name. Inputs and outputs of the graph have a free first axis.

        Returns:
            (N, ...) by output name.
        """
        count = len(next(iter(feeds.values())))
        runs: Sequence[Arrays] = [
            self.run({name: feed[item : item + 1] for name, feed in feeds.items()}) for item in range(count)
        ]
        return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
