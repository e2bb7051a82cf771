"""Rewrite passes over an ONNX graph: one small file each, run in order by `rewrite`."""

from pose_onnx.exporters.passes._runner import Pass, rewrite
from pose_onnx.exporters.passes.flatten_pointwise import FLATTEN_POINTWISE
from pose_onnx.exporters.passes.fold_batch_norm import FOLD_BATCH_NORM
from pose_onnx.exporters.passes.fold_bias import FOLD_BIAS
from pose_onnx.exporters.passes.fold_constants import FOLD_CONSTANTS
from pose_onnx.exporters.passes.fold_orders import FOLD_ORDERS
from pose_onnx.exporters.passes.freeze_shapes import FREEZE_SHAPES
from pose_onnx.exporters.passes.gather_channels import GATHER_CHANNELS
from pose_onnx.exporters.passes.inline_constants import INLINE_CONSTANTS
from pose_onnx.exporters.passes.merge_branches import MERGE_BRANCHES
from pose_onnx.exporters.passes.merge_reshapes import MERGE_RESHAPES
from pose_onnx.exporters.passes.merge_sums import MERGE_SUMS
from pose_onnx.exporters.passes.remove_no_ops import REMOVE_NO_OPS
from pose_onnx.exporters.passes.separate_filter import SEPARATE_FILTER
from pose_onnx.exporters.passes.spell_out_batch_norm import SPELL_OUT_BATCH_NORM
from pose_onnx.exporters.passes.spell_out_sigmoid import SPELL_OUT_SIGMOID
from pose_onnx.exporters.passes.split_convs import SPLIT_CONVS

SIMPLIFY = (
    INLINE_CONSTANTS,
    FOLD_CONSTANTS,
    FREEZE_SHAPES,
    FOLD_BIAS,
    FOLD_BATCH_NORM,
    SPELL_OUT_BATCH_NORM,
    MERGE_BRANCHES,
    REMOVE_NO_OPS,
    MERGE_RESHAPES,
    SEPARATE_FILTER,
    SPLIT_CONVS,
    MERGE_SUMS,
)
"""Run after paddle2onnx, in this order: clean-up passes, then passes that make every runtime faster."""

SIMPLIFY_FREE = tuple(step for step in SIMPLIFY if step is not FREEZE_SHAPES)
"""Instead of `SIMPLIFY` for a two-stage detector, whose sizes depend on the picture."""

FOR_ORT = (SPELL_OUT_SIGMOID, GATHER_CHANNELS, FOLD_ORDERS)
"""Run after `SIMPLIFY` for ONNX files: faster on ONNX Runtime, slower in TFLite (docs/speed-graph.md)."""

FOR_AVX512 = (*FOR_ORT, FLATTEN_POINTWISE)
"""Run instead of `FOR_ORT` for ONNX Runtime on CPUs with AVX-512; slower everywhere else."""

__all__ = [
    "FOR_AVX512",
    "FOR_ORT",
    "SIMPLIFY",
    "SIMPLIFY_FREE",
    "Pass",
    "rewrite",
]
