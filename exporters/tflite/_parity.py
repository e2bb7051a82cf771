"""Checks every TFLite file: it must compute the same as its ONNX model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from pose_onnx.exporters._memory import return_freed_memory
from pose_onnx.exporters.session import PlainGraph
from pose_onnx.exporters.tflite._errors import DisparityError
from pose_onnx.exporters.tflite._view import NHWC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Graph

    Arrays = Mapping[str, NDArray[Any]]

RESOLVERS: Final = (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, OpResolverType.AUTO)
"""TFLite's kernels alone, as on some platforms, and XNNPACK with TFLite's kernels for the rest."""
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


class Expected(NamedTuple):
    """What a TFLite file must compute.

    Attributes:
        shapes: Of the inputs by name, for `random_feeds`.
        outputs: What the ONNX model makes of those.
        changes: How much an output changes at most if the inputs do so a little.
    """

    shapes: Mapping[str, tuple[int, ...]]
    outputs: Arrays
    changes: Mapping[str, float]


def demand_parity(
    expected: Expected, content: bytes, weights: str = "float32", resolvers: Sequence[Any] = RESOLVERS
) -> None:
    """Run a TFLite file and compare.

    The ONNX model need not be in memory any more: an interpreter takes twice the weights and more.

    Args:
        expected: Of the model.
        content: The TFLite file made of it.
        weights: How the file stores kernels: float32 or float16.
        resolvers: Operator resolvers of the interpreter, with which the file is run.

    Raises:
        DisparityError: An output differs by more than rounding explains.
    """
    for resolver in resolvers:
        return_freed_memory()  # of the engine before
        _demand_close(expected, run_tflite(content, expected.shapes, resolver), weights, resolver.name)


def _demand_close(expected: Expected, found: Arrays, weights: str, kernels: str) -> None:
    factor, share = _FACTORS[weights]
    for name, want in expected.outputs.items():
        allowed = share * max(1.0, _largest(want)) + factor * expected.changes[name]
        error = _difference(want, found[name])
        if not error <= allowed:
            raise DisparityError(
                f"the TFLite file does not compute what the ONNX model does (output {name!r} differs by "
                f"{error:.2g}, rounding explains {allowed:.2g}, {kernels}); please report the model"
            )


def expect(graph: Graph) -> Expected:
    """Run a graph with float32 inputs on random numbers, and again with a nudge."""
    session = PlainGraph(graph)
    shapes = {
        info.name: tuple(size if isinstance(size, int) else _FREE_BATCH for size in info.shape)
        for info in graph.inputs
    }
    rng = np.random.default_rng(_SEED)
    feeds = dict(random_feeds(shapes, rng))
    nudged = {
        name: feed * (1 + np.float32(_NUDGE) * rng.choice(np.array([-1, 1], np.float32), feed.shape))
        for name, feed in feeds.items()
    }
    # An output of unknown shape may have its batch anywhere.
    singly = all(info.shape and isinstance(info.shape[0], str) for info in (*graph.inputs, *graph.outputs))
    run = session.run_singly if singly else session.run
    found, changed = run(feeds), run(nudged)
    return Expected(shapes, found, {name: _largest(changed[name] - want) for name, want in found.items()})


def random_feeds(
    shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give each input's name and standard normal numbers."""
    for name, shape in shapes.items():
        yield name, rng.standard_normal(shape, np.float32)


def run_tflite(content: bytes, shapes: Mapping[str, tuple[int, ...]], resolver: Any) -> Arrays:
    """Run a file on random numbers of these shapes; images are NCHW here and NHWC in the file."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    # Inputs and outputs have their ONNX names.
    inputs = {details["name"]: details["index"] for details in interpreter.get_input_details()}
    outputs = {details["name"]: details["index"] for details in interpreter.get_output_details()}
    for name, shape in shapes.items():
        arranged = [shape[axis] for axis in NHWC] if len(shape) == len(NHWC) else shape
        interpreter.resize_tensor_input(inputs[name], arranged, strict=True)
    interpreter.allocate_tensors()
    for name, feed in random_feeds(shapes, np.random.default_rng(_SEED)):
        interpreter.set_tensor(inputs[name], _moved(feed, NHWC))
        del feed  # the interpreter has a copy
    return_freed_memory()
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
