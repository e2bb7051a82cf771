"""The torch networks are the official ones: their names, their shapes, their outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.picodet import PicoDet, boxes, scores
from training.predict import folded
from training.tinypose import TinyPose
from training.weights import load_npz, save_npz, to_paddle

HEATMAP_BAR = 5e-6  # float32 summed in another order than Paddle does; 5e-7 was seen
BOX_BAR = 1e-3  # pixels, of up to 320


@pytest.mark.parametrize(("name", "size"), [("tinypose_128x96", (128, 96)), ("tinypose_256x192", (256, 192))])
@pytest.mark.parametrize("fold", [False, True])
def test_pose_equals_paddle(shared: Path, name: str, size: tuple[int, int], *, fold: bool) -> None:
    network = TinyPose().eval()
    load_npz(network, shared / f"weights/{name}.npz")
    network = folded(network) if fold else network
    image = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
    with torch.inference_mode():
        ours = network(torch.from_numpy(image)).numpy()
    assert np.abs(ours - np.load(shared / f"golden/raw_{name}.npz")["heatmaps"]).max() < HEATMAP_BAR


@pytest.mark.parametrize("size", [192, 320])
@pytest.mark.parametrize("fold", [False, True])
def test_detector_equals_paddle(shared: Path, size: int, *, fold: bool) -> None:
    name = f"picodet_s_{size}_lcnet_pedestrian"
    network = PicoDet().eval()
    load_npz(network, shared / f"weights/{name}.npz")
    network = folded(network) if fold else network
    image = np.random.default_rng(0).standard_normal((1, 3, size, size)).astype(np.float32)
    with torch.inference_mode():
        raw = network(torch.from_numpy(image))
        ours, found = scores(raw).numpy()[0], boxes(raw, size).numpy()[0]
    golden = np.load(shared / f"golden/raw_{name}.npz")
    assert np.abs(ours - golden["scores"]).max() < HEATMAP_BAR
    assert np.abs(found - golden["boxes"]).max() < BOX_BAR


@pytest.mark.parametrize("make", [TinyPose, PicoDet])
def test_state_dict_round_trip(make: type, tmp_path: Path) -> None:
    first, second = make(), make()
    save_npz(first, tmp_path / "weights.npz")
    load_npz(second, tmp_path / "weights.npz")
    for name, value in to_paddle(second).items():
        assert np.array_equal(value, to_paddle(first)[name]), name


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    save_npz(PicoDet(), tmp_path / "weights.npz")
    with pytest.raises(ValueError, match="does not fit the network"):
        load_npz(TinyPose(), tmp_path / "weights.npz")
