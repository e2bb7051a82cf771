"""One way to test a lowering: the same small graph through ONNX Runtime and through TFLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import helper, numpy_helper

from pose_onnx.exporters.tflite import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SEED = 20_240
IMAGE_RANK = 4
# XNNPACK runs what it can, TFLite's own kernels the rest, or everything on some platforms: both must agree.
RESOLVERS = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
# Both sides round every one of some hundred float32 operations (6e-8 each), in different orders.
ROUNDING = 5e-6


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int]],
    outputs: Sequence[str],
    constants: Mapping[str, Any],
    opset: int,
) -> onnx.ModelProto:
    """A model whose inputs have a free batch in front of the given shapes."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *shape])
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run_onnx(model: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def run_tflite(
    content: bytes, feeds: Mapping[str, NDArray[Any]], resolver: OpResolverType = OpResolverType.AUTO
) -> dict[str, NDArray[Any]]:
    """Run a file at the batch of the feeds; images are NCHW here and NHWC in the file."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    signature = interpreter._get_full_signature_list()["serving_default"]
    arranged = {signature["inputs"][name]: _permuted(feed, (0, 2, 3, 1)) for name, feed in feeds.items()}
    for index, feed in arranged.items():
        interpreter.resize_tensor_input(index, feed.shape, strict=True)
    interpreter.allocate_tensors()
    for index, feed in arranged.items():
        interpreter.set_tensor(index, feed)
    interpreter.invoke()
    results = {name: interpreter.get_tensor(index) for name, index in signature["outputs"].items()}
    return {name: _permuted(result, (0, 3, 1, 2)) for name, result in results.items()}


def _permuted(array: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    return np.ascontiguousarray(array.transpose(order)) if array.ndim == IMAGE_RANK else array


def list_operators(content: bytes) -> list[tuple[str, int]]:
    """Name and version of every operator of a file, in order."""
    model = schema.ModelT.InitFromPackedBuf(content)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = [(names[code.builtinCode], code.version) for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def lower_and_compare(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int]],
    outputs: Sequence[str] = ("y",),
    *,
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    batches: Sequence[int] = (1, 3),
    tolerance: float = ROUNDING,
    low: float = -2.0,
    high: float = 2.0,
) -> list[str]:
    """Lower a graph, run it at several batches with and without XNNPACK, and compare.

    Args:
        nodes: The graph.
        inputs: Shape of every input, without the batch.
        outputs: Names of the outputs.
        constants: Initializers.
        opset: Operator set of the model.
        batches: Batch sizes to run.
        tolerance: Largest error, in units of the largest expected value or of 1.
        low: Smallest input value.
        high: Largest input value.

    Returns:
        The operators of the file.
    """
    model = make_model(nodes, inputs, outputs, constants or {}, opset)
    content = convert(model)
    rng = np.random.default_rng(SEED)
    for batch in batches:
        feeds = {
            name: rng.uniform(low, high, (batch, *shape)).astype(np.float32) for name, shape in inputs.items()
        }
        expected = run_onnx(model, feeds)
        for resolver in RESOLVERS:
            results = run_tflite(content, feeds, resolver)
            for name, want in expected.items():
                got = results[name]
                assert got.shape == want.shape, (name, resolver)
                bound = tolerance * max(1.0, float(np.abs(want).max(initial=0)))
                assert np.abs(got - want).max(initial=0) <= bound, (name, batch, resolver)
    return [name for name, _ in list_operators(content)]


@pytest.fixture(scope="session")
def compare() -> Callable[..., list[str]]:
    return lower_and_compare


@pytest.fixture(scope="session")
def model_of() -> Callable[..., onnx.ModelProto]:
    return make_model


@pytest.fixture(scope="session")
def operators_of() -> Callable[[bytes], list[tuple[str, int]]]:
    return list_operators


@pytest.fixture(scope="session")
def onnx_result() -> Callable[..., dict[str, NDArray[Any]]]:
    return run_onnx


@pytest.fixture(scope="session")
def tflite_result() -> Callable[..., dict[str, NDArray[Any]]]:
    return run_tflite
