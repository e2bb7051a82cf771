"""Paddle Inference adapter: runs an inference folder as it was saved, without conversion.

It is meant for comparison, not for speed: on one thread its native kernels take six to seven times as long as
ONNX Runtime. Tested with Paddle 3.2.2.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError  # comes with Paddle

from pose_onnx.errors import EngineError, InputError, ModelFileError
from pose_onnx.runtimes._checks import check_feeds
from pose_onnx.runtimes._paddle_folder import OLD_SUFFIX, Border, find_files, make_spec, read_pir_border
from pose_onnx.runtimes._protocol import Tensor, TensorSpec
from pose_onnx.runtimes._traits import CPU_RUN_PIXELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about a compiler cache that is not needed to run a model
    import paddle.inference as engine
    from paddle.base.proto import framework_pb2 as schema

_ERRORS: Final = (RuntimeError, ValueError)  # what Paddle's own exceptions derive from
_IMAGE_RANK, _LIST_RANK, _CORNERS = 4, 3, 4
_TO_ANCHORS_FIRST: Final = (0, 2, 1)

# Layout of .pdiparams, one tensor after another: version, levels of sequence nesting, version, size of the
# description, the description, the numbers (paddle/phi/core/framework/dense_tensor_tostream.cc).
_HEADER: Final = struct.Struct("<IQIi")
_ITEM_SIZES: Final = MappingProxyType(
    {
        schema.VarType.FP16: 2, schema.VarType.BF16: 2, schema.VarType.FP32: 4, schema.VarType.FP64: 8,
        schema.VarType.BOOL: 1, schema.VarType.UINT8: 1, schema.VarType.INT8: 1, schema.VarType.INT16: 2,
        schema.VarType.INT32: 4, schema.VarType.INT64: 8,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of the program: its name in the program, and the tensor that it becomes."""

    fetched: str
    spec: TensorSpec
    is_turned: bool = False


class PaddleRuntime:
    """A Paddle inference folder, run by Paddle Inference on its native CPU kernels.

    Paddle does not keep the names of outputs, so they are identified by shape. Heatmaps have rank 4. Boxes
    and scores have rank 3; boxes have 4 numbers, and scores are transposed to (N, A, C) if the program has
    (N, C, A). Integers, such as the argmax of heatmaps, are left out. A detector must return its boxes and
    scores before NMS.

    Args:
        path: A folder with one program (`.json` or `.pdmodel`) and its weights (`.pdiparams`).
        threads: Threads for matrix products; the other kernels use one.
        onednn: Must be False: with oneDNN, Paddle computes TinyPose incorrectly.

    Attributes:
        run_pixels: Largest number of input pixels in one run; see `pose_onnx.runtimes._traits`.
    """

    def __init__(self, path: Path, *, threads: int, onednn: bool = False) -> None:
        if onednn:
            raise InputError(
                "onednn=True was given, but with oneDNN Paddle computes TinyPose incorrectly (heatmaps "
                "are off by 0.03); leave it out, or use the backend 'ort' for speed"
            )
        self.run_pixels = threads * CPU_RUN_PIXELS
        program, weights = find_files(path)
        try:
            border = _read_border(program)
            _check_whole(weights.read_bytes())
            self._predictor: Any = engine.create_predictor(_config(program, weights, threads))
        except _ERRORS as error:
            raise ModelFileError(
                f"{str(path)!r} cannot be loaded by Paddle ({_reason(error)}); give an intact inference "
                "folder that this version of Paddle can read, or export it with pose-onnx export"
            ) from error
        self._inputs = border.inputs
        self._results = _results(border, path)
        self._lock = Lock()  # a predictor has one set of tensors: a second thread has to wait

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that `run` takes."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that `run` returns."""
        return tuple(result.spec for result in self._results)

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run the model once; see `Runtime.run`."""
        check_feeds(feeds, self._inputs)
        with self._lock:
            if self._predictor is None:
                raise EngineError("this runtime is closed; open the model again")
            try:
                for name, array in feeds.items():
                    self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array))
                self._predictor.run()
                return {result.spec.name: self._fetch(result) for result in self._results}
            except _ERRORS as error:
                raise EngineError(f"Paddle could not run the model: {_reason(error)}") from error

    def _fetch(self, result: _Output) -> Tensor:
        array: Tensor = self._predictor.get_output_handle(result.fetched).copy_to_cpu()
        return np.ascontiguousarray(array.transpose(_TO_ANCHORS_FIRST)) if result.is_turned else array

    def close(self) -> None:
        """Release the predictor."""
        with self._lock:
            self._predictor = None


def _config(program: Path, weights: Path, threads: int) -> Any:
    config = engine.Config(str(program), str(weights))
    config.disable_gpu()
    config.disable_mkldnn()  # on by default in Paddle 3.2; this is oneDNN's former name
    config.set_cpu_math_library_num_threads(threads)
    config.disable_glog_info()
    return config


def _read_border(program: Path) -> Border:
    content = program.read_bytes()
    if program.suffix != OLD_SUFFIX:
        return read_pir_border(content)
    try:
        block = schema.ProgramDesc.FromString(content).blocks[0]
    except (DecodeError, IndexError) as error:
        raise ValueError(f"it is not a program: {error}") from error
    tensors = {variable.name: variable.type.dense_tensor.tensor for variable in block.vars}
    fed = [op.outputs[0].arguments[0] for op in block.ops if op.type == "feed"]
    fetched = [op.inputs[0].arguments[0] for op in block.ops if op.type == "fetch"]
    return Border(*(tuple(_old_spec(name, tensors[name]) for name in names) for names in (fed, fetched)))


def _old_spec(name: str, tensor: Any) -> TensorSpec:
    return make_spec(name, tensor.dims, schema.VarType.Type.Name(tensor.data_type).replace("FP", "float"))


def _check_whole(content: bytes) -> None:
    """Read the weights to their end: Paddle does not notice if the last tensor is truncated.

    Raises:
        ValueError: The file ends too early, or does not contain weights.
    """
    position = 0
    try:
        while position < len(content):
            _, levels, _, size = _HEADER.unpack_from(content, position)
            start = position + _HEADER.size
            description = schema.VarType.TensorDesc.FromString(content[start : start + size])
            numbers = math.prod(description.dims) * _ITEM_SIZES[description.data_type]
            position = start + size + numbers
            if levels or size <= 0 or numbers < 0:
                raise ValueError("its weights are not tensors")
    except (struct.error, KeyError, DecodeError) as error:
        raise ValueError("its weights end too early, or are not weights") from error
    if position != len(content):
        raise ValueError("its weights end too early")


def _results(border: Border, path: Path) -> tuple[_Output, ...]:
    floats = [spec for spec in border.outputs if spec.dtype == "float32"]
    named = [(_contract_name(spec.shape), spec) for spec in floats]
    shapes = {name: spec.shape for name, spec in named}
    if None in shapes or len(shapes) != len(named) or not {"heatmaps", "boxes"} & shapes.keys():
        raise ModelFileError(
            f"{str(path)!r} gives {[spec.shape for spec in border.outputs]}; the backend 'paddle' runs "
            "programs that give heatmaps, or boxes and scores before NMS; "
            "export this one with pose-onnx export"
        )
    return tuple(_output(name, spec, shapes.get("boxes", ())) for name, spec in named if name)


def _contract_name(shape: tuple[int | None, ...]) -> str | None:
    if len(shape) == _IMAGE_RANK:
        return "heatmaps"
    if len(shape) == _LIST_RANK:
        return "boxes" if shape[-1] == _CORNERS else "scores"
    return None


def _output(name: str, spec: TensorSpec, boxes: tuple[int | None, ...]) -> _Output:
    is_turned = name == "scores" and bool(boxes) and spec.shape[1] != boxes[1] and spec.shape[2] == boxes[1]
    shape = tuple(spec.shape[axis] for axis in _TO_ANCHORS_FIRST) if is_turned else spec.shape
    return _Output(spec.name, TensorSpec(name, shape), is_turned)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("---")), type(error).__name__)
