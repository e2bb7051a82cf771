"""`--layout deepstream`: keys of Gst-nvinfer alone, and boxes that its own parser reads as ours.

DeepStream itself runs on NVIDIA's hardware only, and is not on PyPI: no test here loads the folder in it.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pose_onnx import Detector, ExportError, KeypointModel, load_card, load_image
from pose_onnx.cli import main
from pose_onnx.core.arrays import F32
from pose_onnx.core.nms import select_boxes
from pose_onnx.core.opencv import cv2
from pose_onnx.exporters import lay_out
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

ROOT = Path(__file__).parents[2]
PHOTO = load_image(ROOT / "models" / "photos" / "astronaut.jpg")
NOBODY = load_image(ROOT / "models" / "photos" / "camera.jpg")[150:280, 350:]
WHOLE, REAL, NAME = r"\d+", r"\d+(\.\d+)?", r"[\w.-]+"
# What the documentation of Gst-nvinfer says of the keys that are used: their groups and values.
KEYS = {
    "property": {
        "onnx-file": NAME,
        "labelfile-path": NAME,
        "infer-dims": r"\d+;\d+;\d+",
        "model-color-format": "[012]",
        "net-scale-factor": REAL,
        "scaling-filter": "[0-6]",
        "network-mode": "[012]",
        "gie-unique-id": WHOLE,
        "batch-size": WHOLE,
        "process-mode": "[12]",
        "network-type": "[0123]|100",
        "maintain-aspect-ratio": "[01]",
        "symmetric-padding": "[01]",
        "num-detected-classes": WHOLE,
        "cluster-mode": "[01234]",
        "operate-on-gie-id": WHOLE,
        "operate-on-class-ids": r"\d+(;\d+)*",
        "output-tensor-meta": "[01]",
    },
    "class-attrs-all": {"pre-cluster-threshold": REAL, "nms-iou-threshold": REAL, "topk": WHOLE},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("deepstream")
    (folder,) = lay_out([DEFAULT_DETECTOR, DEFAULT_POSE], ["deepstream"], out=out)
    return folder


def config_of(file: Path) -> ConfigParser:
    config = ConfigParser(strict=True, interpolation=None)  # a key that is given twice is an error
    config.read_string(file.read_text(encoding="utf-8"))
    return config


def parse_grid(bbox: F32, cov: F32, width: int, height: int) -> tuple[F32, F32]:
    """Read boxes as Gst-nvinfer's DetectNet parser does: of each cell that is a step of the input."""
    _, rows, columns = cov.shape
    step_x, step_y = -(-width // columns), -(-height // rows)
    x = (np.arange(columns, dtype=np.float32) * step_x + 0.5) / 35
    y = ((np.arange(rows, dtype=np.float32) * step_y + 0.5) / 35)[:, None]
    corners = [(bbox[0] - x) * -35, (bbox[1] - y) * -35, (bbox[2] + x) * 35, (bbox[3] + y) * 35]
    boxes: F32 = np.stack(corners, axis=-1).reshape(-1, 4).astype(np.float32)
    return boxes, cov.reshape(-1, 1)


def run(file: Path, pixels_rgb: F32) -> dict[str, F32]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": pixels_rgb}), strict=True))


def test_files_keys_and_values(folder: Path) -> None:
    names = [DEFAULT_DETECTOR, DEFAULT_POSE]
    expected = {f"{name}{suffix}" for name in names for suffix in (".txt", ".labels.txt", ".onnx")}
    assert {path.name for path in folder.iterdir()} == expected
    for name in names:
        config = config_of(folder / f"{name}.txt")
        for group in config.sections():
            for key, value in config[group].items():
                assert re.fullmatch(KEYS[group][key], value), (group, key, value)
        for key in ("onnx-file", "labelfile-path"):
            if key in config["property"]:
                assert (folder / config["property"][key]).is_file()


def test_the_second_works_on_the_people_of_the_first(folder: Path) -> None:
    first, second = (
        config_of(folder / f"{name}.txt")["property"] for name in (DEFAULT_DETECTOR, DEFAULT_POSE)
    )
    assert second["operate-on-gie-id"] == first["gie-unique-id"]
    assert (folder / first["labelfile-path"]).read_text().split() == ["person"]
    labels = (folder / f"{DEFAULT_POSE}.labels.txt").read_text().split()
    assert labels == list(load_card(DEFAULT_POSE).keypoints)


def test_the_built_in_parser_reads_the_boxes_of_the_detector(folder: Path) -> None:
    config = config_of(folder / f"{DEFAULT_DETECTOR}.txt")
    _, height, width = map(int, config["property"]["infer-dims"].split(";"))
    pixels = [
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) for picture in (PHOTO, NOBODY)
    ]
    both = np.stack(pixels)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    outputs = run(folder / config["property"]["onnx-file"], np.ascontiguousarray(both))
    limits = config["class-attrs-all"]
    found = [
        select_boxes(
            *parse_grid(bbox, cov, width, height),
            float(limits["pre-cluster-threshold"]),
            iou=float(limits["nms-iou-threshold"]),
            most=int(limits["topk"]),
        )
        for bbox, cov in zip(outputs["bbox"], outputs["cov"], strict=True)
    ]
    with Detector(DEFAULT_DETECTOR) as detector:
        expected = detector(PHOTO)
    assert [len(people) for people in found] == [len(expected), 0]
    ratio = np.tile(np.divide(PHOTO.shape[1::-1], (width, height)), 2)
    limit = np.tile(PHOTO.shape[1::-1], 2)
    boxes = np.clip(found[0].boxes * ratio, 0, limit)
    np.testing.assert_allclose(boxes, expected.boxes, atol=0.05)  # float32 on a grid of hundreds of cells
    np.testing.assert_allclose(found[0].scores, expected.scores, atol=1e-5)


def test_heatmaps_of_raw_pixels_are_those_of_normalised_ones(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 128, 96, 3), np.uint8)
    outputs = run(folder / f"{DEFAULT_POSE}.onnx", pixels.transpose(0, 3, 1, 2).astype(np.float32))
    with KeypointModel(DEFAULT_POSE) as model:
        tensor = np.empty((2, 3, 128, 96), np.float32)
        for image, target in zip(pixels, tensor, strict=True):
            model.card.picture.normalize(image[..., ::-1], out=target)
        expected = model.runtime.run({"image": tensor})["heatmaps"]
    np.testing.assert_allclose(outputs["heatmaps"], expected, atol=5e-6)


def test_end_to_end_files_are_refused(tmp_path: Path) -> None:
    assert main(["export", DEFAULT_POSE, "--end-to-end", "--out", str(tmp_path)]) == 0
    with pytest.raises(ExportError, match="give the file without 'end_to_end'"):
        lay_out([tmp_path / f"{DEFAULT_POSE}_end_to_end.onnx"], ["deepstream"], out=tmp_path)
    assert not (tmp_path / "deepstream").exists()


def test_both_layouts_at_once(tmp_path: Path) -> None:
    words = ["export", DEFAULT_DETECTOR, "--layout", "triton,deepstream", "--golden", "--out", str(tmp_path)]
    assert main(words) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"triton", "deepstream", "golden"}
