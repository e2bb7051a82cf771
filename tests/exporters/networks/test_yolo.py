"""YOLOv3, PP-YOLO and PP-YOLOv2: names of parameters, templates, cards, and a whole export.

POSE_ONNX_TEST_ALL_TEMPLATES=1 exports PP-YOLOv2 too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import BoxOutput, Detector, card_names, load_card, load_image
from pose_onnx.exporters import export
from pose_onnx.exporters.paddle_to_onnx import random_parameters
from pose_onnx.exporters.templates import find_template
from pose_onnx.exporters.verify import make_inputs
from pose_onnx.runtimes import backend_for

PHOTO = Path(__file__).parents[3] / "models" / "photos" / "astronaut.jpg"
ALL = "POSE_ONNX_TEST_ALL_TEMPLATES"
SMALL, LARGEST = "ppyolo_mbv3_small_coco", "ppyolov2_r50vd_dcn_365e_coco"
BARS = {"boxes": 1e-3, "scores": 5e-6}
NAMES = [name for name in card_names() if "yolo" in name and "ppyoloe" not in name]
PARAMETERS = {
    "yolov3_darknet53_270e_coco": (
        "backbone.conv0.conv.weight",
        "backbone.downsample0.conv_bn_layer.batch_norm._mean",
        "backbone.stage.1.basicblock0.conv1.conv.weight",
        "backbone.stage.4.stage.4.3.conv2.batch_norm.bias",
        "backbone.stage.3.downsample.conv_bn_layer.conv.weight",
        "neck.yolo_block.1.conv_module.route.batch_norm._variance",
        "neck.yolo_block.2.tip.conv.weight",
        "neck.yolo_transition.1.conv.weight",
        "yolo_head.yolo_output.2.bias",
    ),
    "yolov3_mobilenet_v1_270e_coco": ("backbone.conv5_6._depthwise_conv._batch_norm._mean",),
    "yolov3_mobilenet_v3_large_270e_coco": (
        "backbone.conv5.mid_se.conv2.bias",
        "backbone.conv16.linear_conv.bn.weight",
    ),
    "yolov3_r34_270e_coco": (
        "backbone.conv1.conv1.norm._mean",
        "backbone.res2.res2a.short.conv.weight",
        "backbone.res4.res4f.branch2b.norm.bias",
    ),
    "ppyolo_tiny_650e_coco": (
        "neck.spp.conv.conv.weight",
        "neck.yolo_block.1.conv_module.yolo_block.1.route.conv.weight",
    ),
    "ppyolo_r50vd_dcn_1x_coco": (
        "backbone.conv1.conv1_3.conv.weight",
        "backbone.res3.res3a.short.conv.norm._mean",
        "backbone.res5.res5c.branch2b.conv_offset.bias",
        "neck.yolo_block.0.conv_module.conv2.conv.conv.weight",
        "neck.yolo_block.0.conv_module.spp.conv.batch_norm.weight",
        "neck.yolo_block.1.tip.conv.conv.weight",
    ),
    "ppyolov2_r101vd_dcn_365e_coco": (
        "backbone.res4.res4b22.branch2c.conv.weight",
        "neck.fpn.0.conv_module.spp.conv.conv.weight",
        "neck.fpn_transition.1.batch_norm.bias",
        "neck.pan.0.conv_module.2.1.conv.weight",
        "neck.pan_transition.0.conv.weight",
    ),
}
"""Some of every kind, as PaddleDetection's checkpoints have them."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_names_of_parameters(name: str) -> None:
    card = load_card(name)
    template = find_template(card)
    assert template is not None
    assert {*PARAMETERS[name]} <= template.shapes(card).keys()


def test_boxes_of_both_formats(random_checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """From the template, without Paddle: places as channels, pyramid pooling, anchors."""
    result = export(random_checkpoint(SMALL), model=SMALL, out=tmp_path)
    for measured in result.measured:
        assert measured.error <= BARS[measured.output], measured
    image, found = load_image(PHOTO), []
    for file in result.files:
        with Detector(file, backend=backend_for(file), threshold=0.26) as detector:
            found.append(detector(image))
    assert len(found[0].boxes) == len(found[1].boxes) > 0
    np.testing.assert_allclose(found[0].boxes, found[1].boxes, rtol=0, atol=0.01)


@pytest.mark.skipif(ALL not in os.environ, reason=f"half a minute: asked for by {ALL}=1")
def test_ppyolov2_from_paddle_to_tflite(run_paddle: Callable[..., None], tmp_path: Path) -> None:
    """Deformable convolutions, Mish and IoU-aware scores, on a small input."""
    del run_paddle  # it skips where there is no Paddle
    base = load_card(LARGEST)
    card = replace(base, name="small", input=replace(base.picture, size=(64, 64)), classes=("person",))
    np.savez(tmp_path / "w.npz", **random_parameters(card, make_inputs(card), tmp_path))  # type: ignore[arg-type]  # keywords are arrays here
    result = export(tmp_path / "w.npz", card=card, out=tmp_path / "out", via="paddle")
    assert {m.stage for m in result.measured} == {"onnx fp32 vs paddle", "tflite fp32 vs onnx fp32"}
    for measured in result.measured:
        assert measured.error <= BARS[measured.output], measured


def test_cards_suppress_boxes_as_their_folders_do() -> None:
    cards = {name: load_card(name) for name in NAMES}
    assert len(cards) == 16
    for name, card in cards.items():
        assert isinstance(card.output, BoxOutput)
        assert card.output.ends_inside
        matrix = name.startswith(("ppyolo_r", "ppyolov2"))
        assert card.output.nms == ("matrix_linear" if matrix else "hard")
        assert matrix or card.output.nms_iou == 0.45
        assert card.output.strides[0] == 32
