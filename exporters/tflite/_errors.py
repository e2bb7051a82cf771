"""The errors of a graph that cannot be lowered to TFLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_onnx.errors import ExportError

if TYPE_CHECKING:
    from pose_onnx.exporters.graph import Node


class UnsupportedOperatorError(ExportError):
    """A node of the ONNX graph has no TFLite counterpart.

    Args:
        node: The node that cannot be lowered.
        reason: What about it is not supported, without a full stop.
    """

    def __init__(self, node: Node, reason: str) -> None:
        name = node.name or node.outputs[0]
        super().__init__(
            f"node {name!r} ({node.op}) cannot be lowered to TFLite: {reason}; "
            "rewrite it in the ONNX graph or add a lowering to pose_onnx.exporters.tflite"
        )
        self.node_name = name
        self.op_type = node.op


class DisparityError(ExportError):
    """A TFLite file differs from its ONNX model because of a bug in the lowering or in TFLite."""
