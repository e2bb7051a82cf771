"""What the exporters' side of a kind of output has."""

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
        form: What they are; each kind of output has forms of its own.
        names: Of the tensors, in the order that the form says.
        class_first: Scores are (N, C, A) instead of (N, A, C).
    """

    form: str
    names: tuple[str, ...]
    class_first: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of an end-to-end file beside those of the core.

    Attributes:
        found: Of the file, by what they are.
        expected: Of the core, likewise.
        bars: Largest absolute differences allowed.
    """

    found: Arrays
    expected: Arrays
    bars: Mapping[str, float]


class OutputExport(Protocol):
    """How a kind of output is recognised in a Paddle program, written, compared and judged.

    Attributes:
        bars: Largest difference allowed between engines, by precision and tensor. A precision without bars is
            measured all the same, and judged by its average precision.
        sample: What one calibration input is, for messages: "photos".
        meanings: What an end-to-end file's tensors are, by name.
    """

    bars: Mapping[str, Mapping[str, float]]
    sample: str
    meanings: Mapping[str, str]

    def describe(self, card: ModelCard) -> str:
        """Say in a few words what such outputs hold: "17 keypoints"."""

    def find(self, shapes: Mapping[str, Shape], card: ModelCard) -> Heads | None:
        """Choose among a program's outputs, given in their order; `None` where they are of another kind."""

    def write(self, graph: Graph, heads: Heads, card: ModelCard) -> None:
        """Append to a graph what turns the heads into the card's outputs."""

    def read(self, arrays: Arrays, heads: Heads, card: ModelCard) -> Arrays:
        """Do the same in NumPy with what Paddle computed."""

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        """Make calibration inputs, (3, H, W) each."""

    def damage(self, expected: Arrays, found: Arrays) -> float:
        """Return how much worse outputs are than expected: 0 where they are equal, larger is worse."""

    def measure(self, file: Path, dataset: Dataset) -> float:
        """Return the average precision of a model file in percent."""

    def end_to_end(self, image: Value, network: Graph, card: ModelCard) -> None:
        """Put the whole pipeline around a network, in the graph of `image`, (H, W, 3) uint8 RGB."""

    def compare(self, file: Path, network: Path, image_bgr: Image) -> Comparison:
        """Run an end-to-end file and the core with the network's own file on a picture."""
