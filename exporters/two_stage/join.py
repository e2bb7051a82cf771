"""Joins the two parts of a converted two-stage detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose_onnx.core.arrays import F32
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, Node, TensorInfo
from pose_onnx.exporters.passes import FIXED_SHAPES, PLAIN_CONSTANTS, rewrite
from pose_onnx.exporters.passes._evaluate import evaluate
from pose_onnx.exporters.two_stage.facts import MAPS, TwoStage
from pose_onnx.exporters.two_stage.proposals import best_of, picture_size, pool_regions, propose

HEADS = 2
"""Boxes and scores, the last outputs of the converted graph."""


def join(graph: Graph, facts: TwoStage, size: tuple[int, int]) -> Graph:
    """Compute the inputs of the second part from the outputs of the first.

    Args:
        graph: As paddle2onnx made it.
        facts: Of the detector.
        size: Height and width of the network's input.

    Returns:
        A graph that takes one picture, and whose outputs are its boxes and scores.
    """
    # Without constants as nodes, every node belongs to one of the parts.
    graph = rewrite(graph, PLAIN_CONSTANTS)
    names = [output.name for output in graph.outputs]
    second = _after(graph, {facts.pooled, facts.regions, facts.sizes})
    first, anchors = _first_part(graph, second, facts, size)
    values = [Value(first, name, np.dtype(np.float32)) for name in names]
    levels = []
    for level, start in zip(facts.levels, range(0, len(names), MAPS), strict=False):
        scores, deltas, place = values[start : start + MAPS]
        levels.append((level, (scores, deltas, scores.constant(anchors[place.name]))))
    picture = picture_size(Value(first, facts.image, np.dtype(np.float32)), size)
    regions = best_of([propose(maps, level, picture) for level, maps in levels], facts.proposals)
    features = values[MAPS * len(levels) : -HEADS]
    regions, pooled = pool_regions(regions, features, facts)
    regions.rename(facts.regions)
    pooled.rename(facts.pooled)
    picture.apply("Expand", regions.shape(0).join([len(size)], axis=0)).rename(facts.sizes)
    first.nodes += second
    first.constants |= graph.constants
    first.outputs = graph.outputs[-HEADS:]
    first.prune()
    return first


def _first_part(
    graph: Graph, second: Sequence[Node], facts: TwoStage, size: tuple[int, int]
) -> tuple[Graph, dict[str, F32]]:
    """Return the part before the regions, for one picture of the given size, and the anchors by name."""
    later = {id(node) for node in second}
    nodes = [node for node in graph.nodes if id(node) not in later]
    (image,) = (each for each in graph.inputs if each.name == facts.image)
    shape = (1, int(image.shape[1]), *size)
    maps = graph.outputs[:-HEADS]
    places = [each.name for each in maps[: MAPS * len(facts.levels)]][MAPS - 1 :: MAPS]
    part = Graph(
        nodes,
        dict(graph.constants),
        [TensorInfo(image.name, image.dtype, shape)],
        [each for each in maps if each.name not in places],
        opsets=graph.opsets,
    )
    anchors = evaluate(part, nodes, places, {image.name: np.zeros(shape, np.float32)})
    part.prune()
    part = rewrite(part, FIXED_SHAPES)
    part.inputs = [replace(part.inputs[0], shape=shape)]
    return part, anchors


def _after(graph: Graph, names: set[str]) -> list[Node]:
    """Return the nodes that need any of these tensors, in order."""
    known, found = set(names), []
    for node in graph.nodes:
        if known.intersection(node.inputs):
            known.update(node.outputs)
            found.append(node)
    return found
