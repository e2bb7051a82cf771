"""The interface between the core and the engines: only four members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of one input or output of a model.

    Attributes:
        name: Name by which the tensor is fed or returned.
        shape: Sizes; `None` for a free size. Rank-4 tensors are NCHW, whatever layout the engine uses.
        dtype: NumPy name of the element type; every model of this package has "float32".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"


@runtime_checkable
class Runtime(Protocol):
    """One loaded model. Inputs and outputs are float32 NCHW tensors, passed by name.

    This is a Protocol, not a base class: the core works with any object that has these four members, without
    inheritance. New features become functions beside the protocol, not a fifth member.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that `run` takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that `run` returns."""

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run the model once. Several threads may call it; the engine decides whether they run in parallel.

        Args:
            feeds: One float32 array for each of `inputs`. Never written to.

        Returns:
            One float32 array for each of `outputs`, not shared with the engine's own memory.

        Raises:
            RuntimeFeedError: A name, shape or dtype does not match `inputs`.
            EngineError: The engine failed, or the runtime is closed.
        """

    def close(self) -> None:
        """Release the engine. Calling it twice is allowed."""
