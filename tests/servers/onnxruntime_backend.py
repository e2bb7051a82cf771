"""ONNX Runtime as a backend of Triton, in Python: `backends/onnxruntime/model.py`.

PyPI's Triton comes with its Python backend alone. NVIDIA's images have the same engine in C++; what is in
front of it, which reads the repository, checks requests, batches and runs ensembles, is the same server.
"""
# mypy: ignore-errors

import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One model of the repository; the names are Triton's."""

    def initialize(self, args) -> None:
        config = json.loads(args["model_config"])
        version = Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(version / config["default_model_filename"])
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]
        self.has_batches = config["max_batch_size"] > 0

    def execute(self, requests):
        fed = [
            {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            for request in requests
        ]
        if not self.has_batches:
            return [self._answer(self.session.run(self.outputs, feeds)) for feeds in fed]
        joined = {name: np.concatenate([feeds[name] for feeds in fed]) for name in self.inputs}
        ends = np.cumsum([len(feeds[self.inputs[0]]) for feeds in fed])[:-1]
        parts = [np.split(array, ends) for array in self.session.run(self.outputs, joined)]
        return [self._answer(arrays) for arrays in zip(*parts, strict=True)]

    def _answer(self, arrays):
        named = zip(self.outputs, arrays, strict=True)
        return triton.InferenceResponse([triton.Tensor(name, np.ascontiguousarray(a)) for name, a in named])
