"""Removes nodes that reorder channels, by permuting the weights of the convolutions around them.

A tensor then has a *layout*: stored channel p is true channel layout[p]. Convolutions and channel-wise
operators accept any layout. An addition makes one of its operands follow the other, back to the convolution
that computes it. A Gather picks channels from their new places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.exporters.graph import Graph, Node
from pose_onnx.exporters.passes._runner import Pass
from pose_onnx.exporters.passes._weights import change_filters, is_depthwise, kernel_of
from pose_onnx.exporters.passes.gather_channels import CHANNELS, channel_counts

Layout = NDArray[np.int64]
_BY_CHANNEL: Final = frozenset(
    {"Relu", "HardSwish", "HardSigmoid", "Sigmoid", "Resize", "MaxPool", "AveragePool", "GlobalAveragePool"}
)
"""Operators whose result has the layout of their first input."""
_TOGETHER: Final = frozenset({"Add", "Mul"})


def run(graph: Graph) -> None:
    """See the module."""
    sizes = channel_counts(graph.shapes())
    if reorderings := _reorderings(graph, sizes):
        _Folder(graph, reorderings, sizes).run()


class _Folder:
    """Goes through the graph in order and rebuilds its list of nodes.

    `layouts` has the layouts of tensors that are not in true order. `aliases` maps tensors that are no longer
    computed to those that are read instead. `ordered` maps tensors to their copies in true order.
    """

    def __init__(self, graph: Graph, reorderings: Sequence[Node], sizes: Mapping[str, int]) -> None:
        self._graph = graph
        self._nodes: list[Node] = []
        self._reorderings = {id(node) for node in reorderings}
        self._sizes = sizes
        self._consumers = graph.consumers()
        self._makers: dict[str, Node] = {}
        self._layouts: dict[str, Layout] = {}
        self._aliases: dict[str, str] = {}
        self._ordered: dict[str, str] = {}

    def run(self) -> None:
        for node in self._graph.nodes:
            if any(name in self._layouts for name in node.inputs) or id(node) in self._reorderings:
                adapt = _ADAPTERS.get(node.op)
                if adapt is None or not adapt(self, node):
                    node.inputs = [self._true(name) for name in node.inputs]
            if node.outputs[0] not in self._aliases:
                self._write(node)
        self._graph.nodes = self._nodes
        for name in sorted(self._graph.output_names() & self._layouts.keys()):
            self._restore(name)

    def _layout(self, name: str) -> Layout:
        return self._layouts.get(name, np.arange(self._sizes[name]))

    def _write(self, node: Node) -> None:
        node.inputs = [self._aliases.get(name, name) for name in node.inputs]
        self._nodes.append(node)
        self._makers |= dict.fromkeys(node.outputs, node)

    def _true(self, name: str) -> str:
        """Return the name of a tensor that has the same channels in true order."""
        if name not in self._layouts:
            return name
        if name not in self._ordered:
            self._ordered[name] = self._graph.new_name(f"{name}.in_order")
            order = np.argsort(self._layouts[name])
            self._write(self._pick(self._aliases.get(name, name), order, self._ordered[name]))
        return self._ordered[name]

    def _restore(self, output: str) -> None:
        stored = self._aliases.get(output) or self._graph.new_name(f"{output}.stored")
        if output not in self._aliases:
            maker = self._makers[output]
            maker.outputs = [stored if name == output else name for name in maker.outputs]
            self._graph.rename({output: stored})
        self._graph.nodes.append(self._pick(stored, np.argsort(self._layouts[output]), output))

    def _pick(self, source: str, channels: Layout, name: str) -> Node:
        indices = self._graph.constant(channels, f"{name}.channels")
        return Node("Gather", [source, indices], [name], {"axis": CHANNELS})

    def _permute(self, name: str, order: Layout, axis: int) -> str:
        """Return the name of a constant whose `axis` is permuted."""
        return self._graph.constant(np.take(self._graph.constants[name], order, axis), f"{name}.ordered")

    # ---- operators; each returns whether it supports the layouts of its inputs ---------------------------

    def gather(self, node: Node) -> bool:
        """Pick channels from where they are stored; remove a node that only reorders them."""
        wanted = _picked(self._graph, node)
        if wanted is None:
            return False
        source = node.inputs[0]
        stored = self._layout(source)
        if id(node) not in self._reorderings:
            node.inputs[1] = self._graph.constant(np.argsort(stored)[wanted], f"{node.outputs[0]}.channels")
            return True
        self._layouts[node.outputs[0]] = np.argsort(wanted)[stored]
        self._aliases[node.outputs[0]] = self._aliases.get(source, source)
        return True

    def concat(self, node: Node) -> bool:
        """Concatenate the layouts."""
        if node.attributes["axis"] != CHANNELS or not self._sizes.keys() >= set(node.inputs):
            return False
        starts = np.cumsum([0, *(self._sizes[name] for name in node.inputs)])
        layouts = [start + self._layout(n) for start, n in zip(starts, node.inputs, strict=False)]
        self._layouts[node.outputs[0]] = np.concatenate(layouts)
        return True

    def conv(self, node: Node) -> bool:
        """Permute the weights."""
        layout = self._layouts.get(node.inputs[0])
        if layout is None or kernel_of(self._graph, node) is None:
            return False
        if node.attributes.get("group", 1) == 1:
            node.inputs[1] = self._permute(node.inputs[1], layout, 1)
            return True
        if not is_depthwise(self._graph, node):
            return False
        self._permute_filters(node, layout)
        self._layouts[node.outputs[0]] = layout
        return True

    def follow(self, node: Node) -> bool:
        """Give the output the layout of the input."""
        if not self._keeps_channels(node):
            return False
        self._layouts[node.outputs[0]] = self._layouts[node.inputs[0]]
        return True

    def _keeps_channels(self, node: Node) -> bool:
        before, *after = (self._sizes.get(name, 0) for name in (node.inputs[0], *node.outputs))
        return before > 0 and after == [before]

    def together(self, node: Node) -> bool:
        """Give one operand the layout of the other."""
        first, second = node.inputs
        for leader, other, place in ((first, second, 1), (second, first, 0)):
            layout = self._layouts.get(leader)
            # The result must be an image with the leader's channels: otherwise the leader is broadcast.
            whole = layout is not None and self._sizes.get(node.outputs[0]) == len(layout)
            if layout is not None and whole and self._follows(node, other, place, layout):
                self._layouts[node.outputs[0]] = layout
                return True
        return False

    def _follows(self, node: Node, other: str, place: int, layout: Layout) -> bool:
        array = self._graph.constants.get(other)
        if array is not None:
            if array.ndim > 2 and array.shape[-3] != 1:  # noqa: PLR2004 (it has a channel axis)
                node.inputs[place] = self._permute(other, layout, -3)
            return True
        if self._sizes.get(other) == 1:  # the same for all channels
            return True
        if other in self._layouts and np.array_equal(self._layouts[other], layout):
            return True
        if self._sizes.get(other) != len(layout) or not self._can_pull(other):
            return False
        self._pull(other, layout)
        return True

    # ---- going back ------------------------------------------------------------------------------------

    def _can_pull(self, name: str) -> bool:
        maker = self._makers.get(name)
        # Nodes that were already made for this tensor's layout would be wrong with another one.
        read = (
            len(self._consumers.get(name, ())) > 1 or name in self._aliases.values() or name in self._ordered
        )
        if maker is None or read or name in self._graph.output_names():
            return False
        if maker.op == "Conv":
            if kernel_of(self._graph, maker) is None:
                return False
            depthwise = is_depthwise(self._graph, maker) and self._can_pull(maker.inputs[0])
            return depthwise or maker.attributes.get("group", 1) == 1
        if maker.op in _TOGETHER:
            whole = all(self._sizes.get(operand) == self._sizes[name] for operand in maker.inputs)
            return whole and len(set(maker.inputs)) > 1 and all(map(self._can_pull, maker.inputs))
        return maker.op in _BY_CHANNEL and self._keeps_channels(maker) and self._can_pull(maker.inputs[0])

    def _pull(self, name: str, layout: Layout) -> None:
        maker = self._makers[name]
        if maker.op == "Conv":
            # The current place of each channel of the new layout.
            self._permute_filters(maker, np.argsort(self._layout(name))[layout])
        if maker.op in _TOGETHER:
            for operand in maker.inputs:
                self._pull(operand, layout)
        elif maker.op in _BY_CHANNEL or is_depthwise(self._graph, maker):
            self._pull(maker.inputs[0], layout)
        self._layouts[name] = layout

    def _permute_filters(self, conv: Node, order: Layout) -> None:
        change_filters(self._graph, conv, lambda array: array[order], "ordered")


_ADAPTERS: Final[Mapping[str, Callable[[_Folder, Node], bool]]] = MappingProxyType(
    {
        "Gather": _Folder.gather,
        "Concat": _Folder.concat,
        "Conv": _Folder.conv,
        **dict.fromkeys(_BY_CHANNEL, _Folder.follow),
        **dict.fromkeys(_TOGETHER, _Folder.together),
    }
)


def _reorderings(graph: Graph, sizes: Mapping[str, int]) -> list[Node]:
    """Return the nodes that reorder all channels of a tensor."""
    return [
        node
        for node in graph.of_type("Gather")
        if (picked := _picked(graph, node)) is not None
        and np.array_equal(np.sort(picked), np.arange(sizes.get(node.inputs[0], 0)))
    ]


def _picked(graph: Graph, node: Node) -> Layout | None:
    """Return the channels that a node picks; None if it does something else."""
    indices = graph.constants.get(node.inputs[1])
    on_channels = node.attributes.get("axis", 0) == CHANNELS and indices is not None and indices.ndim == 1
    return indices if on_channels else None


FOLD_ORDERS = Pass("fold_orders", run)
