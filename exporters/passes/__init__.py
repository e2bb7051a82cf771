"""Rewrite passes over an ONNX graph: one small file each, run in order by `rewrite`."""

from pose_onnx.exporters.passes._runner import Pass, rewrite
from pose_onnx.exporters.passes.fold_batch_norm import FOLD_BATCH_NORM
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS
from pose_onnx.exporters.passes.freeze_shapes import FREEZE_SHAPES
from pose_onnx.exporters.passes.fuse_hard_swish import FUSE_HARD_SWISH
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.passes.merge_branches import MERGE_BRANCHES
from pose_onnx.exporters.passes.merge_reshapes import MERGE_RESHAPES
from pose_onnx.exporters.passes.remove_no_ops import REMOVE_NO_OPS
from pose_onnx.exporters.passes.spell_out_sigmoid import SPELL_OUT_SIGMOID

SIMPLIFY = (
    INLINE_CONSTANTS,
    FOLD_CONSTANTS,
    FREEZE_SHAPES,
    FUSE_HARD_SWISH,
    FOLD_BATCH_NORM,
    MERGE_BRANCHES,
    REMOVE_NO_OPS,
    MERGE_RESHAPES,
    SPELL_OUT_SIGMOID,
)
"""Plain clean-up after paddle2onnx, in this order."""

__all__ = ["SIMPLIFY", "Pass", "rewrite"]
