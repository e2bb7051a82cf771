"""The table of operators: ONNX type -> lowering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite import (
    activation,
    conv,
    deform_conv,
    elementwise,
    erf,
    layer_normalization,
    matmul,
    pool,
    reduce,
    resize,
    shape,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder

    Lowering: TypeAlias = Callable[[Node, Builder], None]

LOWERINGS: Final[Mapping[str, Lowering]] = {
    "Abs": elementwise.lower_unary(op.ABS),
    "Add": elementwise.lower_binary(op.ADD),
    "AveragePool": pool.lower_average_pool,
    "BatchNormalization": elementwise.lower_batch_normalization,
    "Cast": shape.lower_identity,
    "Ceil": elementwise.lower_unary(op.CEIL),
    "Clip": activation.lower_clip,
    "Concat": shape.lower_concat,
    "Conv": conv.lower_conv,
    "ConvTranspose": conv.lower_conv_transpose,
    "Cos": elementwise.lower_unary(op.COS),
    "DeformConv": deform_conv.lower_deform_conv,
    "DepthToSpace": shape.lower_depth_to_space,
    "Div": elementwise.lower_binary(op.DIV),
    "Dropout": shape.lower_identity,
    "Elu": activation.lower_elu,
    "Erf": erf.lower_erf,
    "Exp": elementwise.lower_unary(op.EXP),
    "Expand": shape.lower_expand,
    "Flatten": shape.lower_reshape,
    "Floor": elementwise.lower_unary(op.FLOOR),
    "Gather": shape.lower_gather,
    "Gemm": matmul.lower_gemm,
    "GlobalAveragePool": pool.lower_global_average_pool,
    "GlobalMaxPool": pool.lower_global_max_pool,
    "Greater": elementwise.lower_greater,
    "HardSigmoid": activation.lower_hard_sigmoid,
    "HardSwish": elementwise.lower_unary(op.HARD_SWISH),
    "Identity": shape.lower_identity,
    "LayerNormalization": layer_normalization.lower_layer_normalization,
    "LeakyRelu": activation.lower_leaky_relu,
    "Log": elementwise.lower_unary(op.LOG),
    "MatMul": matmul.lower_matmul,
    "Max": elementwise.lower_binary(op.MAXIMUM),
    "MaxPool": pool.lower_max_pool,
    "Min": elementwise.lower_binary(op.MINIMUM),
    "Mul": elementwise.lower_binary(op.MUL),
    "Neg": elementwise.lower_unary(op.NEG),
    "Pad": shape.lower_pad,
    "Pow": elementwise.lower_pow,
    "PRelu": activation.lower_prelu,
    "ReduceMax": reduce.lower_reduce(op.REDUCE_MAX),
    "ReduceMean": reduce.lower_reduce(op.MEAN),
    "ReduceMin": reduce.lower_reduce(op.REDUCE_MIN),
    "ReduceProd": reduce.lower_reduce(op.REDUCE_PROD),
    "ReduceSum": reduce.lower_reduce(op.SUM),
    "Relu": activation.lower_relu,
    "Reshape": shape.lower_reshape,
    "Resize": resize.lower_resize,
    "Sigmoid": elementwise.lower_unary(op.LOGISTIC),
    "Sin": elementwise.lower_unary(op.SIN),
    "Slice": shape.lower_slice,
    "Softmax": activation.lower_softmax,
    "Softplus": activation.lower_softplus,
    "SpaceToDepth": shape.lower_depth_to_space,
    "Split": shape.lower_split,
    "Sqrt": elementwise.lower_unary(op.SQRT),
    "Squeeze": shape.lower_reshape,
    "Sub": elementwise.lower_binary(op.SUB),
    "Sum": elementwise.lower_binary(op.ADD),
    "Tanh": elementwise.lower_unary(op.TANH),
    "Transpose": shape.lower_transpose,
    "Unsqueeze": shape.lower_reshape,
}
