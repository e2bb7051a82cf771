"""OpenVINO adapter: the ONNX files of the `ort` backend, on Intel's engine."""

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

_FORMAT: Final = "onnx"  # OpenVINO would read TFLite and Paddle files too, with other tensors than ours
_PRECISION: Final = "INFERENCE_PRECISION_HINT"
# On a CPU with bfloat16 instructions OpenVINO computes in bfloat16 unless told not to. Against ONNX Runtime,
# on random input, that moves TinyPose's heatmaps by 0.014 and PicoDet's boxes by 43 px; float32 by 4e-7 and
# 7e-4 px.
_FLOAT32: Final = "f32"
_THREADS: Final = "INFERENCE_NUM_THREADS"  # only a CPU has it


class OpenVinoRuntime:
    """An ONNX file, run by OpenVINO in float32.

    Args:
        path: The `.onnx` file.
        threads: Threads inside one run, on the CPU.
        device: One of OpenVINO's devices, such as "CPU" or "GPU". Strict: one that is not here is an error,
            and the virtual ones ("AUTO", "HETERO:GPU,CPU"), which may fall back in silence, are not taken.

    Attributes:
        run_pixels: Pixels of the inputs of one run, at most; see `pose_onnx.runtimes._traits`.
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
                f"{str(path)!r} cannot run in float32 on OpenVINO's {device!r} ({_reason(error)}); "
                f"choose another device out of {core.available_devices}"
            ) from error
        self._request: Any = compiled.create_infer_request()
        self._inputs = tuple(map(_spec, compiled.inputs))
        self._outputs = tuple(map(_spec, compiled.outputs))
        self._lock = Lock()  # a request holds one set of tensors: a second thread has to wait

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `run` must be fed."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `run` returns."""
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

    Each gives its thread a stack for signals and takes it away when it goes, whichever other came after it:
    of two, the thread is left with one that is freed, and the next Ctrl-C ends Python with SIGSEGV.
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
    """Return the last line of OpenVINO's report; those before it are places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else None for size in port.partial_shape)
    return TensorSpec(port.any_name, shape, np.dtype(port.element_type.to_dtype()).name)
