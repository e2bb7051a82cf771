"""The facts that a model file declares, and the limit of the memory that it may need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from pose_onnx.runtimes._protocol import TensorSpec

MAX_TENSOR_BYTES: Final = 2**30
"""The largest tensor that a file may declare; the largest of ours has 2^25 bytes."""
_ITEM_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts that a file declares, read without any engine.

    Attributes:
        inputs: Its inputs, as a runtime describes them: rank 4 is NCHW, None is a free size.
        outputs: Its outputs, described in the same way.
        metadata: Metadata entries, by name.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, bytes]


def demand_size(sizes: Iterable[int | None], what: str, item_bytes: int = _ITEM_BYTES) -> None:
    """Refuse a tensor that needs more memory than any model for people; a free size counts as 1.

    Raises:
        ValueError: The tensor is too large; the message names it.
    """
    known = [1 if size is None else size for size in sizes]
    if prod(known) * item_bytes > MAX_TENSOR_BYTES:
        shown = " x ".join(map(str, known[:8]))
        raise ValueError(
            f"{what} declares {shown} numbers, more than the {MAX_TENSOR_BYTES >> 20} MiB allowed"
        )
