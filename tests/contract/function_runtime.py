"""A backend as a third party would write it: one class in its own package, registered by an entry point.

Its "engine" is NumPy, its model files are `.npz` archives with the weights `w` (O, I, 3, 3) and `b` (O,) of
the contract's little network. The tests install it as a real distribution.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pose_onnx import EngineError, ModelFileError
from pose_onnx.runtimes import Tensor, TensorSpec, check_feeds


class FunctionRuntime:
    """Four members, no base class."""

    def __init__(self, path: Path, *, threads: int) -> None:
        del threads  # NumPy's loops take none
        try:
            with np.load(path) as weights:
                self._weights, self._bias = weights["w"], weights["b"]
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFileError(
                f"{str(path)!r} is not an archive of weights ({error}); give another"
            ) from error
        self._is_open = True

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("image", (None, 3, 8, 6)),)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("heatmaps", (None, 4, 4, 3)), TensorSpec("boxes", (None, 12, 4)))

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        if not self._is_open:
            raise EngineError("this runtime is closed; open the model again")
        check_feeds(feeds, self.inputs)
        return little_network(feeds["image"], self._weights, self._bias)

    def close(self) -> None:
        self._is_open = False


def little_network(image: Tensor, weights: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Convolve 3x3 with stride 2 and padding 1, cut off at 0; `boxes` are the same numbers, channels last."""
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    summed = np.einsum("nihwyx,oiyx->nohw", windows, weights) + bias[:, None, None]
    heatmaps = np.maximum(summed, 0).astype(np.float32)
    boxes = heatmaps.transpose(0, 2, 3, 1).reshape(len(image), -1, 4)
    return {"heatmaps": heatmaps, "boxes": boxes.copy()}  # a reshape may be a view
