"""A real one-pass network of one convolution for each head, and pictures that it finds people in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from pose_onnx import InputSpec, ModelCard, load_card
from pose_onnx.core.arrays import Image
from pose_onnx.outputs import PeopleOutput
from pose_onnx.outputs.people_heads import channels_of
from tests.conftest import save_model

CELL = 4
OFFSET = (0.25, 0.5)
SIZE = (8.0, 6.0)
PEAK, PERSON = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-4))


def heads_network(path: Path, *, spoilt: str = "") -> Path:
    """Write a network whose heads are constants; where a cell is white, there is a centre and a nose."""
    base = load_card("tinypose_128x96")
    card = ModelCard(
        "tiny_people", "none", InputSpec((64, 64), "fix", "bgr", (0, 0, 0), (1, 1, 1)), PeopleOutput(),
        keypoints=base.keypoints, flip_pairs=base.flip_pairs, skeleton=base.skeleton,
        source="made by the tests", published="-", license="Apache-2.0",
    )  # fmt: skip
    biases: dict[str, list[float]] = {
        "hm": [-4],
        "wh": list(SIZE),
        "hps": [joint * 0.1 for joint in range(34)],
        "reg": list(OFFSET),
        "hm_hp": [-4] * 17,
        "hp_offset": [0.5, 0.25],
    }
    nodes = []
    constants: dict[str, NDArray[Any]] = {}
    outputs: dict[str, list[int | str]] = {}
    for name, bias in biases.items():
        weights = np.zeros((channels_of(name, 17), 3, CELL, CELL), np.float32)
        if name in ("hm", "hm_hp"):
            weights[0] = {"hm": 8, "hm_hp": 6}[name] / (3 * CELL**2)  # of white +4, +2
        constants |= {f"{name}.weight": weights, f"{name}.bias": np.array(bias, np.float32)}
        if name == spoilt:
            constants[f"{name}.bias"] = np.full(len(bias), np.nan, np.float32)
        inputs = ["image", f"{name}.weight", f"{name}.bias"]
        nodes.append(onnx.helper.make_node("Conv", inputs, [name], strides=[CELL, CELL]))
        outputs[name] = ["N", len(weights), 16, 16]
    return save_model(path, card, nodes, constants, outputs)


def picture(*cells: tuple[int, int], size: int = 64) -> Image:
    """Black, with white cells: (row, column)."""
    pixels = np.zeros((size, size, 3), np.uint8)
    side = size // 16
    for row, column in cells:
        pixels[row * side : (row + 1) * side, column * side : (column + 1) * side] = 255
    return pixels
