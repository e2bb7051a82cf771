"""The TFLite operators that are written, each in its lowest version that is sufficient.

Old interpreters know only old versions and refuse newer ones. The version depends on the rank only if the
inputs differ in shape, because that is how TFLite's kernels were extended. Versions, and the first release
that knows each, are from TensorFlow (lite/tools/versioning).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ai_edge_litert import schema_py_generated as schema

_Builtin: Final = schema.BuiltinOperator


class Version(NamedTuple):
    """One version of an operator.

    Attributes:
        number: The version.
        since: First TFLite release that knows it.
        max_rank: Highest rank of an input that it supports.
    """

    number: int
    since: str
    max_rank: int


@dataclass(frozen=True, slots=True)
class Operator:
    """A builtin TFLite operator.

    Attributes:
        code: Its number in the schema.
        versions: The versions used, lowest first.
        options: Name of its options table in the schema, or None.
        fuses: Whether it can apply an activation to its result. That its options have such a field is not
            enough: XNNPACK ignores that of CONCATENATION, and the plain kernels refuse it.
    """

    code: int
    versions: tuple[Version, ...]
    options: str | None = None
    fuses: bool = False

    def version(self, rank: int) -> Version:
        """Return the lowest version for inputs of this rank."""
        return next(version for version in self.versions if rank <= version.max_rank)

    def make_options(self, **values: Any) -> Any:
        """Return the options table with these values, or None for an operator without options."""
        return None if self.options is None else getattr(schema, f"{self.options}T")(**values)

    @property
    def options_type(self) -> int:
        """Number of the options table in the schema's union."""
        return int(getattr(schema.BuiltinOptions, self.options or "NONE"))


_MAX_RANK: Final = 6
_SMALL_RANK: Final = 4


def _operator(
    name: str, since: str, options: str | None = None, *, number: int = 1, fuses: bool = False
) -> Operator:
    return Operator(getattr(_Builtin, name), (Version(number, since, _MAX_RANK),), options, fuses)


def _ranked(name: str, since: str, options: str | None, *high_rank: Version, fuses: bool = False) -> Operator:
    return Operator(getattr(_Builtin, name), (Version(1, since, _SMALL_RANK), *high_rank), options, fuses)


CONV_2D: Final = _operator("CONV_2D", "1.5.0", "Conv2DOptions", fuses=True)
CONV_2D_GROUPED: Final = _operator("CONV_2D", "2.9.0", "Conv2DOptions", number=6, fuses=True)
DEPTHWISE_CONV_2D: Final = _operator("DEPTHWISE_CONV_2D", "1.5.0", "DepthwiseConv2DOptions", fuses=True)
DEPTHWISE_CONV_2D_DILATED: Final = _operator(
    "DEPTHWISE_CONV_2D", "1.12.0", "DepthwiseConv2DOptions", number=2, fuses=True
)
FULLY_CONNECTED: Final = _operator("FULLY_CONNECTED", "1.5.0", "FullyConnectedOptions", fuses=True)
BATCH_MATMUL: Final = _operator("BATCH_MATMUL", "2.3.0", "BatchMatMulOptions")
AVERAGE_POOL_2D: Final = _operator("AVERAGE_POOL_2D", "1.5.0", "Pool2DOptions", fuses=True)
MAX_POOL_2D: Final = _operator("MAX_POOL_2D", "1.5.0", "Pool2DOptions", fuses=True)
RESIZE_BILINEAR: Final = _operator("RESIZE_BILINEAR", "1.7.0", "ResizeBilinearOptions")
RESIZE_BILINEAR_HALF_PIXEL: Final = _operator("RESIZE_BILINEAR", "2.2.0", "ResizeBilinearOptions", number=3)
RESIZE_NEAREST: Final = _operator("RESIZE_NEAREST_NEIGHBOR", "1.13.1", "ResizeNearestNeighborOptions")
RESIZE_NEAREST_CENTRED: Final = _operator(
    "RESIZE_NEAREST_NEIGHBOR", "2.3.0", "ResizeNearestNeighborOptions", number=3
)

RESHAPE: Final = _operator("RESHAPE", "1.5.0", "ReshapeOptions")
TRANSPOSE: Final = _ranked(
    "TRANSPOSE", "1.6.0", "TransposeOptions", Version(4, "2.3.0", 5), Version(6, "2.12.0", _MAX_RANK)
)
CONCATENATION: Final = _operator("CONCATENATION", "1.5.0", "ConcatenationOptions")
STRIDED_SLICE: Final = _ranked("STRIDED_SLICE", "1.6.0", "StridedSliceOptions", Version(4, "2.2.0", 5))
GATHER: Final = _operator("GATHER", "1.6.0", "GatherOptions")
GATHER_BATCHED: Final = _operator("GATHER", "2.5.0", "GatherOptions", number=5)
CAST: Final = _operator("CAST", "1.5.0", "CastOptions")
PAD: Final = _ranked("PAD", "1.5.0", "PadOptions", Version(4, "2.6.0", 5))
PADV2: Final = _ranked("PADV2", "1.9.0", "PadV2Options", Version(4, "2.6.0", 5))
MIRROR_PAD: Final = _operator("MIRROR_PAD", "1.13.1", "MirrorPadOptions")

ADD: Final = _operator("ADD", "1.5.0", "AddOptions", fuses=True)
SUB: Final = _ranked("SUB", "1.6.0", "SubOptions", Version(3, "2.3.0", _MAX_RANK), fuses=True)
MUL: Final = _operator("MUL", "1.5.0", "MulOptions", fuses=True)
DIV: Final = _ranked("DIV", "1.6.0", "DivOptions", Version(2, "2.3.0", _MAX_RANK), fuses=True)
MAXIMUM: Final = _ranked("MAXIMUM", "1.14.0", "MaximumMinimumOptions", Version(3, "2.3.0", _MAX_RANK))
MINIMUM: Final = _ranked("MINIMUM", "1.14.0", "MaximumMinimumOptions", Version(3, "2.3.0", _MAX_RANK))
POW: Final = _operator("POW", "1.10.0", "PowOptions")

ABS: Final = _operator("ABS", "1.13.0", "AbsOptions")
CEIL: Final = _operator("CEIL", "1.14.0")
COS: Final = _operator("COS", "1.14.0", "CosOptions")
ELU: Final = _operator("ELU", "1.14.0")
EXP: Final = _operator("EXP", "1.7.0", "ExpOptions")
FLOOR: Final = _operator("FLOOR", "1.9.0")
HARD_SWISH: Final = _operator("HARD_SWISH", "1.15.0", "HardSwishOptions")
LEAKY_RELU: Final = _operator("LEAKY_RELU", "1.13.1", "LeakyReluOptions")
LOG: Final = _operator("LOG", "1.14.0")
LOGISTIC: Final = _operator("LOGISTIC", "1.14.0")
NEG: Final = _operator("NEG", "1.9.0", "NegOptions")
PRELU: Final = _operator("PRELU", "1.8.0")
RELU: Final = _operator("RELU", "1.5.0")
RELU6: Final = _operator("RELU6", "1.5.0")
RELU_N1_TO_1: Final = _operator("RELU_N1_TO_1", "1.5.0")
SIN: Final = _operator("SIN", "1.9.0")
SOFTMAX: Final = _operator("SOFTMAX", "1.5.0", "SoftmaxOptions")
SQRT: Final = _operator("SQRT", "1.10.0")
SQUARE: Final = _operator("SQUARE", "1.12.0", "SquareOptions")
TANH: Final = _operator("TANH", "1.14.0")

MEAN: Final = _operator("MEAN", "1.6.0", "ReducerOptions")
SUM: Final = _operator("SUM", "1.10.0", "ReducerOptions")
REDUCE_MAX: Final = _operator("REDUCE_MAX", "1.11.0", "ReducerOptions")
REDUCE_MIN: Final = _operator("REDUCE_MIN", "1.11.0", "ReducerOptions")
REDUCE_PROD: Final = _operator("REDUCE_PROD", "1.11.0", "ReducerOptions")

DEQUANTIZE_FLOAT16: Final = _operator("DEQUANTIZE", "1.15.0", "DequantizeOptions", number=3)
