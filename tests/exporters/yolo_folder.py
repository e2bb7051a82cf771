"""Write a small PP-YOLO: `yolo_folder.py FOLDER`; a process of its own, FLAGS_enable_pir_api is its format.

It has what the large ones have: a deformable convolution, coordinates as channels, IoU-aware scores,
grid-sensitive boxes that end at the picture's border, and Matrix NMS.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.base.layer_helper import LayerHelper
from paddle.nn import functional
from paddle.vision.ops import DeformConv2D, matrix_nms, yolo_box

SIZE: Final = (64, 96)
CLASSES: Final = 2
ANCHORS: Final = [20, 30, 40, 25, 60, 70]
COUNT: Final = len(ANCHORS) // 2
CONFIG: Final = f"""arch: YOLO
Preprocess:
- interp: 2
  keep_ratio: false
  target_size:
  - {SIZE[0]}
  - {SIZE[1]}
  type: Resize
- is_scale: true
  mean:
  - 0.485
  - 0.456
  - 0.406
  std:
  - 0.229
  - 0.224
  - 0.225
  type: NormalizeImage
- type: Permute
label_list:
- person
- horse
"""


class SmallYolo(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    """(1, 3, H, W) -> (M, 6): class, score and box."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 8, stride=8)
        self.told = nn.Conv2D(8, 27, 3, stride=2, padding=1)
        self.deformable = DeformConv2D(8, 8, 3, stride=2, padding=1, bias_attr=False)
        self.norm = nn.BatchNorm2D(8)
        self.head = nn.Conv2D(10, COUNT * (6 + CLASSES), 1)

    def forward(self, image: Tensor, im_shape: Tensor, scale_factor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table of boxes, and how many there are."""
        x = functional.relu(self.stem(image))
        told = self.told(x)
        x = self.deformable(x, told[:, :18], sigmoid(told[:, 18:]))
        x = self.head(with_places(functional.relu(self.norm(x))))
        boxes, scores = yolo_box(
            iou_aware(x),
            paddle.cast(im_shape / scale_factor, "int32"),
            ANCHORS,
            CLASSES,
            0.01,
            16,
            clip_bbox=True,
            scale_x_y=1.05,
        )
        table, count, *_ = matrix_nms(
            boxes,
            scores.transpose([0, 2, 1]),
            0.01,
            0.01,
            -1,
            100,
            use_gaussian=True,
            background_label=-1,
            normalized=False,
        )
        return table, count


def append(kind: str, x: Tensor) -> Tensor:
    """Append an operator, for functions that Paddle 3 saves in programs of today only."""
    if paddle.framework.use_pir_api():
        return getattr(paddle, kind)(x)
    helper = LayerHelper(kind)
    result = helper.create_variable_for_type_inference(x.dtype)
    helper.append_op(type=kind, inputs={"X": x}, outputs={"Out": result})
    return result


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return append("sigmoid", x)


def with_places(x: Tensor) -> Tensor:
    """Add each cell's column and row, -1 to 1."""
    batch = paddle.shape(x)[0]
    height, width = x.shape[2:]
    columns = paddle.cast(paddle.arange(width), "float32") / ((width - 1) / 2) - 1
    rows = paddle.cast(paddle.arange(height), "float32") / ((height - 1) / 2) - 1
    columns = paddle.expand(columns.reshape([1, 1, 1, width]), [batch, 1, height, width])
    rows = paddle.expand(rows.reshape([1, 1, height, 1]), [batch, 1, height, width])
    return paddle.concat([x, columns, rows], axis=1)


def iou_aware(x: Tensor) -> Tensor:
    """Write the logit of sqrt(objectness * IoU) in the place of objectness."""
    height, width = x.shape[2:]
    iou = sigmoid(x[:, :COUNT].reshape([-1, COUNT, 1, height * width]))
    rest = x[:, COUNT:].reshape([-1, COUNT, 5 + CLASSES, height * width])
    score = paddle.pow(sigmoid(rest[:, :, 4:5]), 0.5) * paddle.pow(iou, 0.5)
    odds = paddle.clip(1.0 / paddle.clip(score, 1e-7, 1e7) - 1.0, 1e-7, 1e7)
    joined = paddle.concat([rest[:, :, :4], -append("log", odds), rest[:, :, 5:]], axis=2)
    return joined.reshape([-1, COUNT * (5 + CLASSES), height, width])


def main(out: Path) -> None:
    layer: Any = SmallYolo()
    rng = np.random.default_rng(0)
    for name, value in layer.state_dict().items():
        bounds = (0.5, 1.5) if value.ndim == 1 and "norm" in name else (-0.6, 0.6)
        layer.state_dict()[name].set_value(rng.uniform(*bounds, value.shape).astype(np.float32))
    layer.eval()
    layer.forward = paddle.jit.not_to_static(layer.forward)
    specs = [
        paddle.static.InputSpec(shape, "float32", name)
        for name, shape in (("image", [None, 3, *SIZE]), ("im_shape", [None, 2]), ("scale_factor", [None, 2]))
    ]
    paddle.jit.save(layer, str(out / "model"), input_spec=specs)
    (out / "infer_cfg.yml").write_text(CONFIG)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
