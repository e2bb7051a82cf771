"""OpenVINO adapter: runs the ONNX files of the `ort` backend on Intel's engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import openvino as ov
from openvino.frontend import FrontEndManager

from pose_onnx.errors import EngineError, InputError, ModelFileError
from pose_onnx.runtimes._checks import check_feeds
from pose_onnx.runtimes._protocol import Tensor, TensorSpec
from pose_onnx.runtimes._traits import CPU_RUN_PIXELS

_FORMAT: Final = "onnx"  # OpenVINO also reads TFLite and Paddle files, but with different tensors
_PRECISION: Final = "INFERENCE_PRECISION_HINT"
# On a CPU with bfloat16 instructions OpenVINO computes in bfloat16 by default. Compared with ONNX Runtime, on
# random input, bfloat16 moves TinyPose's heatmaps by 0.014 and PicoDet's boxes by 43 px; float32 by 4e-7 and
# 7e-4 px.
_FLOAT32: Final = "f32"
_THREADS: Final = "INFERENCE_NUM_THREADS"  # only a CPU has it


class OpenVinoRuntime:
    """An ONNX file, run by OpenVINO in float32.

    Args:
        path: The `.onnx` file.
        threads: Threads inside one run, on the CPU.
        device: One of OpenVINO's devices, such as "CPU" or "GPU". A missing device is an error. The virtual
            devices ("AUTO", "HETERO:GPU,CPU") are refused, because they may fall back silently.

    Attributes:
        run_pixels: Largest number of input pixels in one run; see `pose_onnx.runtimes._traits`.
    """

    def __init__(self, path: Path, *, threads: int, device: str = "CPU") -> None:
        self.run_pixels = threads * CPU_RUN_PIXELS
        core = _core()
        _check_device(device, core.available_devices)
        model = _read(path)
        settings: dict[str, Any] = {_PRECISION: _FLOAT32}
        if _THREADS in core.get_property(device, "SUPPORTED_PROPERTIES"):
            settings[_THREADS] = threads
        try:
            compiled = core.compile_model(model, device, settings)
        except Exception as error:
            if not _is_openvino_error(error):
                raise
            raise EngineError(
                f"{str(path)!r} cannot run in float32 on OpenVINO's {device!r} ({_reason(error)}); choose "
                f"another device from {core.available_devices}"
            ) from error
        self._request: Any = compiled.create_infer_request()
        self._inputs = tuple(map(_spec, compiled.inputs))
        self._outputs = tuple(map(_spec, compiled.outputs))
        self._lock = Lock()  # a request has one set of tensors: a second thread has to wait

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
        check_feeds(feeds, self._inputs)
        with self._lock:
            if self._request is None:
                raise EngineError("this runtime is closed; open the model again")
            try:
                results = self._request.infer(dict(feeds))
            except Exception as error:
                if not _is_openvino_error(error):
                    raise
                raise EngineError(f"OpenVINO could not run the model: {_reason(error)}") from error
            return {spec.name: results[place] for place, spec in enumerate(self._outputs)}

    def close(self) -> None:
        """Release the model."""
        with self._lock:
            self._request = None


@cache
def _core() -> Any:
    """Return the one Core of the process.

    Each Core gives its thread a signal stack, and removes it when the Core is destroyed, even if another Core
    was created since. With two Cores, the thread may keep a freed stack, and the next Ctrl-C ends Python
    with SIGSEGV.
    """
    return ov.Core()


def _check_device(device: str, available: list[str]) -> None:
    # "GPU" alone is the first of "GPU.0", "GPU.1".
    if device not in {*available, *(name.partition(".")[0] for name in available)}:
        raise InputError(
            f"device={device!r} was given, but OpenVINO has {available} on this machine; choose one of them "
            "or install the driver of the other"
        )


def _read(path: Path) -> Any:
    try:
        frontend = FrontEndManager().load_by_framework(_FORMAT)
        return frontend.convert(frontend.load(str(path)))
    except Exception as error:  # its exception classes have no public base; see _is_openvino_error
        if not _is_openvino_error(error):
            raise
        raise ModelFileError(
            f"{str(path)!r} cannot be loaded by OpenVINO ({_reason(error)}); "
            "give an intact .onnx file, or export it again"
        ) from error


def _is_openvino_error(error: Exception) -> bool:
    return isinstance(error, RuntimeError) or type(error).__module__.startswith("openvino")


def _reason(error: Exception) -> str:
    """Return the last line of OpenVINO's error text; the lines before it are positions in its source code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else None for size in port.partial_shape)
    return TensorSpec(port.any_name, shape, np.dtype(port.element_type.to_dtype()).name)
