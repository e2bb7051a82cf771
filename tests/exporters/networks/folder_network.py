"""Run a folder and our network with its weights: `folder_network.py FOLDER CARD IMAGE.npz OUT.npz`.

OUT gets the folder's outputs before its own NMS as `folder0`, `folder1`, ..., ours under the card's names.

A folder's program numbers its parameters in the order in which PaddleDetection made them. If our network has
the same layers in the same order, each fits the shape of ours; and with these weights ours computes what the
folder does only if it is the same network.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import paddle
from numpy.typing import NDArray

from pose_onnx import load_card
from pose_onnx.exporters._paddle_program import OpenedProgram
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.program import SIDE_INPUTS

Arrays = list[NDArray[np.float32]]
NUMBER = re.compile(r"_deepcopy_(\d+)$")
PICODET = (
    *(f"neck.{part}" for part in ("first_top", "second_top", "top_down", "downsamples", "bottom_up")),
    *(f"head.{part}" for part in ("conv_feat.se", "conv_feat.cls", "head_cls", "head_reg", "cls_align")),
)
"""What comes after the backbone and the neck's first part, in PaddleDetection's order."""
CONSTANT_RANK, BINS = 2, (8,)
"""Of PicoDet's grid, and of the distances of its bins: it keeps both as parameters."""


def main(folder: Path, card_name: str, image_file: Path, out: Path) -> None:
    with np.load(image_file) as archive:
        image = archive["image"]
    weights, theirs = run_folder(folder, image)
    card = load_card(card_name)
    layer = network_of(card).build(card)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    if len(weights) > len(shapes):
        weights = [weight for weight in weights if weight.ndim != CONSTANT_RANK and weight.shape != BINS]
    names = next(order for order in orders([*shapes]) if fits([shapes[name] for name in order], weights))
    layer.set_state_dict(dict(zip(names, weights, strict=False)))
    layer.eval()
    with paddle.no_grad():
        returned = layer(paddle.to_tensor(image))
    ours = returned if isinstance(returned, tuple) else (returned,)
    named = dict(zip(card.output_names, (tensor.numpy() for tensor in ours), strict=True))
    named |= {f"folder{index}": array for index, array in enumerate(theirs)}
    np.savez(out, **named)


def run_folder(folder: Path, image: NDArray[np.float32]) -> tuple[Arrays, Arrays]:
    """Return the weights in the order of their numbers, and the outputs."""
    opened = OpenedProgram(str(folder / "model.pdmodel"), str(folder / "model.pdiparams"))
    scope = paddle.static.global_scope()
    numbered = {
        int(found[1]): np.array(scope.find_var(value.name).get_tensor())
        for value in opened.program.list_vars()
        if value.persistable and (found := NUMBER.search(value.name))
    }
    inputs = {"image": image, **{name: make(image.shape[2:]) for name, make in SIDE_INPUTS.items()}}
    outputs = opened.run(inputs, opened.cut())
    paddle.disable_static()
    return [numbered[number] for number in sorted(numbered)], outputs


def orders(names: list[str]) -> Iterator[list[str]]:
    """Give the orders in which PaddleDetection makes layers: ours; norms first; that of PicoDet's parts."""
    yield names
    layers = groupby(names, lambda name: name.rsplit(".", 2)[0])
    yield [name for _, own in layers for name in sorted(own, key=lambda name: ".norm." not in name)]
    parts = [next((i for i, part in enumerate(PICODET) if name.startswith(part)), -1) for name in names]
    yield [names[i] for i in np.argsort(parts, kind="stable")]


def fits(shapes: list[tuple[int, ...]], weights: Arrays) -> bool:
    """Say whether each weight has its shape; constants of the head may follow the last."""
    return len(weights) >= len(shapes) and shapes == [weight.shape for weight in weights[: len(shapes)]]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
