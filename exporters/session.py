"""ONNX Runtime as the exporters use it for comparisons: without optimisation."""

from __future__ import annotations

import onnx
import onnxruntime as ort

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
