"""Write a small Faster R-CNN: `rcnn_folder.py FOLDER`; a process of its own, with FLAGS_enable_pir_api=0.

It has what PaddleDetection's has: a deformable convolution, a pyramid whose last level is a max-pool, a loop
over images that proposes regions, regions pooled from the level of their size, one box for each class, and
boxes that end at the picture's border.
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
from paddle.vision.ops import DeformConv2D, distribute_fpn_proposals, generate_proposals, roi_align

SIZE: Final = 128
CLASSES: Final = 3
CHANNELS: Final = 8
STRIDES: Final = (4, 8, 16)
POOLED: Final = 3
PROPOSALS: Final = 40
SIDES: Final = np.array([[1, 1], [2, 0.5], [0.5, 2]])
"""Of anchors, in strides * 4."""
CONFIG: Final = f"""arch: RCNN
Preprocess:
- interp: 2
  keep_ratio: true
  target_size:
  - {SIZE}
  - {SIZE}
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
- stride: 32
  type: PadStride
label_list:
- person
- horse
- dog
"""


class SmallRcnn(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    """(1, 3, H, W) -> (M, 6): class, score and box."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, CHANNELS, 4, stride=4)
        self.told = nn.Conv2D(CHANNELS, 27, 3, padding=1)
        self.deformable = DeformConv2D(CHANNELS, CHANNELS, 3, padding=1, bias_attr=False)
        self.down = nn.LayerList([nn.Conv2D(CHANNELS, CHANNELS, 3, stride=2, padding=1) for _ in STRIDES[1:]])
        self.score = nn.Conv2D(CHANNELS, len(SIDES), 1)
        self.delta = nn.Conv2D(CHANNELS, 4 * len(SIDES), 1)
        self.hidden = nn.Linear(CHANNELS * POOLED**2, 16)
        self.classify = nn.Linear(16, CLASSES + 1)
        self.regress = nn.Linear(16, 4 * CLASSES)

    def forward(self, image: Tensor, im_shape: Tensor, scale_factor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table of boxes, and how many there are."""
        x = functional.relu(self.stem(image))
        told = self.told(x)
        features = [functional.relu(self.deformable(x, told[:, :18], append("sigmoid", told[:, 18:])))]
        for down in self.down:
            features.append(functional.relu(down(features[-1])))
        levels = [*features, functional.max_pool2d(features[-1], 1, stride=2)]
        maps = [(self.score(level), self.delta(level)) for level in levels]
        anchors = [anchors_of(level, 4 * 2**place) for place, level in enumerate(levels)]
        regions, counts = self.regions(maps, anchors, im_shape)
        pooled = pool(features, regions, counts)
        hidden = functional.relu(self.hidden(paddle.flatten(pooled, start_axis=1)))
        scores = functional.softmax(self.classify(hidden), axis=-1)[:, :CLASSES]
        origin = self.origins(im_shape, counts)
        boxes = end_inside(decode(regions, self.regress(hidden)), origin)
        table, kept = suppress(boxes, scores, counts)
        x_and_y = paddle.concat([scale_factor[0:1, 1:2], scale_factor[0:1, 0:1]], axis=1)
        found = table[:, 2:] / paddle.concat([x_and_y, x_and_y], axis=1)
        return paddle.concat([labels_of(table), table[:, 1:2], found], axis=1), kept

    def regions(self, maps: Any, anchors: Any, im_shape: Tensor) -> tuple[Tensor, Tensor]:
        """Return the regions of all images, and how many each has."""
        regions, counts = [], []
        for i in range(paddle.shape(im_shape)[0]):
            boxes, scores = [], []
            for level, (score, delta) in enumerate(maps):
                found, probability, _ = generate_proposals(
                    score[i : i + 1],
                    delta[i : i + 1],
                    im_shape[i : i + 1],
                    anchors[level],
                    paddle.ones_like(anchors[level]),
                    pre_nms_top_n=100,
                    post_nms_top_n=60,
                    nms_thresh=0.7,
                    min_size=0.0,
                    return_rois_num=True,
                )
                boxes.append(found)
                scores.append(probability)
            joined, ranked = paddle.concat(boxes), paddle.concat(scores).flatten()
            # Paddle 3 writes no condition into programs from before PIR: as many as there are always.
            _, best = paddle.topk(ranked, PROPOSALS)
            joined = paddle.gather(joined, best)
            regions.append(joined)
            counts.append(paddle.shape(joined)[0:1])
        return paddle.concat(regions), paddle.cast(paddle.concat(counts), "int32")

    def origins(self, im_shape: Tensor, counts: Tensor) -> Tensor:
        """Return the picture's height and width for each region."""
        sizes = []
        for i in range(paddle.shape(im_shape)[0]):
            sizes.append(paddle.expand(im_shape[i, :], [counts[i], 2]))  # noqa: PERF401 (a loop is meant)
        return paddle.concat(sizes)


def append(kind: str, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Append an operator whose function Paddle 3 has for programs of today only."""
    helper = LayerHelper(kind)
    result = helper.create_variable_for_type_inference(x.dtype)
    helper.append_op(type=kind, inputs={"X": x} | ({} if y is None else {"Y": y}), outputs={"Out": result})
    return result


def anchors_of(level: Tensor, stride: int) -> Tensor:
    """Return (h * w * A, 4) anchors."""
    rows, columns = paddle.shape(level)[2], paddle.shape(level)[3]
    x, y = paddle.arange(0, columns * stride, stride), paddle.arange(0, rows * stride, stride)
    down, across = paddle.meshgrid(paddle.cast(y, "float32"), paddle.cast(x, "float32"))
    centers = paddle.stack([across.flatten(), down.flatten()] * 2, axis=1).reshape([-1, 1, 4])
    half = SIDES * stride * 2
    own = paddle.to_tensor(np.concatenate([-half, half], axis=1)[None].astype(np.float32))
    return (centers + own).reshape([-1, 4])


def pool(features: list[Tensor], regions: Tensor, counts: Tensor) -> Tensor:
    """Return (R, C, 3, 3) features of the regions."""
    parts, order, numbers = distribute_fpn_proposals(regions, 2, 4, 3, 32, rois_num=counts)
    pooled = [
        roi_align(level, part, number, POOLED, 1 / stride, sampling_ratio=-1, aligned=False)
        for level, part, number, stride in zip(features, parts, numbers, STRIDES)  # noqa: B905 (Paddle's own zip)
    ]
    return paddle.gather(paddle.concat(pooled), order)


def decode(regions: Tensor, deltas: Tensor) -> Tensor:
    """Return (R, C, 4) boxes."""
    low, sides = regions[:, :2], regions[:, 2:] - regions[:, :2]
    moves = deltas.reshape([-1, CLASSES, 4])
    centers = (low + sides * 0.5).unsqueeze(1) + moves[:, :, :2] * 0.1 * sides.unsqueeze(1)
    half = paddle.exp(paddle.clip(moves[:, :, 2:] * 0.2, max=4.1)) * sides.unsqueeze(1) * 0.5
    return paddle.concat([centers - half, centers + half], axis=-1)


def end_inside(boxes: Tensor, origin: Tensor) -> Tensor:
    """End boxes at the picture's border."""
    ends = paddle.concat([origin[:, 1:2], origin[:, 0:1]] * 2, axis=1).unsqueeze(1)
    return append("elementwise_max", append("elementwise_min", boxes, ends), paddle.zeros_like(boxes))


def labels_of(table: Tensor) -> Tensor:
    """Return the labels, -1 for boxes without an area."""
    sides = append("elementwise_min", table[:, 4:5] - table[:, 2:3], table[:, 5:6] - table[:, 3:4])
    there = paddle.cast(sides > 0, "float32")
    return table[:, :1] * there + there - 1


def suppress(boxes: Tensor, scores: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Append the operator: Paddle 3 has no function for it in programs from before PIR."""
    helper = LayerHelper("multiclass_nms3")
    table, index, kept = (helper.create_variable_for_type_inference(t) for t in ("float32", "int32", "int32"))
    helper.append_op(
        type="multiclass_nms3",
        inputs={"BBoxes": boxes, "Scores": scores, "RoisNum": counts},
        outputs={"Out": table, "Index": index, "NmsRoisNum": kept},
        attrs={
            "background_label": CLASSES,
            "score_threshold": 0.01,
            "nms_top_k": -1,
            "nms_threshold": 0.5,
            "keep_top_k": 100,
            "nms_eta": 1.0,
            "normalized": True,
        },
    )
    return table, kept


def main(out: Path) -> None:
    layer: Any = SmallRcnn()
    rng = np.random.default_rng(0)
    for name, value in layer.state_dict().items():
        spread = 0.1 if name.startswith(("told", "delta", "classify", "regress")) else 0.6
        layer.state_dict()[name].set_value(rng.uniform(-spread, spread, value.shape).astype(np.float32))
    layer.eval()
    specs = [
        paddle.static.InputSpec(shape, "float32", name)
        for name, shape in (
            ("image", [None, 3, None, None]),
            ("im_shape", [None, 2]),
            ("scale_factor", [None, 2]),
        )
    ]
    paddle.jit.save(layer, str(out / "model"), input_spec=specs)
    (out / "infer_cfg.yml").write_text(CONFIG)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
