"""Joins the parts of a converted two-stage detector."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.two_stage.facts import HEADS, MAPS, TwoStage
from pose_onnx.exporters.two_stage.proposals import best_of, inside, picture_size, pool_regions, propose


def join(graph: Graph, facts: TwoStage) -> Graph:
    """Compute the inputs of the later parts from the outputs of the earlier ones.

    Args:
        graph: As paddle2onnx made it.
        facts: Of the detector.

    Returns:
        A graph that takes one picture, and whose outputs are its boxes and scores.
    """
    _take_scalars(graph)
    names = [output.name for output in graph.outputs]
    image = [each for each in graph.inputs if each.name == facts.image]
    joined = Graph([], dict(graph.constants), image, [], opsets=graph.opsets)
    waiting = _Waiting(graph.nodes, {*facts.feeds} - {facts.image})
    joined.nodes += waiting.runnable()
    size = picture_size(Value(joined, facts.image, np.dtype(np.float32)))
    maps, features, moved = _sorted([Value(joined, name, np.dtype(np.float32)) for name in names], facts)
    proposed = [
        propose(level_maps, level, size) for level_maps, level in zip(maps, facts.levels, strict=True)
    ]
    regions = best_of(proposed, facts.proposals)
    given = dict.fromkeys(facts.regions, regions)
    each_size = size.unsqueeze(0).apply("Expand", regions.shape(0).join([1], axis=0))
    given |= dict.fromkeys(facts.sizes, each_size) | dict.fromkeys([facts.size], size.unsqueeze(0))
    for place, pooled in enumerate(facts.pooled):
        boxes = inside(moved[place - 1], size) if place else regions
        given[pooled] = pool_regions(boxes, features, facts)
        for name in filter(None, given):
            given[name].rename(name)
        joined.nodes += waiting.runnable(given)
        given = {}
    joined.outputs = graph.outputs[-HEADS:]
    joined.prune()
    return joined


def _sorted(values: list[Value], facts: TwoStage) -> tuple[list[list[Value]], list[Value], list[Value]]:
    """Return each level's maps, the features, and the moved regions."""
    count = MAPS * len(facts.levels)
    maps = [values[start : start + MAPS] for start in range(0, count, MAPS)]
    return maps, values[count:][: len(facts.pools)], values[count + len(facts.pools) : -HEADS]


def _take_scalars(graph: Graph) -> None:
    """Give every Range scalars: paddle2onnx gives it tensors of one number, which ONNX Runtime refuses."""
    for node in graph.of_type("Range"):
        scalars = [graph.new_name(f"{name}.scalar") for name in node.inputs]
        squeezed = [Node("Squeeze", [name], [new]) for name, new in zip(node.inputs, scalars, strict=True)]
        node.inputs = scalars
        graph.swap(node, [*squeezed, node])


class _Waiting:
    """Nodes of which some wait for inputs of the graph."""

    def __init__(self, nodes: Sequence[Node], missing: set[str]) -> None:
        self._nodes, self._missing = nodes, missing

    def runnable(self, given: Collection[str] = ()) -> list[Node]:
        """Return, in order, the nodes that no longer wait, now that some inputs are given."""
        self._missing = self._missing.difference(given)
        blocked, ready, left = {*self._missing}, list[Node](), list[Node]()
        for node in self._nodes:
            if blocked.intersection(node.inputs):
                blocked.update(node.outputs)
                left.append(node)
            else:
                ready.append(node)
        self._nodes = left
        return ready
