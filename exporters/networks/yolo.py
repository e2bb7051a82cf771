"""YOLOv3 (arXiv 1804.02767) and PP-YOLO (arXiv 2007.12099; 2104.10419), without NMS.

Structure and names: PaddleDetection ppdet/modeling/heads/yolo_head.py and configs/yolov3, configs/ppyolo.
Anchors are those of the configurations: a network trained with others is exported from its inference folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from paddle import Tensor, nn

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._anchors import Anchors, decode_maps
from pose_onnx.exporters.networks.darknet import DarkNet
from pose_onnx.exporters.networks.mobilenet_v1 import MobileNetV1
from pose_onnx.exporters.networks.mobilenet_v3 import MobileNetV3
from pose_onnx.exporters.networks.ppyolo_fpn import PPYOLOPAN, ppyolo_fpn
from pose_onnx.exporters.networks.resnet import ResNet
from pose_onnx.exporters.networks.yolo_fpn import tiny_fpn, yolov3_fpn
from pose_onnx.outputs import BoxOutput

SENSITIVE: Final = 1.05
"""How far centres reach in PP-YOLO: a little over the cell's border ("grid-sensitive")."""
COCO_SIDES: Final = (
    ((116, 90), (156, 198), (373, 326)),
    ((30, 61), (62, 45), (59, 119)),
    ((10, 13), (16, 30), (33, 23)),
)
R18_SIDES: Final = (((81, 82), (135, 169), (344, 319)), ((10, 14), (23, 27), (37, 58)))
MOBILE_SIDES: Final = (((115, 71), (120, 195), (254, 235)), ((11, 18), (34, 47), (51, 126)))
TINY_SIDES: Final = (
    ((220, 125), (128, 222), (264, 266)),
    ((35, 87), (102, 96), (60, 170)),
    ((10, 15), (24, 36), (72, 42)),
)


class Head(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Features of decreasing stride -> one raw map each."""

    def __init__(self, c_in: Sequence[int], c_out: Sequence[int]) -> None:
        super().__init__()
        self.yolo_output = nn.LayerList([nn.Conv2D(*sizes, 1) for sizes in zip(c_in, c_out, strict=True)])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(N, C_i, H_i, W_i) -> (N, c_out_i, H_i, W_i)."""
        return [conv(x) for conv, x in zip(self.yolo_output, features, strict=True)]


class Design(NamedTuple):
    """What an architecture consists of.

    Attributes:
        backbone: makes the backbone.
        neck: makes the neck, from the channels of the backbone's features.
        anchors: of the head.
    """

    backbone: Callable[[], nn.Layer]
    neck: Callable[[Sequence[int]], nn.Layer]
    anchors: Anchors


class Yolo(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Detector without NMS.

    Args:
        design: parts of the network.
        classes: number of classes C.
        strides: input pixels per cell of each level, the coarsest first.
    """

    def __init__(self, design: Design, classes: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.backbone = design.backbone()
        self.neck = design.neck(self.backbone.channels)
        self.yolo_head = Head(self.neck.channels, design.anchors.channels(classes))
        self._anchors, self._classes, self._strides = design.anchors, classes, strides

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) normalised RGB -> boxes (N, A, 4) xyxy network px, scores (N, A, C)."""
        maps = self.yolo_head(self.neck(self.backbone(image)))
        return decode_maps(maps, self._classes, self._anchors, self._strides)


LAST_THREE: Final = (1, 2, 3)
"""Stages of strides 8, 16 and 32."""
_YOLOV3: Final = Anchors(COCO_SIDES)
_PPYOLOV2: Final = Anchors(COCO_SIDES, SENSITIVE, 0.5)
_MOBILE: Final = Anchors(MOBILE_SIDES, SENSITIVE)
_MOBILE_FPN: Final = partial(ppyolo_fpn, pairs=0, spp=True, coordinates=True)
_R50VD_DCN: Final = partial(ResNet, 50, LAST_THREE, vd=True, deformable=(3,))
DESIGNS: Final[Mapping[str, Design]] = MappingProxyType(
    {
        "yolov3_darknet53": Design(DarkNet, yolov3_fpn, _YOLOV3),
        "yolov3_mobilenet_v1": Design(
            partial(MobileNetV1, ("conv3_2", "conv4_2", "conv6")), yolov3_fpn, _YOLOV3
        ),
        "yolov3_mobilenet_v3_large": Design(partial(MobileNetV3, "large", (7, 13, 16)), yolov3_fpn, _YOLOV3),
        "yolov3_r34": Design(partial(ResNet, 34, LAST_THREE), yolov3_fpn, _YOLOV3),
        "yolov3_r50vd_dcn": Design(_R50VD_DCN, yolov3_fpn, _YOLOV3),
        "ppyolo_r50vd_dcn": Design(
            _R50VD_DCN, partial(ppyolo_fpn, spp=True, coordinates=True), Anchors(COCO_SIDES, SENSITIVE, 0.4)
        ),
        "ppyolo_r18vd": Design(
            partial(ResNet, 18, (2, 3), vd=True),
            partial(ppyolo_fpn, pairs=0),
            Anchors(R18_SIDES, SENSITIVE),
        ),
        "ppyolo_mbv3_large": Design(partial(MobileNetV3, "large", (13, 16)), _MOBILE_FPN, _MOBILE),
        "ppyolo_mbv3_small": Design(partial(MobileNetV3, "small", (9, 12)), _MOBILE_FPN, _MOBILE),
        "ppyolov2_r50vd_dcn": Design(_R50VD_DCN, PPYOLOPAN, _PPYOLOV2),
        "ppyolov2_r101vd_dcn": Design(
            partial(ResNet, 101, LAST_THREE, vd=True, deformable=(3,)), PPYOLOPAN, _PPYOLOV2
        ),
        "ppyolo_tiny": Design(
            partial(MobileNetV3, "large", (7, 13, 16), 0.5),
            partial(tiny_fpn, widths=(160, 128, 96)),
            Anchors(TINY_SIDES, SENSITIVE),
        ),
    }
)


def build(card: ModelCard) -> Yolo:
    """Make the network of a card."""
    strides = cast("BoxOutput", card.output).strides
    return Yolo(DESIGNS[card.architecture], len(card.classes), strides)
