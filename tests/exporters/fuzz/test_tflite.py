"""Random networks through the TFLite lowering; `python -m tests.exporters.fuzz.tflite` tries more."""

from __future__ import annotations

import pytest

from pose_onnx.errors import ExportError
from tests.exporters.fuzz.blocks import BLOCKS, TRANSFORMERS, Blocks
from tests.exporters.fuzz.tflite import check

GRAPHS = 300
CHUNK = 50


@pytest.mark.parametrize("first", range(0, GRAPHS, CHUNK))
def test_every_network_is_lowered_right_or_refused(first: int) -> None:
    refused = sum(_is_refused(seed, BLOCKS) for seed in range(first, first + CHUNK))
    # Reductions over the batch and computed kernels are refused; more would leave too little that is tried.
    assert refused <= 0.2 * CHUNK


@pytest.mark.parametrize("first", range(0, GRAPHS // 3, CHUNK))
def test_every_transformer_is_lowered_right_or_refused(first: int) -> None:
    refused = sum(_is_refused(seed, TRANSFORMERS) for seed in range(first, first + CHUNK))
    assert refused <= 0.2 * CHUNK  # transposes of the batch, as above


def _is_refused(seed: int, table: Blocks) -> bool:
    try:
        check(seed, table)
    except ExportError:
        return True
    return False


@pytest.mark.parametrize("seed", [10837, 13821, 16065, 17144, 18132])
def test_networks_that_failed_once(seed: int) -> None:
    """Found by a long run: a tensor is read again after its reshaped twin was written over."""
    check(seed)
