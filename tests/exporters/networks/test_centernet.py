"""CenterNet for boxes: names of parameters, templates, and a whole export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import Detector, card_names, load_card, load_image
from pose_onnx.exporters import export
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.templates import find_template
from pose_onnx.outputs import CenterOutput
from pose_onnx.runtimes import backend_for

PHOTO = Path(__file__).parents[3] / "models" / "photos" / "astronaut.jpg"
SMALL = "centernet_mbv3_small_140e_coco"
NAMES = [name for name in card_names() if name.startswith("centernet_")]
PARAMETERS = {
    SMALL: (
        "neck.dla_up.ida_1.proj_2.0.conv.weight",
        "neck.ida_up.node_1.0.norm._mean",
        "neck.ida_up.up_2.weight",
        "head.heatmap.0.conv.bias",
        "head.size.2.conv.weight",
    ),
    "centernet_r50_140e_coco": ("backbone.res5.res5a.branch2b.conv_offset.weight",),
    "centernet_mbv1_140e_coco": ("backbone.conv2_1._pointwise_conv._conv.weight",),
    "centernet_shufflenetv2_140e_coco": (
        "backbone._conv1._batch_norm._mean",
        "backbone.2_1._conv_dw_1._conv.weight",
        "backbone.3_8._conv_linear._batch_norm.bias",
    ),
    "centernet_dla34_140e_coco": (
        "neck.dla_up.ida_0.proj_1.0.conv.conv_offset.bias",
        "neck.ida_up.node_2.0.conv.conv_dcn.bias",
        "neck.ida_up.proj_1.0.norm.weight",
    ),
}
"""Some of every kind, as PaddleDetection's checkpoints have them."""
DLA_OF_PADDLE = {
    "backbone.base_layer.0.conv.weight": "backbone.base_layer.0.weight",
    "backbone.level1.0.norm._mean": "backbone.level1.1._mean",
    "backbone.level2.tree1.conv2.conv.weight": "backbone.level2.tree1.conv2.weight",
    "backbone.level3.tree2.tree2.conv1.norm.bias": "backbone.level3.tree2.tree2.bn1.bias",
    "backbone.level4.tree1.root.conv.conv.weight": "backbone.level4.tree1.root.conv.weight",
    "backbone.level5.root.conv.norm._variance": "backbone.level5.root.bn._variance",
    "backbone.level4.tree1.project.conv.weight": "backbone.level4.tree1.project.0.weight",
    "backbone.level5.project.norm.bias": "backbone.level5.project.1.bias",
}
"""Names in PaddleDetection's checkpoints, and ours."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_names_of_parameters(name: str) -> None:
    card = load_card(name)
    template = find_template(card)
    assert template is not None
    assert {*PARAMETERS[name]} <= template.shapes(card).keys()


def test_dla_takes_the_names_of_paddle() -> None:
    card = load_card("centernet_dla34_140e_coco")
    network, template = network_of(card), find_template(card)
    assert template is not None
    shapes = template.shapes(card)
    back = {ours: theirs for theirs, ours in DLA_OF_PADDLE.items()}
    assert back.keys() <= shapes.keys()
    given = {back.get(key, key): np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    given["backbone.level3.project.conv.weight"] = np.zeros((128, 64, 1, 1), np.float32)  # nobody uses it
    taken = match_parameters(given, shapes, aliases=network.aliases, buffers=network.buffers)
    assert {key: array.shape for key, array in taken.items()} == shapes


def test_both_formats_find_the_same(random_checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """From the template, without Paddle."""
    result = export(random_checkpoint(SMALL), model=SMALL, out=tmp_path)
    assert all(measured.error <= (measured.bar or 0) for measured in result.measured)
    image, found = load_image(PHOTO), []
    for file in result.files:
        with Detector(file, backend=backend_for(file), threshold=0) as detector:
            found.append(detector(image))
    assert len(found[0].boxes) == len(found[1].boxes) > 0
    np.testing.assert_allclose(found[0].scores, found[1].scores, rtol=0, atol=1e-5)


def test_cards_have_the_input_and_output_of_their_folders() -> None:
    assert len(NAMES) == 6
    for name in NAMES:
        card = load_card(name)
        assert card.output == CenterOutput(stride=4, max_boxes=100)
        assert (card.picture.size, card.picture.color) == ((512, 512), "bgr")
        assert card.picture.resize == ("fix" if "shufflenet" in name else "fit")
