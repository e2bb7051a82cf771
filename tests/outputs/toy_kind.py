"""A kind of output that the package does not know: joints as coordinates, as another package would add it.

One tensor `points` (N, K, 3): x, y in input pixels and a score. The test installs it with entry points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pose_onnx import ModelCard
from pose_onnx.core.arrays import F32
from pose_onnx.outputs import Shape, Tensors
from pose_onnx.presets import Preset


@dataclass(frozen=True, slots=True)
class PointOutput:
    kind: ClassVar[str] = "toy_points"
    task: ClassVar[str] = "keypoints"

    stride: int = 1

    @property
    def tensor_names(self) -> tuple[str, ...]:
        return ("points",)

    def problems(self, card: ModelCard) -> list[str]:
        return [] if card.keypoints else ["name the keypoints"]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        return {"points": (None, len(card.keypoints), 3)}

    def read(self, tensors: Tensors, preset: Preset) -> tuple[F32, F32]:
        del preset
        return tensors["points"][..., :2], tensors["points"][..., 2]

    def merge_mirrored(self, tensors: Tensors, mirrored: Tensors, card: ModelCard) -> Tensors:
        back = mirrored["points"] * np.array([-1, 1, 1], np.float32)
        back[..., 0] += card.picture.size[1] - 1
        merged: F32 = ((tensors["points"] + back) / 2).astype(np.float32)
        return {"points": merged}


class PointExport:
    bars: ClassVar[Mapping[str, Mapping[str, float]]] = {"fp32": {"points": 1e-3}, "fp16": {"points": 1.0}}
    sample = "people"
    meanings: ClassVar[Mapping[str, str]] = {}
    free = False

    def describe(self, card: ModelCard) -> str:
        return f"{len(card.keypoints)} points"

    def find(self, shapes: Mapping[str, tuple[int | str, ...]], card: ModelCard) -> Any:
        from pose_onnx.exporters.outputs import Heads  # noqa: PLC0415 (needs the extra "export")

        names = [name for name, shape in shapes.items() if shape[1:] == (len(card.keypoints), 3)]
        return Heads("points", (names[0],)) if len(names) == 1 else None

    def write(self, graph: Any, heads: Any, card: ModelCard) -> None:
        from pose_onnx.exporters.graph import Node  # noqa: PLC0415 (likewise)

        del card
        graph.nodes.append(Node("Identity", [heads.names[0]], ["points"]))

    def read(self, arrays: Mapping[str, F32], heads: Any, card: ModelCard) -> Mapping[str, F32]:
        del card
        return {"points": arrays[heads.names[0]]}

    def match(self, expected: Mapping[str, F32], found: Mapping[str, F32]) -> Any:
        return expected, found

    def samples(self, photos: list[Path], card: ModelCard) -> Iterator[F32]:
        raise NotImplementedError

    def damage(self, expected: Mapping[str, F32], found: Mapping[str, F32]) -> float:
        return float(np.abs(expected["points"] - found["points"]).mean())

    def measure(self, file: Path, dataset: Any) -> float:
        raise NotImplementedError

    def end_to_end(self, image: Any, network: Any, card: ModelCard) -> None:
        raise NotImplementedError

    def compare(self, file: Path, network: Path, image_bgr: Any) -> Any:
        raise NotImplementedError


EXPORT = PointExport()
