"""A small Faster or Cascade R-CNN of ours on Paddle: `python small_rcnn.py HEAD INPUTS.npz FOLDER`.

Run as a process of its own, because Paddle warns at import and keeps global state. The folder gets the
program (prepared.json, .pdiparams), its outputs for the inputs (outputs.npz, "input/output"), and its state
dict (parameters.npz).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import paddle
from numpy.typing import NDArray

from pose_onnx.exporters._paddle_worker import prepare
from pose_onnx.exporters.networks import rcnn
from pose_onnx.exporters.networks._regions import Counts
from pose_onnx.exporters.networks.random_weights import fill
from pose_onnx.exporters.networks.resnet import ResNet

HEADS = {"faster": rcnn.BBoxHead, "cascade": rcnn.CascadeHead}
SIZES = ([None, 3, None, None], [None, 2])
CLASSES = 3


def main(head: str, inputs_file: Path, folder: Path) -> None:
    backbone = partial(ResNet, 18, rcnn.ALL_STAGES, vd=True, deformable=(3,))
    layer = rcnn.RCNN(rcnn.Design(backbone, 8, Counts(60, 40), HEADS[head]), CLASSES)
    with np.load(inputs_file) as archive:
        inputs = dict(archive)
    fill(layer, inputs)
    outputs: dict[str, NDArray[np.float32]] = {}
    with paddle.no_grad():
        for name, batch in inputs.items():
            boxes, scores = layer(paddle.to_tensor(batch))
            outputs |= {f"{name}/boxes": boxes.numpy(), f"{name}/scores": scores.numpy()}
    np.savez(folder / "outputs.npz", **outputs)  # type: ignore[arg-type]  # of NumPy's stub: arrays are meant
    np.savez(folder / "parameters.npz", **{name: value.numpy() for name, value in layer.state_dict().items()})
    layer.forward = paddle.jit.not_to_static(layer.forward)  # type: ignore[method-assign]  # of Paddle
    specs = [
        paddle.static.InputSpec(shape, "float32", name)
        for name, shape in zip(("image", "im_shape"), SIZES, strict=True)
    ]
    paddle.jit.save(layer, str(folder / "program"), input_spec=specs)
    prepare(*(str(folder / name) for name in ("program.json", "program.pdiparams", "prepared.json")))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
