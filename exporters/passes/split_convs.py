"""Splits a convolution whose result is only split into runs of channels into one convolution for each run.

The number of products is the same, and nothing is copied. Runs must be whole blocks of channels: engines
compute a part of a block at the cost of a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Final

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import change_filters, kernel_of
from pose_onnx.exporters.passes.gather_channels import CHANNELS, channel_counts

BLOCK: Final = 16  # channels


def run(graph: Graph) -> None:
    """See the module."""
    sizes = channel_counts(graph.shapes())
    for split, steps in _found(graph, sizes):
        ends = list(accumulate((sizes[name] for name in split.outputs), initial=0))
        parts = zip(split.outputs, pairwise(ends), strict=True)
        nodes = [node for name, (a, b) in parts for node in _part(graph, steps, name, slice(a, b))]
        graph.swap(split, nodes)
        graph.drop(steps)


def _part(graph: Graph, steps: list[Node], name: str, channels: slice) -> list[Node]:
    """Make the convolution, and the nodes after it, for some of its filters."""
    conv, *rest = steps
    nodes = [Node("Conv", [*conv.inputs], [name], {**conv.attributes})]
    change_filters(graph, nodes[0], lambda array: array[channels], "part")
    for step in rest:
        nodes[-1].outputs = [graph.new_name(f"{name}.{len(nodes)}")]
        nodes.append(Node(step.op, [*nodes[-1].outputs], [name], {**step.attributes}))
    return nodes


def _found(graph: Graph, sizes: Mapping[str, int]) -> list[tuple[Node, list[Node]]]:
    """Return the splits, each with the convolution whose result it splits and the activation between."""
    producers, consumers = graph.producers(), graph.consumers()
    found = []
    for split in graph.of_type("Split"):
        steps, name = list[Node](), split.inputs[0]
        while len(consumers[name]) == 1 and name in producers and name not in graph.output_names():
            steps.insert(0, producers[name])
            name = steps[0].inputs[0]
            if steps[0].op not in ("Relu", "HardSwish"):
                break
        whole = all(sizes.get(name, 1) % BLOCK == 0 for name in split.outputs)
        if whole and _is_plain(graph, steps) and split.attributes.get("axis", 0) == CHANNELS:
            found.append((split, steps))
    return found


def _is_plain(graph: Graph, steps: list[Node]) -> bool:
    """Return whether the first node is a convolution without groups."""
    if not steps or steps[0].op != "Conv" or steps[0].attributes.get("group", 1) != 1:
        return False
    return kernel_of(graph, steps[0]) is not None


SPLIT_CONVS = Pass("split_convs", run)
