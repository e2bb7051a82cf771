"""Folders that PaddleDetection wrote, with made-up weights: exported without a name, and run beside Paddle.

POSE_ONNX_TEST_ALL_FOLDERS=1 exports every folder that can be, which takes half an hour.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import BoxOutput, Detector, read_card
from pose_onnx.exporters import export
from pose_onnx.outputs import CenterOutput
from tests.exporters.final_boxes import compare_final_boxes

PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
DETECTOR = "picodet_s_320_coco_lcnet"
ALL = "POSE_ONNX_TEST_ALL_FOLDERS"
WHY = f"half an hour: asked for by {ALL}=1"
PHOTOS = 3
SQUARE = (400, 400)
"""Part of a photo that needs no padding.

With made-up weights, hundreds of anchors in the padding have the same score, one of the best, and Paddle
keeps any of them. A small network is compared with padding (test_small_rcnn.py).
"""
SECOND_STAGE = {(3136, 1024): 0.025, (1024, 1024): 0.044, (1024, 81): 0.03, (1024, 320): 0.1}
"""Sizes of the layers of Faster R-CNN's second stage, and how far weights spread that keep values alike."""

Unpack = Callable[[str], Path]


@pytest.fixture(scope="module")
def detector_folder(unpack: Unpack) -> Path:
    return unpack(DETECTOR)


@pytest.fixture(scope="module")
def detector_files(detector_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return export(detector_folder, out=tmp_path_factory.mktemp("out")).files


def test_the_card_is_what_the_folder_says(detector_files: tuple[Path, ...]) -> None:
    onnx, tflite = detector_files
    card = read_card(onnx)
    assert card == read_card(tflite)
    assert card.name == DETECTOR
    assert card.source.startswith(f"exported from {DETECTOR}/model.pdiparams, sha256 ")
    assert (card.published, card.license, card.download) == ("", "", "")
    assert (len(card.classes), card.classes[0], card.classes[-1]) == (80, "person", "toothbrush")
    assert (card.picture.size, card.picture.resize) == ((320, 320), "stretch")
    # As the program has it; the 0.5 of infer_cfg.yml is for programs that do not suppress boxes.
    assert card.output == BoxOutput(nms_iou=0.6, max_boxes=100, strides=(8, 16, 32, 64))


def test_final_boxes_are_those_of_the_folder_in_paddle(
    detector_folder: Path, detector_files: tuple[Path, ...], tmp_path: Path
) -> None:
    compare_final_boxes(detector_folder, detector_files, tmp_path)
    with Detector(detector_files[0], threshold=0, classes=("chair",)) as detector:
        assert {*detector(PHOTO).labels.tolist()} == {56}  # COCO's


def test_a_centernet_is_cut_before_its_peaks(unpack: Unpack, tmp_path: Path) -> None:
    folder = unpack("centernet_mbv3_small")
    files = export(folder, out=tmp_path).files
    card = read_card(files[0])
    assert card.output == CenterOutput(stride=4, max_boxes=100)
    assert (card.picture.size, card.picture.resize, card.picture.color) == ((512, 512), "fit", "bgr")
    # PaddleDetection pads such a picture to 512 x 512, too; of odd sides it forgets half a pixel.
    compare_final_boxes(folder, files, tmp_path, size=(500, 490))


@pytest.mark.skipif(ALL not in os.environ, reason=WHY)
@pytest.mark.parametrize(
    "name",
    ["tinypose_hand", "lite_hrnet_18", "wider_naive", "dark_hrnet_w32", "picodet_l_416_coco_lcnet"],
)
def test_every_folder_of_a_known_family_is_exported(unpack: Unpack, tmp_path: Path, name: str) -> None:
    assert len(export(unpack(name), out=tmp_path).files) == 2


@pytest.mark.parametrize(
    "name",
    [
        "ppyolo_tiny",
        pytest.param("yolov3_mbv3", marks=pytest.mark.skipif(ALL not in os.environ, reason=WHY)),
        pytest.param("ppyolov2", marks=pytest.mark.skipif(ALL not in os.environ, reason=WHY)),
        pytest.param("ppyolo", marks=pytest.mark.skipif(ALL not in os.environ, reason=WHY)),
    ],
)
def test_final_boxes_of_detectors_with_anchors_are_those_of_paddle(
    unpack: Unpack, tmp_path: Path, name: str
) -> None:
    folder = unpack(name)
    compare_final_boxes(folder, export(folder, out=tmp_path).files, tmp_path)


@pytest.mark.skipif(ALL not in os.environ, reason=WHY)
def test_final_boxes_of_a_two_stage_detector_are_those_of_paddle(
    unpack: Unpack, shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "faster"
    shutil.copytree(unpack("faster_enhance"), folder)
    tell_regions_apart(folder / "model.pdiparams")
    files = export(folder, to=["onnx"], out=tmp_path).files
    for photo in (PHOTO, *sorted((shared / "coco_dev" / "images").iterdir())[:PHOTOS]):
        compare_final_boxes(folder, files, tmp_path, size=SQUARE, photo=photo)


def tell_regions_apart(params: Path) -> None:
    """Write other weights of the second stage: with the made-up ones, every region has the same low scores.

    A tensor's bytes follow its description: float32 (8, 5), then each size after a 16, as in protobuf.
    """
    content = bytearray(params.read_bytes())
    rng = np.random.default_rng(0)
    for sizes, spread in SECOND_STAGE.items():
        described = b"\x08\x05" + b"".join(b"\x10" + varint(size) for size in sizes)
        start = content.index(described) + len(described)
        weights = rng.normal(0, spread, sizes).astype(np.float32).tobytes()
        content[start : start + len(weights)] = weights
    params.write_bytes(content)


def varint(size: int) -> bytes:
    """Return a number of two groups of 7 bits, or of one, as protobuf does."""
    return bytes([size]) if size < 128 else bytes([size % 128 + 128, size // 128])
