"""Our definitions against the folders that PaddleDetection wrote, with the folders' weights.
POSE_ONNX_TEST_ALL_FOLDERS=1 takes the large ones too.

The folders' weights are made up; so are the distances of PicoDet's bins, which no training changes and which
are constants of ours. So of PicoDet only the scores are compared here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import BoxOutput, load_card
from pose_onnx.exporters.verify import make_inputs
from pose_onnx.outputs.centers import HEADS

# The same kernels in the same order; heatmaps are equal to the last bit.
BAR_SCORE = 1e-6
# Pixels, up to 1e3: places of float32 are 6e-5 apart there, and Paddle scales to the picture and back.
BAR_BOX = 1e-3
FEWEST = 100
ANCHORS = 3
# Programs before PIR load only with the interpreter of their time; oneDNN computes TinyPose wrongly.
FLAGS = {"FLAGS_enable_pir_api": "0", "FLAGS_use_mkldnn": "0"}

ALL = "POSE_ONNX_TEST_ALL_FOLDERS"

Computed = Mapping[str, NDArray[np.float32]]


def heavy(*arguments: str) -> Any:
    """Mark a case that is asked for."""
    asked = pytest.mark.skipif(ALL not in os.environ, reason=f"half a minute: asked for by {ALL}=1")
    return pytest.param(*arguments, marks=asked)


@pytest.fixture
def computed(
    unpack: Callable[[str], Path],
    run_paddle: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str], Computed]:
    """Return a function that runs a folder and our network of a card on the photo."""
    for flag, value in FLAGS.items():
        monkeypatch.setitem(os.environ, flag, value)

    def run(archive: str, name: str) -> Computed:
        image, out = tmp_path / "image.npz", tmp_path / "out.npz"
        np.savez(image, image=make_inputs(load_card(name))["photo"])
        run_paddle("folder_network.py", unpack(archive), name, image, out)
        with np.load(out) as arrays:
            return dict(arrays)

    return run


@pytest.mark.parametrize(
    ("archive", "name"),
    [
        ("dark_hrnet_w32", "dark_hrnet_w32_256x192"),
        ("lite_hrnet_18", "lite_hrnet_18_256x192_coco"),
        ("wider_naive", "wider_naive_hrnet_18_256x192_coco"),
        ("tinypose_hand", "tinypose_256x256_hand"),
    ],
)
def test_heatmaps_are_those_of_the_folder(
    computed: Callable[[str, str], Computed], archive: str, name: str
) -> None:
    arrays = computed(archive, name)
    assert np.ptp(arrays["heatmaps"]) > 0
    np.testing.assert_array_equal(arrays["heatmaps"], arrays["folder0"])


@pytest.mark.parametrize("size", ["s_320", "l_416"])
def test_scores_are_those_of_the_folder(computed: Callable[[str, str], Computed], size: str) -> None:
    name = f"picodet_{size}_coco_lcnet"
    arrays = computed(name, name)
    assert np.abs(arrays["scores"] - arrays["folder1"].transpose(0, 2, 1)).max() <= BAR_SCORE


@pytest.mark.parametrize(
    ("archive", "name"),
    [
        ("ppyolo_tiny", "ppyolo_tiny_650e_coco"),
        heavy("yolov3_mbv3", "yolov3_mobilenet_v3_large_270e_coco"),
        heavy("ppyolo", "ppyolo_r50vd_dcn_1x_coco"),
        heavy("ppyolov2", "ppyolov2_r50vd_dcn_365e_coco"),
    ],
)
def test_boxes_are_those_of_the_folder(
    computed: Callable[[str, str], Computed], archive: str, name: str
) -> None:
    arrays = computed(archive, name)
    order = paddle_order(name)
    boxes, scores = arrays["boxes"][:, order], arrays["scores"][:, order]
    seen = arrays["folder0"].any(axis=2)  # Paddle empties boxes with a low objectness
    assert seen.sum() >= FEWEST
    assert np.abs(boxes - arrays["folder0"])[seen].max() <= BAR_BOX
    assert np.abs(scores - arrays["folder1"].transpose(0, 2, 1))[seen].max() <= BAR_SCORE


@pytest.mark.skipif(ALL not in os.environ, reason=f"a minute: asked for by {ALL}=1")
def test_regions_are_those_of_the_folder(computed: Callable[[str, str], Computed]) -> None:
    arrays = computed("faster_enhance", "faster_rcnn_enhance_3x_coco")
    np.testing.assert_allclose(arrays["boxes"], arrays["folder0"], atol=BAR_BOX, rtol=0)
    np.testing.assert_allclose(arrays["scores"], arrays["folder1"], atol=BAR_SCORE, rtol=0)


def test_maps_are_those_of_the_folder(computed: Callable[[str, str], Computed]) -> None:
    arrays = computed("centernet_mbv3_small", "centernet_mbv3_small_140e_coco")
    for index, name in enumerate(HEADS):
        assert np.ptp(arrays[name]) > 0
        assert np.abs(arrays[name] - arrays[f"folder{index}"]).max() <= BAR_SCORE * np.abs(arrays[name]).max()


def paddle_order(name: str) -> NDArray[np.int64]:
    """Return our places of Paddle's boxes: it has all cells of an anchor, then those of the next."""
    card = load_card(name)
    assert isinstance(card.output, BoxOutput)
    sizes = [card.picture.size[0] // stride for stride in card.output.strides]
    ends = np.cumsum([ANCHORS * size**2 for size in sizes])
    levels = np.split(np.arange(ends[-1]), ends[:-1])
    return np.concatenate([level.reshape(-1, ANCHORS).T.ravel() for level in levels])
