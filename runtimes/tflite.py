"""TFLite adapter: runs on ai-edge-litert, or on tflite-runtime if only that is installed.

Tested with ai-edge-litert 2.3 (automatically), and by hand with tflite-runtime 2.14.0, NumPy 1.26 and Python
3.11. With both, exports of TinyPose and PicoDet, with float32 and float16 weights and batches of 1, 3 and 1
again, agree with ONNX Runtime to 7e-7 (heatmaps) and 4e-4 px (boxes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pose_onnx.errors import DependencyError, EngineError, ModelFileError
from pose_onnx.runtimes._checks import check_feeds
from pose_onnx.runtimes._protocol import Tensor, TensorSpec
from pose_onnx.runtimes._tflite_file import SIGNATURE

_ENGINES: Final = ("ai_edge_litert", "tflite_runtime")
# tflite-runtime 2.14 was built for NumPy 1 but does not tell pip so: with NumPy 2 it crashes with SIGSEGV.
_FIRST_BAD_NUMPY: Final = MappingProxyType({"tflite_runtime": 2})
_IMAGE_RANK: Final = 4
_TO_NCHW: Final = (0, 3, 1, 2)
# The interpreter reports every failure as one of these.
_TFLITE_ERRORS: Final = (RuntimeError, ValueError)


class TfliteRuntime:
    """A TFLite file, run by the TFLite interpreter with its default delegate (XNNPACK).

    Rank-4 tensors are NHWC in the file and NCHW outside; only this class converts between them.

    A batch is run one item at a time: for a new batch size an interpreter would plan its memory again (1 to
    3 ms each time), and batching gains almost nothing. Each thread that calls `run` at the same time gets an
    interpreter of its own, which is opened when first needed.

    Args:
        path: The `.tflite` file, with a signature `serving_default`.
        threads: Threads inside one operator.

    Attributes:
        is_parallel: Runs may overlap; see `pose_onnx.runtimes._traits`.
    """

    is_parallel = True

    def __init__(self, path: Path, *, threads: int) -> None:
        try:
            self._open = partial(_open_interpreter, path.read_bytes(), threads)
            interpreter = self._open()
            runner = interpreter.get_signature_runner(SIGNATURE)
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
        except _TFLITE_ERRORS as error:
            raise ModelFileError(
                f"{str(path)!r} cannot be loaded by TFLite ({error}); give an intact file with a signature "
                f"{SIGNATURE!r}, or export it again"
            ) from error
        self._inputs = tuple(_spec(name, details) for name, details in inputs.items())
        self._outputs = tuple(_spec(name, details) for name, details in outputs.items())
        self._places = {name: details["index"] for name, details in (inputs | outputs).items()}
        self._is_free = all(spec.shape[0] is None for spec in (*self._inputs, *self._outputs))
        # An interpreter has one set of tensors: a thread takes one out and puts it back when done.
        self._idle: list[Any] | None = [interpreter]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that `run` takes."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that `run` returns."""
        return self._outputs

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run the model once; see `Runtime.run`."""
        idle = self._idle  # keep a reference: another thread may call `close`
        if idle is None:
            raise EngineError("this runtime is closed; open the model again")
        check_feeds(feeds, self._inputs)
        count = len(next(iter(feeds.values()))) if self._is_free else 1
        items = [slice(item, item + 1) for item in range(count)] if self._is_free else [slice(None)]
        try:
            interpreter = _take(idle) or self._open()
            parts = [self._run_item(interpreter, feeds, item) for item in items]
        except _TFLITE_ERRORS as error:
            raise EngineError(f"TFLite could not run the model: {error}") from error
        idle.append(interpreter)
        return {spec.name: _joined([part[spec.name] for part in parts]) for spec in self._outputs}

    def _run_item(self, interpreter: Any, feeds: Mapping[str, Tensor], item: slice) -> dict[str, Tensor]:
        for name, array in feeds.items():
            _write(interpreter.tensor(self._places[name])(), array[item])
        interpreter.invoke()
        return {spec.name: interpreter.get_tensor(self._places[spec.name]) for spec in self._outputs}

    def close(self) -> None:
        """Release the interpreters."""
        self._idle = None


def _open_interpreter(content: bytes, threads: int) -> Any:
    interpreter = _interpreter_class()(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _take(idle: list[Any]) -> Any:
    try:
        return idle.pop()
    except IndexError:
        return None


def _interpreter_class() -> Any:
    engine = next(name for name in _ENGINES if find_spec(name))
    if int(np.__version__.partition(".")[0]) >= _FIRST_BAD_NUMPY.get(engine, math.inf):
        raise DependencyError(
            f"{engine!r} crashes with NumPy {np.__version__}; run: pip install 'pose-onnx[tflite]', "
            "or keep it and run: pip install 'numpy<2'"
        )
    try:
        return import_module(f"{engine}.interpreter").Interpreter
    except (ImportError, AttributeError) as error:
        raise DependencyError(
            f"{engine!r} is installed but cannot be loaded ({error}); run: pip install 'pose-onnx[tflite]'"
        ) from error


def _write(target: Tensor, array: Tensor) -> None:
    """Copy into an interpreter's input, channel by channel: four times as fast as one transposed copy."""
    if array.ndim != _IMAGE_RANK:
        target[...] = array
        return
    for channel in range(array.shape[1]):
        target[..., channel] = array[:, channel]


def _joined(parts: list[Tensor]) -> Tensor:
    joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return np.ascontiguousarray(joined.transpose(_TO_NCHW)) if joined.ndim == _IMAGE_RANK else joined


def _spec(name: str, details: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(None if size < 0 else int(size) for size in details["shape_signature"])
    if len(shape) == _IMAGE_RANK:
        shape = tuple(shape[axis] for axis in _TO_NCHW)
    return TensorSpec(name, shape, np.dtype(details["dtype"]).name)
