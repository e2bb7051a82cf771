"""Adds sums of several tensors in the cheapest order.

If a convolution is added twice, its weights are doubled. If tensors are resized before they are added, the
smallest is resized to the size of the next one and added to it, and so on, so only one resize to the full
size is left. (Nearest-neighbour resizing by 4 equals resizing twice by 2.) Convolutions come first, so that
an engine can fuse the additions into them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import kernel_of, scale

_RANK: Final = 4
_SCALES: Final = 2  # index of Resize's factors among its inputs
_NEAREST: Final[dict[str, Any]] = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}
"""Output pixel i is input pixel i // factor."""


Factors = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sum:
    """The terms of one chain of additions.

    Attributes:
        last: the addition that computes the result.
        inner: the other additions.
        resized: convolutions whose results are enlarged: each with the number of times it is added, and the
            factors of height and width; largest factors first.
        convs: other convolutions, with the number of times each is added.
        others: all other tensors, repeated as often as they are added.
    """

    last: Node
    inner: tuple[Node, ...]
    resized: tuple[tuple[Node, int, Factors], ...]
    convs: tuple[tuple[Node, int], ...]
    others: tuple[str, ...]

    @property
    def is_merged(self) -> bool:
        """Whether there is nothing to gain."""
        return len(self.resized) <= 1 and all(count == 1 for _, count in self.counts)

    @property
    def counts(self) -> tuple[tuple[Node, int], ...]:
        """All convolutions, with the number of times each is added."""
        return (*self.convs, *((conv, count) for conv, count, _ in self.resized))

    @property
    def is_nested(self) -> bool:
        """Whether every enlargement is a multiple of the next smaller one."""
        steps = pairwise(factors for *_, factors in self.resized)
        return all(large[axis] % small[axis] == 0 for large, small in steps for axis in range(2))


def run(graph: Graph) -> None:
    """See the module."""
    total = _find(graph)
    while total is not None:  # a merged sum may be a term of another: search again
        _rebuild(graph, total)
        total = _find(graph)


def _find(graph: Graph) -> Sum | None:
    """Return a sum that is worth merging, if there is one."""
    for total in _sums(graph):
        if not total.is_merged and total.is_nested:
            return total
    return None


def _rebuild(graph: Graph, total: Sum) -> None:
    name = total.last.outputs[0]
    nodes: list[Node] = []

    def new(op: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(Node(op, inputs, [graph.new_name(f"{name}.{len(nodes)}")], attributes))
        return nodes[-1].outputs[0]

    def enlarged(source: str, factors: Factors) -> str:
        scales = graph.constant(np.array([1, 1, *factors], np.float32), f"{name}.scales")
        return source if factors == (1, 1) else new("Resize", [source, "", scales], **_NEAREST)

    for conv, count in total.counts:
        scale(graph, conv, count)
    terms = [conv.outputs[0] for conv, _ in total.convs]
    if total.resized:
        (largest, _, (height, width)), *smaller = total.resized
        carried = largest.outputs[0]
        for conv, _, (rows, columns) in smaller:
            carried = new("Add", [conv.outputs[0], enlarged(carried, (height // rows, width // columns))])
            height, width = rows, columns
        terms.append(enlarged(carried, (height, width)))
    total_so_far, *rest = [*terms, *total.others]
    for term in rest:
        total_so_far = new("Add", [total_so_far, term])
    last = nodes[-1] if nodes else total.convs[0][0]  # the only term was a convolution
    last.outputs = [name]
    graph.swap(total.last, nodes)
    graph.drop(total.inner)


def _sums(graph: Graph) -> list[Sum]:
    producers, consumers, outputs = graph.producers(), graph.consumers(), graph.output_names()

    def alone(name: str) -> Node | None:
        """Return the node that computes a tensor, if exactly one other node reads it."""
        return producers.get(name) if len(consumers.get(name, ())) == 1 and name not in outputs else None

    def terms(node: Node) -> tuple[list[Node], list[str]]:
        """Return the additions that lead to this one, and their terms."""
        inner: list[Node] = []
        found: list[str] = []
        for name in node.inputs:
            maker = alone(name)
            if maker is None or maker.op != "Add":
                found.append(name)
                continue
            deeper, names = terms(maker)
            inner += [maker, *deeper]
            found += names
        return inner, found

    def sort(last: Node) -> Sum:
        inner, names = terms(last)
        convs: list[tuple[Node, int]] = []
        resized: list[tuple[Node, int, Factors]] = []
        others: list[str] = []
        for name, count in Counter(names).items():
            maker = alone(name)
            factors = _enlargement(graph, maker)
            source = alone(maker.inputs[0]) if maker is not None and factors else None
            if maker is not None and _has_kernel(graph, maker):
                convs.append((maker, count))
            elif source is not None and factors and _has_kernel(graph, source):
                resized.append((source, count, factors))
            else:
                others += [name] * count
        resized.sort(key=lambda one: one[2], reverse=True)
        return Sum(last, tuple(inner), tuple(resized), tuple(convs), tuple(others))

    inner = {id(node) for last in graph.of_type("Add") for node in terms(last)[0]}
    return [sort(last) for last in graph.of_type("Add") if id(last) not in inner]


def _has_kernel(graph: Graph, node: Node) -> bool:
    return node.op == "Conv" and kernel_of(graph, node) is not None


def _enlargement(graph: Graph, node: Node | None) -> Factors | None:
    """Return the factors of height and width of a Resize that repeats pixels; None for other nodes."""
    if node is None or node.op != "Resize" or any(node.attributes.get(k) != v for k, v in _NEAREST.items()):
        return None
    factors = graph.constants.get(node.inputs[_SCALES]) if len(node.inputs) == _SCALES + 1 else None
    if factors is None or factors.size != _RANK or np.any(factors % 1) or np.any(factors[:2] != 1):
        return None
    return (int(factors[2]), int(factors[3])) if factors.max() > 1 else None


MERGE_SUMS = Pass("merge_sums", run)
