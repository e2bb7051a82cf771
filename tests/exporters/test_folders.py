"""Folders that PaddleDetection wrote, with made-up weights: exported without a name, and run beside Paddle.

POSE_ONNX_TEST_ALL_FOLDERS=1 exports every folder that can be, which takes ten minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_onnx import BoxOutput, Detector, ExportError, read_card
from pose_onnx.core.arrays import F32
from pose_onnx.detector import detector_tensor
from pose_onnx.exporters import export
from pose_onnx.runtimes import backend_for

SCRIPT = Path(__file__).with_name("paddle_final_boxes.py")
PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
DETECTOR = "picodet_s_320_coco_lcnet"
ALL = "POSE_ONNX_TEST_ALL_FOLDERS"
FEWEST, MOST = 20, 60
"""Boxes that a comparison must have left."""
BAR_PIXELS, BAR_SCORE = 0.01, 1e-4
"""In the picture's pixels, and probability."""

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


def final_boxes(folder: Path, tensor: F32, scale_factor: F32, work: Path) -> F32:
    np.savez(work / "inputs.npz", image=tensor, scale_factor=scale_factor)
    flags = {"FLAGS_enable_pir_api": "0", "FLAGS_use_mkldnn": "0", "GLOG_minloglevel": "2"}
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, folder, work / "inputs.npz", work / "boxes.npy"],
        check=True,
        capture_output=True,
        env={**os.environ, **flags, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    boxes: F32 = np.load(work / "boxes.npy")
    return boxes


def test_final_boxes_are_those_of_the_folder_in_paddle(
    detector_folder: Path, detector_files: tuple[Path, ...], tmp_path: Path
) -> None:
    image = cv2.imread(str(PHOTO))
    assert image is not None
    spec = read_card(detector_files[0]).picture
    tensor = detector_tensor(image, spec)
    scale = np.divide([spec.size], [image.shape[:2]]).astype(np.float32)
    expected = final_boxes(detector_folder, tensor, scale, tmp_path)
    expected = expected[np.argsort(-expected[:, 1], kind="stable")]
    # In the widest gap: a box whose score is at the threshold would be here in one engine and not in another.
    last = FEWEST + int(np.argmax(-np.diff(expected[FEWEST - 1 : MOST, 1])))
    threshold = float(expected[last - 1 : last + 1, 1].mean())
    for file in detector_files:
        with Detector(
            file, backend=backend_for(file), preset="paddle", threshold=threshold, classes=("person", "chair")
        ) as detector:
            assert {*detector(image).labels.tolist()} <= {0, 56}  # COCO's
            detector.select(detector.card.classes)
            found = detector(image)
        assert len(found.boxes) == last
        for label, score, *box in expected[:last]:
            same = found.labels == label
            apart = np.abs(found.boxes[same] - np.array(box)).max(axis=1)
            assert apart.min() <= BAR_PIXELS
            assert abs(found.scores[same][apart.argmin()] - score) <= BAR_SCORE


def test_a_folder_of_an_unknown_family_is_one_sentence(unpack: Unpack, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"outputs \[\[100, 6\]\] are of no known kind"):
        export(unpack("centernet_mbv3_small"), out=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(ALL not in os.environ, reason=f"ten minutes: asked for by {ALL}=1")
@pytest.mark.parametrize(
    "name",
    ["tinypose_hand", "lite_hrnet_18", "wider_naive", "dark_hrnet_w32", "picodet_l_416_coco_lcnet"],
)
def test_every_folder_of_a_known_family_is_exported(unpack: Unpack, tmp_path: Path, name: str) -> None:
    assert len(export(unpack(name), out=tmp_path).files) == 2


@pytest.mark.skipif(ALL not in os.environ, reason=f"ten minutes: asked for by {ALL}=1")
@pytest.mark.parametrize("name", ["ppyolo", "ppyolov2", "faster_enhance"])
def test_every_folder_that_cannot_be_converted_names_its_operators(
    unpack: Unpack, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ExportError, match=r"the operators \['deformable_conv', "):
        export(unpack(name), out=tmp_path)
