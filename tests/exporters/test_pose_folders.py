"""Keypoint folders that PaddleDetection wrote: the keypoints that Paddle and a plain decoder find, and ours.

POSE_ONNX_TEST_ALL_FOLDERS=1 takes HRNet-W32 too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import PRESETS, KeypointModel, load_image, read_card
from pose_onnx.core.arrays import F32
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.exporters import export
from pose_onnx.runtimes import backend_for
from tests.plain_decoders import plain_dark, plain_quarter

SCRIPT = Path(__file__).with_name("paddle_final_boxes.py")  # it runs any folder
PHOTO = Path(__file__).parents[2] / "models" / "photos" / "astronaut.jpg"
ALL = "POSE_ONNX_TEST_ALL_FOLDERS"
BOXES = np.array([[60, 10, 380, 500], [150, 40, 330, 300], [0, 200, 250, 511]], np.float32)
"""Of people, in the photo's pixels: what a detector would give."""
BAR_POINT = 0.01  # the photo's pixels
BAR_SCORE = 1e-4  # relative to the highest cell: heatmaps of made-up weights reach 1e5
LONGEST_STEP = 1.0  # cells; DARK divides by a curvature, which is next to nothing in some of these maps
DECODERS: dict[bool, Callable[[F32], tuple[float, float]]] = {
    True: lambda heatmap: plain_dark(heatmap, 3),
    False: plain_quarter,
}
"""By the config's `use_dark`."""
FOLDERS = [("tinypose_hand", True), ("lite_hrnet_18", False)]
if ALL in os.environ:
    FOLDERS += [("dark_hrnet_w32", True), ("dark_hrnet_w32", False), ("wider_naive", False)]


def heatmaps_of_paddle(folder: Path, tensor: F32, work: Path) -> F32:
    np.savez(work / "inputs.npz", image=tensor)
    flags = {"FLAGS_enable_pir_api": "0", "FLAGS_use_mkldnn": "0", "GLOG_minloglevel": "2"}
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, folder, work / "inputs.npz", work / "heatmaps.npy"],
        check=True,
        capture_output=True,
        env={**os.environ, **flags, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    heatmaps: F32 = np.load(work / "heatmaps.npy")
    return heatmaps


@pytest.mark.parametrize(("name", "dark"), FOLDERS)
def test_keypoints_are_those_of_the_folder_in_paddle(
    unpack: Callable[[str], Path], tmp_path: Path, name: str, *, dark: bool
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(unpack(name), folder)
    with (folder / "infer_cfg.yml").open("a") as config:
        config.write(f"use_dark: {str(dark).lower()}\n")
    files = export(folder, out=tmp_path / "out").files
    image, card = load_image(PHOTO), read_card(files[0])
    crops = PRESETS["paddle"].crops(BOXES, image.shape[:2], card.picture.size, 4)
    heatmaps = heatmaps_of_paddle(folder, keypoint_input(image, crops, card.picture), tmp_path)
    cells = np.array([[DECODERS[dark](heatmap) for heatmap in person] for person in heatmaps])
    width = heatmaps.shape[3]
    peaks = np.stack(
        np.divmod(heatmaps.reshape(*heatmaps.shape[:2], -1).argmax(axis=-1), width)[::-1], axis=-1
    )
    comparable = np.abs(cells - peaks).max(axis=-1) <= LONGEST_STEP
    assert comparable.mean() > 0.5
    points, scores = keypoints_in_image(cells.astype(np.float32), heatmaps.max(axis=(2, 3)), crops)
    for file in files:
        with KeypointModel(file, backend=backend_for(file), preset="paddle") as model:
            found = model(image, BOXES)
        assert np.abs(found.keypoints - points)[comparable].max() <= BAR_POINT
        assert np.abs(found.scores - scores).max() <= BAR_SCORE * np.abs(heatmaps).max()
