"""A concatenation that is added to itself is made of doubled parts.

The weights of a convolution that makes a part are doubled, which costs nothing (and is exact); only the other
parts are added to themselves.
"""

from __future__ import annotations

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import scale


def run(graph: Graph) -> None:
    """See the module."""
    for add, concat in _found(graph):
        parts = [_doubled(graph, name, i, add) for i, name in enumerate(concat.inputs)]
        add.op, add.inputs, add.attributes = "Concat", parts, dict(concat.attributes)
        graph.drop([concat])


def _doubled(graph: Graph, name: str, number: int, add: Node) -> str:
    conv = _own_conv(graph, name)
    if conv is not None:
        scale(graph, conv, 2)
        return name
    twice = f"{add.outputs[0]}.part{number}"
    graph.swap(add, [Node("Add", [name, name], [twice]), add])
    return twice


def _own_conv(graph: Graph, name: str) -> Node | None:
    """The convolution behind a tensor that nothing else depends on; rectifying may come after doubling."""
    producers, consumers = graph.producers(), graph.consumers()
    while len(consumers[name]) == 1 and name in producers and name not in graph.output_names():
        node = producers[name]
        if node.op != "Relu":
            return node if node.op == "Conv" else None
        name = node.inputs[0]
    return None


def _found(graph: Graph) -> list[tuple[Node, Node]]:
    producers, consumers = graph.producers(), graph.consumers()
    twice = [add for add in graph.of_type("Add") if len(set(add.inputs)) == 1]
    pairs = [(add, producers.get(add.inputs[0])) for add in twice]
    return [
        (add, concat)
        for add, concat in pairs
        if concat is not None and concat.op == "Concat" and len(consumers[concat.outputs[0]]) == 1
    ]


def none_left(graph: Graph) -> str:
    """Check that no such addition is left."""
    left = [add.name for add, _ in _found(graph)]
    return f"concatenations added to themselves: {left}" if left else ""


DOUBLE_PARTS = Pass("double_parts", run, ensures=none_left)
