"""Random networks through the TFLite lowering, against ONNX Runtime as the graph stands.

`python -m tests.exporters.fuzz.tflite [GRAPHS [FIRST_SEED]]` tries many, each in a process with limits.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from pose_onnx.exporters.tflite import convert
from tests.exporters.fuzz.graphs import random_feeds, random_model
from tests.fuzz.child import run_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.float32]]

RESOLVERS: Final = (
    OpResolverType.AUTO,  # XNNPACK, and the plain kernels for what it does not run
    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    OpResolverType.BUILTIN_REF,
)
NUDGE: Final = 2.0**-20
"""Share of every input number by which it is changed, to see how much rounding a network amplifies."""
ROUNDING: Final = 1e-5
"""Error allowed everywhere, as a share of the largest number of an output (or of 1)."""


def check(seed: int) -> None:
    """Lower the random model of a seed and compare what it computes.

    Raises:
        AssertionError: A resolver computes something else than ONNX Runtime.
        ExportError: The lowering refuses the model.
    """
    model = random_model(seed, free_sizes=False)
    content = convert(model)
    feeds = random_feeds(model, seed)
    expected, allowed = _expect(model, feeds, seed)
    for resolver in RESOLVERS:
        for name, got in _run_tflite(content, feeds, resolver).items():
            want = expected[name]
            assert got.shape == want.shape, f"{name} is {got.shape}, not {want.shape}, by {resolver.name}"
            error = float(np.abs(got - want).max(initial=0))
            assert error <= allowed[name], (
                f"{name} is wrong by {error:.2g} (of {allowed[name]:.2g}), by {resolver.name}"
            )


def _expect(model: onnx.ModelProto, feeds: Arrays, seed: int) -> tuple[Arrays, dict[str, float]]:
    """What ONNX Runtime computes, and how far off another engine may be."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    rng = np.random.default_rng(seed)
    nudged = {
        name: feed * (1 + np.float32(NUDGE) * rng.choice(np.array([-1, 1], np.float32), feed.shape))
        for name, feed in feeds.items()
    }
    changed = dict(zip(names, session.run(names, nudged), strict=True))
    allowed = {
        name: ROUNDING * max(1.0, float(np.abs(want).max(initial=0)))
        + 10 * float(np.abs(changed[name] - want).max(initial=0))
        for name, want in expected.items()
    }
    return expected, allowed


def _run_tflite(content: bytes, feeds: Arrays, resolver: OpResolverType) -> dict[str, NDArray[Any]]:
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    signature = interpreter._get_full_signature_list()["serving_default"]
    for name, feed in feeds.items():
        interpreter.resize_tensor_input(signature["inputs"][name], _moved(feed, (0, 2, 3, 1)).shape)
    interpreter.allocate_tensors()
    for name, feed in feeds.items():
        interpreter.set_tensor(signature["inputs"][name], _moved(feed, (0, 2, 3, 1)))
    interpreter.invoke()
    return {
        name: _moved(interpreter.get_tensor(index), (0, 3, 1, 2))
        for name, index in signature["outputs"].items()
    }


def _moved(array: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    return np.ascontiguousarray(array.transpose(order)) if array.ndim == len(order) else array


def read_seed(case: bytes) -> None:
    """`check` for the child process."""
    check(int(case))


def main() -> int:
    """Try many seeds; print what fails, and how many were lowered."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    graphs, first = (*numbers, *(20_000, 0)[len(numbers) :])
    seeds = range(first, first + graphs)
    refused: Counter[str] = Counter()
    failed = 0
    verdicts = run_cases("tests.exporters.fuzz.tflite:read_seed", (str(seed).encode() for seed in seeds))
    for seed, verdict in zip(seeds, verdicts, strict=True):
        if verdict.failure:
            failed += 1
            print(f"seed {seed}: {verdict.failure}", flush=True)  # noqa: T201
        elif verdict.refusal:
            refused[verdict.refusal.partition("(")[2].partition(";")[0]] += 1
    print(f"{graphs} graphs, {refused.total()} refused, {failed} failed")  # noqa: T201
    for reason, count in refused.most_common():
        print(f"{count:6d}  ({reason}")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
