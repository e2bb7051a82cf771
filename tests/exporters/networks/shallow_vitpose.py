"""A ViTPose of one block on Paddle: `python shallow_vitpose.py CARD INPUTS.npz FOLDER`.

Run as a process of its own, because Paddle warns at import and keeps global state. The twelve blocks of the
official networks are alike, and each has 7 million parameters. The folder gets the program (program.json,
.pdiparams), its outputs for the inputs (outputs.npz), and the shapes of its parameters (shapes.json).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import paddle

from pose_onnx import load_card
from pose_onnx.exporters.networks.random_weights import fill
from pose_onnx.exporters.networks.vitpose import KINDS, ViTPose


def main(card_file: Path, inputs_file: Path, folder: Path) -> None:
    card = load_card(card_file)
    layer = ViTPose(card.picture.size, KINDS[card.architecture](len(card.keypoints)), depth=1)
    with np.load(inputs_file) as archive:
        inputs = dict(archive)
    fill(layer, inputs)
    with paddle.no_grad():
        np.savez(
            folder / "outputs.npz",
            **{name: layer(paddle.to_tensor(batch)).numpy() for name, batch in inputs.items()},
        )
    shapes = {name: list(value.shape) for name, value in layer.state_dict().items()}
    (folder / "shapes.json").write_text(json.dumps(shapes))
    layer.forward = paddle.jit.not_to_static(layer.forward)  # type: ignore[method-assign]  # as the exporter does
    spec = paddle.static.InputSpec([None, *card.input_shape], "float32", card.input.tensor_name)
    paddle.jit.save(layer, str(folder / "program"), input_spec=[spec])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
