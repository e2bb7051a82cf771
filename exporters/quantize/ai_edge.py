"""int8 in TFLite, by ai-edge-quantizer: layers are identified by the name of the tensor that they write."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from pose_onnx.exporters.quantize.layers import Layer
from pose_onnx.exporters.tflite._file import SIGNATURE, Buffer, pack_model
from pose_onnx.loading import INPUT_NAME

BITS: Final = 8
CONVOLUTIONS: Final = ("CONV_2D", "DEPTHWISE_CONV_2D")
_ALL: Final = ".*"
_NO_QUANTIZE: Final = "no_quantize"
_LARGEST: Final = 32 * 1024 * 1024
"""Size in bytes up to which the quantiser takes a tensor as one."""
_TO_NHWC: Final = (0, 2, 3, 1)

Calibrated = dict[str, dict[str, Any]]


def weights_int8(content: bytes, kept: Sequence[Layer]) -> bytes:
    """Store the kernels of a float file as int8; computation stays float32.

    Args:
        content: a float32 TFLite file.
        kept: layers to leave alone.
    """
    quantizer = _quantizer(content)
    for operator in CONVOLUTIONS:
        quantizer.add_weight_only_config(_ALL, operator, BITS)
    return _quantize(quantizer, kept, {})


def calibrate(content: bytes, samples: NDArray[np.float32]) -> Calibrated:
    """Run a float file on calibration inputs.

    Args:
        content: a float32 TFLite file.
        samples: (M, 3, H, W).

    Returns:
        Smallest and largest value of each tensor, in the quantiser's own form.
    """
    quantizer = _static(content)
    found: Calibrated = {}
    for sample in samples:
        feed = {INPUT_NAME: np.ascontiguousarray(sample[None].transpose(_TO_NHWC))}
        with _quiet():
            # One at a time: over several, the quantiser takes a moving average, which cuts off rare values.
            values = quantizer.calibrate({SIGNATURE: [feed]}, num_threads=1)
        found = {name: _wider(found.get(name, {}), value) for name, value in values.items()}
    return found


def static_int8(content: bytes, calibrated: Calibrated, kept: Sequence[Layer]) -> bytes:
    """Make the convolutions of a float file compute in int8.

    Args:
        content: a float32 TFLite file.
        calibrated: from `calibrate`.
        kept: layers to leave alone.
    """
    return _quantize(_static(content), kept, calibrated)


def _quantizer(content: bytes) -> Any:
    from ai_edge_quantizer.quantizer import Quantizer  # noqa: PLC0415 (only who wants int8 needs it)

    return Quantizer(bytearray(content))


def _static(content: bytes) -> Any:
    quantizer = _quantizer(content)
    for operator in CONVOLUTIONS:
        quantizer.add_static_config(_ALL, operator, BITS, BITS)
    return quantizer


def _quantize(quantizer: Any, kept: Iterable[Layer], calibrated: Calibrated) -> bytes:
    for layer in kept:
        for operator in CONVOLUTIONS:
            quantizer.update_quantization_recipe(_scope(layer), operator, algorithm_key=_NO_QUANTIZE)
    with _quiet(), _large_kernels():
        result = quantizer.quantize(calibrated, enable_progress_bar=False, enable_progress_report=False)
    return _inlined(bytes(result.quantized_model))


def _inlined(content: bytes) -> bytes:
    """Put buffers back into the model's own data.

    The quantiser appends buffers of 1,024 bytes or more to the file, as for models beyond 2 GB. Readers of
    the flatbuffer alone do not find them there, and the model card may be one of them.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.buffers = [Buffer(np.frombuffer(_data(part, content), np.uint8)) for part in model.buffers]
    return pack_model(model)


def _data(part: schema.BufferT, content: bytes) -> bytes:
    if part.offset:
        return content[part.offset : part.offset + part.size]
    return b"" if part.data is None else bytes(part.data)


def _scope(layer: Layer) -> str:
    """Match the names of the results of the operators that a layer became; see `lower_conv`."""
    names = "|".join(map(re.escape, dict.fromkeys([layer.name, layer.result])))
    return rf"^({names})(/\w+)?;"


def _wider(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    ways: dict[str, Callable[..., Any]] = {"min": np.minimum, "max": np.maximum}
    widest = {key: way(old.get(key, new[key]), new[key]) for key, way in ways.items() if key in new}
    return {**new, **widest}


@contextmanager
def _large_kernels() -> Iterator[None]:
    """Let the quantiser take kernels of more than 32 MiB.

    Version 0.10 reshapes them to two axes, but not the scales of their output channels, and fails. Here it
    gets the output channels in parts below that size.
    """
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as module  # noqa: PLC0415 (as above)

    whole = module.uniform_quantize

    def in_parts(data: NDArray[Any], scales: Any, is_blockwise_quant: bool = False) -> Any:  # noqa: FBT001, FBT002 (as there)
        if data.nbytes <= _LARGEST or is_blockwise_quant or scales.quantized_dimension != 0:
            return whole(data, scales, is_blockwise_quant)
        every = module.fix_quantization_params_rank(data, scales)
        rows = _LARGEST // data[0].nbytes
        parts = [slice(first, first + rows) for first in range(0, len(data), rows)]
        return np.concatenate(
            [
                whole(data[part], replace(every, scale=every.scale[part], zero_point=every.zero_point[part]))
                for part in parts
            ]
        )

    module.uniform_quantize = in_parts
    try:
        yield
    finally:
        module.uniform_quantize = whole


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's progress bars, and the interpreter's warning about keeping all tensors."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore", UserWarning)
        yield
