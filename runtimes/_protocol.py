"""The seam between the core and the engines: four members, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of one tensor at the border of a model.

    Attributes:
        name: Name by which the tensor is fed or returned.
        shape: Sizes, `None` where the size is free. Rank-4 tensors are NCHW, whatever the engine prefers.
        dtype: NumPy name of the element type; every model of this package has "float32".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"


@runtime_checkable
class Runtime(Protocol):
    """One loaded model. Tensors are float32, NCHW and go in and out by name.

    A Protocol, not a base class: any object with these four members runs the core, without inheriting
    anything. A new wish is a function beside the protocol, not a fifth member.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `run` must be fed."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `run` returns."""

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run the model once. Several threads may call it; whether they run at once is the engine's affair.

        Args:
            feeds: One float32 array for each of `inputs`. Never written to.

        Returns:
            One float32 array for each of `outputs`, not shared with the engine's own memory.

        Raises:
            RuntimeFeedError: A name, shape or dtype is not as in `inputs`.
            EngineError: The engine failed, or the runtime is closed.
        """

    def close(self) -> None:
        """Release the engine. May be called twice."""
