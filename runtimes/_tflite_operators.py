"""Checks on TFLite operators before an interpreter may open them. Operator codes: TFLite's schema.fbs.

Engines check the rest themselves, but they read or allocate the items below before checking them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pose_onnx.runtimes._flatbuffer import Table

ABSENT: Final = -1
"""Index of an input that is left out."""
_STRIDED_SLICE: Final = 45
# Number of inputs that an operator needs, by code; all others need one. XNNPACK reads them without counting.
# A bias may be missing, except for DEPTHWISE_CONV_2D: XNNPACK always reads it.
_INPUTS_NEEDED: Final[Mapping[int, int]] = MappingProxyType(
    {
        0: 2,  # ADD
        3: 2,  # CONV_2D
        4: 3,  # DEPTHWISE_CONV_2D
        9: 2,  # FULLY_CONNECTED
        18: 2,  # MUL
        23: 2,  # RESIZE_BILINEAR
        34: 2,  # PAD
        36: 2,  # GATHER
        39: 2,  # TRANSPOSE
        40: 2,  # MEAN
        41: 2,  # SUB
        42: 2,  # DIV
        _STRIDED_SLICE: 4,
        49: 2,  # SPLIT
        54: 2,  # PRELU
        55: 2,  # MAXIMUM
        57: 2,  # MINIMUM
        60: 3,  # PADV2
        65: 3,  # SLICE
        67: 3,  # TRANSPOSE_CONV
        69: 2,  # TILE
        74: 2,  # SUM
        94: 2,  # FILL
        97: 2,  # RESIZE_NEAREST_NEIGHBOR
        99: 2,  # SQUARED_DIFFERENCE
        100: 2,  # MIRROR_PAD
        126: 2,  # BATCH_MATMUL
        130: 2,  # BROADCAST_TO
    }
)
# The one input that may be absent, by code: the bias of CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV.
_OPTIONAL_INPUT: Final[Mapping[int, int]] = MappingProxyType({3: 2, 9: 2, 67: 3})
# Options that must be 0, by code: otherwise slices are read and written outside their tensors.
_ZERO_OPTIONS: Final[Mapping[int, Mapping[str, tuple[int, str]]]] = MappingProxyType(
    {_STRIDED_SLICE: {"ellipsis_mask": (2, "i"), "new_axis_mask": (3, "i"), "offset": (5, "B")}}
)


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """The facts that a file declares about a tensor.

    Attributes:
        shape: Its sizes; 1 for free sizes.
        values: Its numbers if they are a few integers; None if they are not, or are computed.
    """

    shape: tuple[int, ...]
    values: tuple[int, ...] | None


def inputs_of(inputs: Sequence[int], code: int) -> list[int]:
    """Return the tensors that an operator reads.

    Raises:
        ValueError: A required input is missing.
    """
    needed = _INPUTS_NEEDED.get(code, 1)
    if len(inputs) < needed:
        raise ValueError(f"an operator of code {code} has {len(inputs)} inputs, but needs {needed}")
    optional = _OPTIONAL_INPUT.get(code)
    return [index for place, index in enumerate(inputs) if index != ABSENT or place != optional]


def check_options(options: Table, code: int) -> None:
    """Refuse options with which engines fail.

    Raises:
        ValueError: An option is refused; the message names it.
    """
    for name, (field, form) in _ZERO_OPTIONS.get(code, {}).items():
        if options.number(field, form):
            raise ValueError(f"an operator of code {code} has {name}, which no model for people needs")


def check_size(inputs: Sequence[TensorFacts], output: TensorFacts, code: int) -> None:
    """Refuse a result whose declared size differs from that given by constants: engines allocate the latter.

    Raises:
        ValueError: The sizes differ.
    """
    if code not in _SIZES:
        return
    place, result = _SIZES[code]
    values = inputs[place].values
    if values is None:
        raise ValueError(f"an operator of code {code} computes the size of its result")
    expected = result(inputs[0].shape, values)
    if expected != output.shape:
        raise ValueError(f"an operator of code {code} gives {expected}, but the file says {output.shape}")


def _padded(shape: tuple[int, ...], pads: tuple[int, ...]) -> tuple[int, ...]:
    pairs = zip(pads[::2], pads[1::2], strict=True)
    return tuple(before + size + after for size, (before, after) in zip(shape, pairs, strict=True))


def _resized(shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:1], *size, *shape[3:])


def _tiled(shape: tuple[int, ...], times: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size * count for size, count in zip(shape, times, strict=True))


def _given(_: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes


_SIZES: Final[Mapping[int, tuple[int, Callable[[tuple[int, ...], tuple[int, ...]], tuple[int, ...]]]]] = (
    MappingProxyType(
        {
            23: (1, _resized),  # RESIZE_BILINEAR
            34: (1, _padded),  # PAD
            60: (1, _padded),  # PADV2
            67: (0, _given),  # TRANSPOSE_CONV
            69: (1, _tiled),  # TILE
            94: (0, _given),  # FILL
            97: (1, _resized),  # RESIZE_NEAREST_NEIGHBOR
            130: (1, _given),  # BROADCAST_TO
        }
    )
)
"""Operators whose result has a size given by a constant: the index of that input, and the size."""
