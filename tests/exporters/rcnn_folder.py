"""Write a small two-stage detector: `rcnn_folder.py FOLDER LOOKS`, in a process of its own.

With one look at the regions it is a Faster R-CNN, with more a Cascade R-CNN. FLAGS_enable_pir_api says which
kind of program it is.

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
from paddle.base.framework import in_pir_mode
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
    """(1, 3, H, W) -> (M, 6): class, score and box.

    Args:
        looks: at the regions; all but the last move them. With more than one, all classes have the same box.
    """

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.boxes = CLASSES if looks == 1 else 1
        self.stem = nn.Conv2D(3, CHANNELS, 4, stride=4)
        self.told = nn.Conv2D(CHANNELS, 27, 3, padding=1)
        self.deformable = DeformConv2D(CHANNELS, CHANNELS, 3, padding=1, bias_attr=False)
        self.down = nn.LayerList([nn.Conv2D(CHANNELS, CHANNELS, 3, stride=2, padding=1) for _ in STRIDES[1:]])
        self.score = nn.Conv2D(CHANNELS, len(SIDES), 1)
        self.delta = nn.Conv2D(CHANNELS, 4 * len(SIDES), 1)
        self.hidden = nn.LayerList([nn.Linear(CHANNELS * POOLED**2, 16) for _ in range(looks)])
        self.classify = nn.LayerList([nn.Linear(16, CLASSES + 1) for _ in range(looks)])
        self.regress = nn.LayerList([nn.Linear(16, 4 * self.boxes) for _ in range(looks)])

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
        regions, deltas, scores = self.look(features, regions, counts, im_shape)
        origin = self.origins(im_shape, counts)
        boxes = decode(regions, deltas.reshape([-1, self.boxes, 4]))
        boxes = end_inside(paddle.expand(boxes, [paddle.shape(boxes)[0], CLASSES, 4]), origin)
        table, kept = suppress(boxes, scores, counts)
        x_and_y = paddle.concat([scale_factor[0:1, 1:2], scale_factor[0:1, 0:1]], axis=1)
        found = table[:, 2:] / paddle.concat([x_and_y, x_and_y], axis=1)
        return paddle.concat([labels_of(table), table[:, 1:2], found], axis=1), kept

    def look(
        self, features: list[Tensor], regions: Tensor, counts: Tensor, im_shape: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the regions of the last look, how they move (R, 4C or 4), and the scores (R, C) of all."""
        scores: list[Tensor] = []
        moves: list[Tensor] = []
        for place, (layer, classify, regress) in enumerate(
            zip(self.hidden, self.classify, self.regress)  # noqa: B905 (Paddle's own zip)
        ):
            if place > 0:
                moved = decode(regions, moves[-1].reshape([-1, 1, 4])).reshape([-1, 4])
                (moved,) = moved.split([-1])  # of one image
                regions = end_inside(moved.unsqueeze(1), im_shape[0:1]).reshape([-1, 4])
            pooled = pool(features, regions, counts)
            hidden = functional.relu(layer(paddle.flatten(pooled, start_axis=1)))
            scores.append(functional.softmax(classify(hidden), axis=-1)[:, :CLASSES])
            moves.append(regress(hidden))
        return regions, moves[-1], sum(scores[1:], scores[0]) / len(scores)

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


TODAY: Final = {
    "sigmoid": functional.sigmoid,
    "elementwise_min": paddle.minimum,
    "elementwise_max": paddle.maximum,
}


def append(kind: str, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Append an operator whose function Paddle 3 has for programs of today only."""
    if in_pir_mode():
        return TODAY[kind](*((x,) if y is None else (x, y)))
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
    """Return (R, C, 4) boxes, moved by (R, C, 4)."""
    low, sides = regions[:, :2], regions[:, 2:] - regions[:, :2]
    centers = (low + sides * 0.5).unsqueeze(1) + deltas[:, :, :2] * 0.1 * sides.unsqueeze(1)
    half = paddle.exp(paddle.clip(deltas[:, :, 2:] * 0.2, max=4.1)) * sides.unsqueeze(1) * 0.5
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
    if in_pir_mode():
        table, _, kept = paddle._C_ops.multiclass_nms3(
            boxes, scores, counts, 0.01, -1, 100, 0.5, True, 1.0, CLASSES
        )
        return table, kept
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


def main(out: Path, looks: int) -> None:
    layer: Any = SmallRcnn(looks)
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
    main(Path(sys.argv[1]), int(sys.argv[2]))
