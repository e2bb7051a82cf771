"""The protocol of the exporters' object for a kind of output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.arrays import F32, Image

if TYPE_CHECKING:
    from pose_onnx.evaluation import Dataset
    from pose_onnx.exporters.end_to_end._values import Value
    from pose_onnx.exporters.graph import Graph

Shape = tuple[int | str, ...]
"""Sizes of a tensor's axes; a free size is a string."""
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Heads:
    """The outputs of a Paddle program to keep.

    Attributes:
        form: What they are; each kind of output has its own forms.
        names: Names of the tensors, in the order that the form defines.
        class_first: Whether scores are (N, C, A) instead of (N, A, C).
    """

    form: str
    names: tuple[str, ...]
    class_first: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of an end-to-end file and of the core.

    Attributes:
        found: Results of the file, by name.
        expected: Results of the core, by name.
        bars: Largest absolute differences allowed, by name.
    """

    found: Arrays
    expected: Arrays
    bars: Mapping[str, float]


class FixedRows:
    """Members of an `OutputExport` whose tensors have the same number of rows for every picture."""

    free = False

    def match(self, expected: Arrays, found: Arrays) -> tuple[Arrays, Arrays]:
        """See `OutputExport`."""
        return expected, found


class OutputExport(Protocol):
    """How a kind of output is recognised in a Paddle program, written, compared and judged.

    Attributes:
        bars: Largest difference allowed between engines, by precision and tensor. A precision without bars is
            also measured, but judged by its average precision.
        sample: What calibration inputs are, for messages: "photos".
        meanings: What the tensors of an end-to-end file mean, by name.
        free: Whether the number of rows depends on the picture. A file then takes one picture at a time, and
            is written as ONNX in fp32 only.
    """

    bars: Mapping[str, Mapping[str, float]]
    sample: str
    meanings: Mapping[str, str]
    free: bool

    def describe(self, card: ModelCard) -> str:
        """Describe the outputs in a few words: "17 keypoints"."""

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """Choose among a program's outputs, given in order; return `None` if they are of another kind."""

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """Append nodes that compute the card's outputs from the heads."""

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """Compute the card's outputs from Paddle's in NumPy, as the nodes of `write` do."""

    def match(self, expected: Arrays, found: Arrays) -> tuple[Arrays, Arrays]:
        """Return what to compare of each: the same arrays, unless the number of rows is `free`."""

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """Make calibration inputs, (3, H, W) each."""

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return how much worse outputs are than expected: 0 if they are equal, more if they are worse."""

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of a model file in percent."""

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Add the whole pipeline around a network to the graph of `image`, (H, W, 3) uint8 RGB."""

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """Run an end-to-end file, and the core with the network's file, on a picture."""
