"""Faster R-CNN (arXiv 1506.01497) and Cascade R-CNN (arXiv 1712.00726) with a feature pyramid, without NMS.

Structure and names: PaddleDetection ppdet/modeling/heads/bbox_head.py, cascade_head.py and
configs/rcnn_enhance, configs/cascade_rcnn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._regions import POOLED, Counts, RPNHead, inside, moved, pooled
from pose_onnx.exporters.networks.fpn import FPN
from pose_onnx.exporters.networks.resnet import ResNet

ALL_STAGES: Final = (0, 1, 2, 3)
HIDDEN: Final = 1024
WEIGHTS: Final = ((10.0, 5.0), (20.0, 10.0), (30.0, 15.0))
"""Of how centres and sides move, at the first look at a region, the second and the third."""


class TwoFCHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two linear layers: (R, C, 7, 7) -> (R, HIDDEN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(channels * POOLED**2, HIDDEN)
        self.fc7 = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.fc6(paddle.flatten(features, start_axis=1)))
        return functional.relu(self.fc7(x))


class BBoxHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Looks at each region once: one box for each class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = TwoFCHead(channels)
        self.bbox_score = nn.Linear(HIDDEN, classes + 1)
        self.bbox_delta = nn.Linear(HIDDEN, 4 * classes)

    def forward(self, features: list[Tensor], regions: Tensor, im_shape: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes (R, C, 4) and scores (R, C + 1), the last of which is that of the background."""
        x = self.head(pooled(features, regions))
        scores, deltas = self.bbox_score(x), self.bbox_delta(x)
        return inside(moved(regions, deltas, WEIGHTS[0]), im_shape), functional.softmax(scores)


class CascadeHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Looks at each region three times, and moves it each time: one box for all classes."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.LayerList([TwoFCHead(channels) for _ in WEIGHTS])
        self._classes = classes
        for place in range(len(WEIGHTS)):
            self.add_sublayer(f"bbox_score_stage{place}", nn.Linear(HIDDEN, classes + 1))
            self.add_sublayer(f"bbox_delta_stage{place}", nn.Linear(HIDDEN, 4))

    def forward(self, features: list[Tensor], regions: Tensor, im_shape: Tensor) -> tuple[Tensor, Tensor]:
        """See `BBoxHead`; scores are means."""
        scores = []
        for place, (head, weights) in enumerate(zip(self.head, WEIGHTS, strict=True)):
            x = head(pooled(features, regions))
            scores.append(functional.softmax(getattr(self, f"bbox_score_stage{place}")(x)))
            deltas = getattr(self, f"bbox_delta_stage{place}")(x)
            boxes = inside(moved(regions, deltas, weights), im_shape)
            regions = boxes.reshape([-1, 4])
        return boxes + paddle.zeros([1, self._classes, 1]), paddle.add_n(scores) / len(WEIGHTS)


class Design(NamedTuple):
    """What an architecture consists of.

    Attributes:
        backbone: makes the backbone.
        channels: of the pyramid.
        counts: see `Counts`.
        head: makes the second stage, from the channels and the number of classes.
    """

    backbone: Callable[[], nn.Layer]
    channels: int
    counts: Counts
    head: Callable[[int, int], nn.Layer]


DESIGNS: Final[Mapping[str, Design]] = MappingProxyType(
    {
        "faster_rcnn_enhance": Design(
            partial(ResNet, 50, ALL_STAGES, vd=True, deformable=(1, 2, 3)), 64, Counts(500, 300), BBoxHead
        ),
        "cascade_rcnn_r50": Design(partial(ResNet, 50, ALL_STAGES), 256, Counts(1000, 1000), CascadeHead),
        "cascade_rcnn_r50vd": Design(
            partial(ResNet, 50, ALL_STAGES, vd=True), 256, Counts(1000, 1000), CascadeHead
        ),
    }
)


class RCNN(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two-stage detector of one picture, without NMS."""

    def __init__(self, design: Design, classes: int) -> None:
        super().__init__()
        self.backbone = design.backbone()
        self.neck = FPN(self.backbone.channels, design.channels)
        self.rpn_head = RPNHead(design.channels, design.counts)
        self.bbox_head = design.head(design.channels, classes)

    def forward(self, image: Tensor, im_shape: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find boxes (R, C, 4), xyxy, input pixels, and scores (R, C).

        Args:
            image: (1, 3, H, W) normalised RGB; H and W are multiples of 32.
            im_shape: (1, 2), height and width of what the picture fills; H and W if it is not given.
        """
        if im_shape is None:
            im_shape = paddle.to_tensor([image.shape[2:]], "float32")
        features = self.neck(self.backbone(image))
        regions = self.rpn_head(features, im_shape)
        boxes, scores = self.bbox_head(features[:-1], regions, im_shape)
        return boxes, scores[:, :-1]


def build(card: ModelCard) -> RCNN:
    """Make the network of a card."""
    return RCNN(DESIGNS[card.architecture], len(card.classes))
