"""Checks every TFLite file before it is returned: it must compute the same as its ONNX model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from pose_onnx.exporters._memory import return_freed_memory
from pose_onnx.exporters.session import plain_session, run_singly
from pose_onnx.exporters.tflite._errors import DisparityError
from pose_onnx.exporters.tflite._view import NHWC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    import onnxruntime
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

RESOLVERS: Final = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
"""XNNPACK with TFLite's kernels for the rest, and TFLite's kernels alone, as on some platforms."""
_SEED: Final = 0
_FREE_BATCH: Final = 2
_NCHW: Final = (0, 3, 1, 2)
# Every input number is changed by this share of it, to measure how much the network amplifies rounding.
_NUDGE: Final = 2.0**-20
# An output may differ by this multiple of the change that a nudge causes, plus this share of its largest
# number: networks round in every layer, and kernels add in different orders. Networks for people needed a
# quarter of what is allowed in float32, random ones less. Storing a weight as float16 rounds it by 2^-12,
# which is 256 nudges; a network trained in float32 needed 3,400 nudges and 2^-8 of its largest logit.
_FACTORS: Final[Mapping[str, tuple[float, float]]] = {"float32": (10.0, 1e-5), "float16": (4096.0, 2.0**-8)}


def demand_parity(
    model: onnx.ModelProto, content: bytes, weights: str = "float32", resolvers: Sequence[Any] = RESOLVERS
) -> None:
    """Run both on random inputs and compare.

    Args:
        model: An ONNX model with float32 inputs.
        content: The TFLite file made of it.
        weights: How the file stores kernels: float32 or float16.
        resolvers: Operator resolvers of the interpreter, with which the file is run.

    Raises:
        DisparityError: An output differs by more than rounding explains.
    """
    feeds, expected, changed = _run_and_nudge(model)
    factor, share = _FACTORS[weights]
    for resolver in resolvers:
        return_freed_memory()  # of the engine before
        for name, found in run_tflite(content, feeds, resolver).items():
            want = expected[name]
            allowed = share * max(1.0, _largest(want)) + factor * _largest(changed[name] - want)
            error = _difference(want, found)
            if not error <= allowed:
                raise DisparityError(
                    f"the TFLite file does not compute what the ONNX model does (output {name!r} differs by "
                    f"{error:.2g}, rounding explains {allowed:.2g}, {resolver.name}); please report the model"
                )


def _run_and_nudge(model: onnx.ModelProto) -> tuple[Arrays, Arrays, Arrays]:
    """Return random inputs, the model's outputs for them, and its outputs for nudged inputs."""
    session = plain_session(model)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    rng = np.random.default_rng(_SEED)
    feeds = {
        value.name: rng.standard_normal(
            [size if isinstance(size, int) else _FREE_BATCH for size in value.shape]
        ).astype(np.float32)
        for value in inputs
    }
    nudged = {
        name: feed * (1 + np.float32(_NUDGE) * rng.choice(np.array([-1, 1], np.float32), feed.shape))
        for name, feed in feeds.items()
    }
    singly = not any(isinstance(size, int) for value in (*inputs, *outputs) for size in value.shape[:1])
    return feeds, _run_onnx(session, feeds, singly=singly), _run_onnx(session, nudged, singly=singly)


def _run_onnx(session: onnxruntime.InferenceSession, feeds: Arrays, *, singly: bool) -> Arrays:
    """Run a model on a whole batch, or on its items one after another."""
    if singly:
        return run_singly(session, feeds)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def run_tflite(content: bytes, feeds: Arrays, resolver: Any = OpResolverType.AUTO) -> Arrays:
    """Run a file with the batch of the feeds; images are NCHW here and NHWC in the file."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    # Inputs and outputs have their ONNX names.
    inputs = {details["name"]: details["index"] for details in interpreter.get_input_details()}
    outputs = {details["name"]: details["index"] for details in interpreter.get_output_details()}
    arranged = {inputs[name]: _moved(feed, NHWC) for name, feed in feeds.items()}
    for index, feed in arranged.items():
        interpreter.resize_tensor_input(index, feed.shape, strict=True)
    interpreter.allocate_tensors()
    for index, feed in arranged.items():
        interpreter.set_tensor(index, feed)
    interpreter.invoke()
    return {name: _moved(interpreter.get_tensor(index), _NCHW) for name, index in outputs.items()}


def _difference(want: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the largest difference; infinity if the shapes differ, or if different numbers are finite."""
    if want.shape != found.shape or not np.array_equal(np.isfinite(want), np.isfinite(found)):
        return np.inf
    finite = np.isfinite(want)
    return float(np.abs(want[finite] - found[finite]).max(initial=0))


def _largest(array: NDArray[Any]) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0))


def _moved(array: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    return np.ascontiguousarray(array.transpose(order)) if array.ndim == len(order) else array
