"""What random networks are made of: each function appends a few nodes, valid whatever is there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from tests.exporters.fuzz.blocks.channels import (
    concat,
    doubled_concat,
    gate,
    gather,
    shuffle,
    shuffle_unit,
    slices,
    split,
)
from tests.exporters.fuzz.blocks.convolutions import (
    batch_norm,
    branches,
    computed_kernel,
    conv,
    depthwise,
    shrink,
    transposed_conv,
)
from tests.exporters.fuzz.blocks.shapes import flatten, reshape_twice, rows, transpose
from tests.exporters.fuzz.blocks.sizes import pad, pyramid, resize, resize_to
from tests.exporters.fuzz.blocks.transformers import attention, gelu, layer_normalization
from tests.exporters.fuzz.blocks.values import activate, add, hard_swish, one_input, scores, with_constant
from tests.exporters.fuzz.net import Net

Blocks = Mapping[Callable[[Net], Any], int]

BLOCKS: Final[Blocks] = MappingProxyType(
    {
        conv: 8,
        depthwise: 3,
        shrink: 3,
        computed_kernel: 1,
        transposed_conv: 1,
        batch_norm: 3,
        activate: 8,
        hard_swish: 1,
        scores: 1,
        add: 6,
        one_input: 1,
        with_constant: 4,
        gate: 3,
        concat: 5,
        doubled_concat: 1,
        split: 4,
        slices: 1,
        gather: 3,
        shuffle: 4,
        shuffle_unit: 4,
        resize: 3,
        resize_to: 1,
        pyramid: 3,
        branches: 2,
        pad: 2,
        transpose: 2,
        rows: 2,
        flatten: 1,
        reshape_twice: 1,
    }
)
"""The blocks of convolutional networks, and how often each is taken."""

TRANSFORMERS: Final[Blocks] = MappingProxyType(
    {
        conv: 2,
        shrink: 2,
        rows: 2,
        transpose: 1,
        activate: 1,
        with_constant: 2,
        layer_normalization: 4,
        gelu: 4,
        attention: 4,
    }
)
"""Those of transformers, of their own, so that seeds of the other table stay the networks that they were."""
