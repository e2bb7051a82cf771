"""Re-parameterisation: the merged convolution computes what the branches did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes import rewrite
from pose_onnx.exporters.passes.merge_branches import MERGE_BRANCHES
from tests.exporters.graphs import graph_of, images, ops, run

# 41 float32 products a value, summed in another order.
ROUNDING = 1e-5


def branches(
    *, kernels: tuple[int, ...] = (3, 1), stride: int = 1, group: int = 1, bias: bool = True
) -> tuple[list[Node], dict[str, NDArray[Any]]]:
    """Convolutions a, b, ... of the image, 4 -> 4 channels."""
    rng = np.random.default_rng(3)
    nodes: list[Node] = []
    constants: dict[str, NDArray[Any]] = {}
    for name, kernel in zip("abc", kernels, strict=False):
        weight = rng.standard_normal((4, 4 // group, kernel, kernel)).astype(np.float32)
        given = {f"{name}.w": weight}
        if bias:
            given[f"{name}.b"] = rng.standard_normal(4).astype(np.float32)
        attributes = {"pads": [kernel // 2] * 4, "strides": [stride] * 2, "group": group}
        nodes.append(Node("Conv", ["image", *given], [name], attributes))
        constants |= given
    return nodes, constants


def check(graph: Graph, expected: list[str]) -> None:
    after = rewrite(graph, [MERGE_BRANCHES])
    assert ops(after) == expected
    image = images(graph, batch=2)
    for before, now in zip(run(graph, image), run(after, image), strict=True):
        np.testing.assert_allclose(now, before, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_two_branches(stride: int, group: int, *, bias: bool) -> None:
    nodes, constants = branches(stride=stride, group=group, bias=bias)
    check(graph_of([*nodes, Node("Add", ["b", "a"], ["y"])], constants), ["Conv"])


def test_a_branch_with_a_factor() -> None:
    nodes, constants = branches()
    constants["alpha"] = np.array([-0.7], np.float32)
    scaled = [Node("Mul", ["alpha", "b"], ["s"]), Node("Add", ["a", "s"], ["y"])]
    check(graph_of([*nodes, *scaled], constants), ["Conv"])


def test_three_branches() -> None:
    nodes, constants = branches(kernels=(3, 1, 5))
    sums = [Node("Add", ["a", "b"], ["s"]), Node("Add", ["s", "c"], ["y"])]
    check(graph_of([*nodes, *sums], constants), ["Conv"])


def test_a_branch_that_others_read_stays() -> None:
    nodes, constants = branches()
    others = [Node("Add", ["a", "b"], ["y"]), Node("Relu", ["b"], ["z"])]
    check(graph_of([*nodes, *others], constants, outputs=("y", "z")), ["Conv", "Conv", "Add", "Relu"])


def test_a_branch_that_is_an_output_stays() -> None:
    nodes, constants = branches()
    graph = graph_of([*nodes, Node("Add", ["a", "b"], ["y"])], constants, outputs=("y", "b"))
    check(graph, ["Conv", "Conv", "Add"])


def test_branches_that_look_elsewhere_stay() -> None:
    nodes, constants = branches()
    shifted = nodes[0].attributes | {"pads": [2, 2, 0, 0]}
    nodes[0] = Node("Conv", nodes[0].inputs, nodes[0].outputs, shifted)
    check(graph_of([*nodes, Node("Add", ["a", "b"], ["y"])], constants), ["Conv", "Conv", "Add"])


def test_convolutions_of_two_inputs_stay() -> None:
    nodes, constants = branches()
    nodes[1] = Node("Conv", ["r", *nodes[1].inputs[1:]], ["b"], nodes[1].attributes)
    graph = graph_of([Node("Relu", ["image"], ["r"]), *nodes, Node("Add", ["a", "b"], ["y"])], constants)
    check(graph, ["Relu", "Conv", "Conv", "Add"])
