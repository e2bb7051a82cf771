"""Replaces splitting, concatenating and interleaving of channels by one Gather.

These nodes only move channels (as in the shuffle of ShuffleNet, arXiv 1707.01083), so for every channel that
a convolution reads, the tensor from which it comes is known. It is gathered directly from there. Channels
from one tensor keep their order; if they come from several, a last Gather puts them in the right order, and
`fold_orders` removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Final

import numpy as np

from pose_onnx.exporters.graph import Graph, Node, Shape
from pose_onnx.exporters.passes._runner import Pass

Origin = list[tuple[str, int]]
"""For every channel of a tensor, the tensor from which it comes and its index there."""
CHANNELS: Final = 1  # axis of an image (N, C, H, W)
_IMAGE_RANK: Final = 4
_INTERLEAVE: Final = [0, 2, 1, 3, 4]  # permutation of (N, groups, channels of each, H, W)


def run(graph: Graph) -> None:
    """See the module."""
    shapes = graph.shapes()
    if shuffles := _shuffles(graph, shapes):
        _Gatherer(graph, shuffles, channel_counts(shapes)).run()


class _Gatherer:
    """Goes through the graph in order and rebuilds its list of nodes."""

    def __init__(self, graph: Graph, shuffles: Mapping[int, _Shuffle], sizes: Mapping[str, int]) -> None:
        self._graph = graph
        self._nodes: list[Node] = []
        self._shuffles = shuffles
        self._inner = {id(node) for shuffle in shuffles.values() for node in shuffle.inner}
        self._sizes = sizes
        self._origins: dict[str, Origin] = {}

    def run(self) -> None:
        outputs = self._graph.output_names()
        for node in self._graph.nodes:
            if id(node) in self._inner:
                continue
            moves = _MOVES.get(node.op)
            moved = moves(self, node) if moves else {}
            self._origins |= moved
            for name in node.inputs if not moved else sorted(outputs.intersection(moved)):
                self._gather(name)
            if not moved:
                self._nodes.append(node)
        self._graph.nodes = self._nodes

    def _origin(self, name: str) -> Origin:
        return self._origins.get(name) or [(name, i) for i in range(self._sizes[name])]

    def _gather(self, name: str) -> None:
        """Write nodes that compute a moved tensor, unless they exist already."""
        origin = self._origins.pop(name, None)
        if origin is None:
            return
        sources = list(dict.fromkeys(source for source, _ in origin))
        if len(sources) == 1:
            self._pick(sources[0], [place for _, place in origin], name)
            return
        pieces = [(source, sorted({place for s, place in origin if s == source})) for source in sources]
        names = [self._piece(source, places) for source, places in pieces]
        joined = [(source, place) for source, places in pieces for place in places]
        in_order = joined == origin
        whole = name if in_order else self._graph.new_name(f"{name}.joined")
        self._nodes.append(Node("Concat", names, [whole], {"axis": CHANNELS}))
        if not in_order:
            places = {channel: i for i, channel in enumerate(joined)}
            self._pick(whole, [places[channel] for channel in origin], name)

    def _piece(self, source: str, places: list[int]) -> str:
        if len(places) == self._sizes[source]:
            return source
        name = self._graph.new_name(f"{source}.{places[0]}")
        self._pick(source, places, name)
        return name

    def _pick(self, source: str, places: list[int], name: str) -> None:
        indices = self._graph.constant(np.array(places, np.int64), f"{name}.channels")
        self._nodes.append(Node("Gather", [source, indices], [name], {"axis": CHANNELS}))

    # ---- operators that move channels; each returns the origins of its outputs, or nothing if it does not --

    def shuffle(self, node: Node) -> dict[str, Origin]:
        """Interleave groups."""
        if id(node) not in self._shuffles:
            return {}
        shuffle = self._shuffles[id(node)]
        origin = self._origin(shuffle.source)
        order = np.arange(len(origin)).reshape(shuffle.groups, -1).T.reshape(-1)
        return {node.outputs[0]: [origin[i] for i in order]}

    def split(self, node: Node) -> dict[str, Origin]:
        """Split into runs of channels."""
        known = self._sizes.keys() >= {node.inputs[0], *node.outputs}
        if node.attributes.get("axis", 0) != CHANNELS or not known:
            return {}
        origin, ends = self._origin(node.inputs[0]), np.cumsum([self._sizes[name] for name in node.outputs])
        starts = [0, *ends[:-1]]
        return {n: origin[a:b] for n, a, b in zip(node.outputs, starts, ends, strict=True)}

    def concat(self, node: Node) -> dict[str, Origin]:
        """Concatenate."""
        if node.attributes["axis"] != CHANNELS or not self._sizes.keys() >= set(node.inputs):
            return {}
        return {node.outputs[0]: [channel for name in node.inputs for channel in self._origin(name)]}


_MOVES: Final[Mapping[str, Callable[[_Gatherer, Node], dict[str, Origin]]]] = MappingProxyType(
    {"Reshape": _Gatherer.shuffle, "Split": _Gatherer.split, "Concat": _Gatherer.concat}
)


def channel_counts(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Return the number of channels of every image tensor for which it is known."""
    images = {name: shape[CHANNELS] for name, shape in shapes.items() if len(shape) == _IMAGE_RANK}
    return {name: channels for name, channels in images.items() if isinstance(channels, int)}


@dataclass(frozen=True, slots=True)
class _Shuffle:
    """The tensor that is shuffled, the number of groups, and all nodes of the shuffle except the last."""

    source: str
    groups: int
    inner: tuple[Node, Node]


def _shuffles(graph: Graph, shapes: Mapping[str, Shape]) -> dict[int, _Shuffle]:
    """Return every shuffle by the `id` of its last node."""
    producers, consumers = graph.producers(), graph.consumers()
    sizes, outputs = channel_counts(shapes), graph.output_names()
    found = {}
    for last in graph.of_type("Reshape"):
        middle = producers.get(last.inputs[0])
        first = producers.get(middle.inputs[0]) if middle and middle.op == "Transpose" else None
        if middle is None or first is None or first.op != "Reshape" or first.inputs[0] not in sizes:
            continue
        inner = first.outputs[0], middle.outputs[0]
        alone = all(len(consumers[name]) == 1 for name in inner) and not outputs.intersection(inner)
        before, grouped, after = (
            shapes.get(name, ()) for name in (first.inputs[0], inner[0], last.outputs[0])
        )
        interleaved = middle.attributes.get("perm") == _INTERLEAVE
        if alone and interleaved and _regroups(before, grouped) and after[CHANNELS:] == before[CHANNELS:]:
            found[id(last)] = _Shuffle(first.inputs[0], int(grouped[1]), (first, middle))
    return found


def _regroups(image: Shape, grouped: Shape) -> bool:
    """Return whether only the channels are split: (N, C, H, W) -> (N, groups, C / groups, H, W)."""
    parts = [size for size in grouped[1:3] if isinstance(size, int)]
    whole = len(grouped) == len(_INTERLEAVE) and len(parts) == 2  # noqa: PLR2004 (groups, channels of each)
    return whole and prod(parts) == image[CHANNELS] and grouped[3:] == image[2:]


GATHER_CHANNELS = Pass("gather_channels", run)
