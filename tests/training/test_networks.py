"""The torch networks are the official ones: their names, their shapes, their outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from training.export import CHECKPOINTS
from training.norm import BatchNorm
from training.picodet import PicoDet, boxes, scores
from training.predict import folded, round_kernels
from training.restart import restart_dead
from training.tinypose import TinyPose
from training.weights import load_npz, save_npz, to_paddle

HEATMAP_BAR = 5e-6  # float32 summed in another order than Paddle does; 5e-7 was seen
BOX_BAR = 1e-3  # pixels, of up to 320
FLOAT32_STEPS = 8 * 2.0**-24  # a kernel is divided by its scale and multiplied by it again
POSE, DETECTOR = "tinypose_128x96_distilled", "picodet_s_192_lcnet_pedestrian_distilled"


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


@pytest.mark.parametrize("name", [POSE, DETECTOR])
def test_the_checkpoints_kernels_are_float16_numbers_once_folded(name: str) -> None:
    network = {POSE: TinyPose, DETECTOR: PicoDet}[name]()
    load_npz(network, CHECKPOINTS / f"{name}.npz")
    for kernel in kernels(folded(network)):
        np.testing.assert_allclose(kernel, as_float16(kernel), rtol=FLOAT32_STEPS, atol=0)


def test_rounding_kernels_moves_them_by_half_a_step_of_float16() -> None:
    torch.manual_seed(0)
    network = PicoDet().eval()
    for module in network.modules():
        if isinstance(module, BatchNorm):
            nn.init.uniform_(module.weight, -2, 2)
            nn.init.uniform_(module.get_buffer("running_var"), 1e-3, 10)
            module.weight.data[0] = 0  # a dead channel
    before = kernels(folded(network))
    round_kernels(network)
    for old, new in zip(before, kernels(folded(network)), strict=True):
        halves = old.astype(np.float16)
        step = np.spacing(np.abs(halves)).astype(np.float32)
        assert (np.abs(new - old) <= step * 0.51).all()
        np.testing.assert_allclose(new, as_float16(new), rtol=FLOAT32_STEPS, atol=0)


def test_dead_channels_get_new_kernels_and_the_others_keep_theirs() -> None:
    torch.manual_seed(0)
    network, image = TinyPose().train(), torch.rand(8, 3, 128, 96)
    assert restart_dead(network, image, seed=0) == 0
    stem, dead = "backbone.stem", [3, 20]
    expand = network.get_submodule(f"{stem}.expand_conv")
    expand.norm.weight.data[dead], expand.norm.bias.data[dead] = 0.1, -2  # ReLU passes nothing
    before = {name: value.clone() for name, value in network.named_parameters()}
    assert restart_dead(network, image, seed=0) == 4  # with those that the next layer makes of these
    assert restart_dead(network, image, seed=0) == 0
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    norm = {f"{stem}.expand_conv.norm.{name}" for name in ("weight", "bias")}
    assert changed == norm | {f"{stem}.{name}.conv.weight" for name in ("expand_conv", "depthwise_conv")}
    for name in changed:
        rows = (network.get_parameter(name) != before[name]).nonzero()[:, 0].unique().tolist()
        assert rows == dead, name


def kernels(network: nn.Module) -> list[NDArray[np.float32]]:
    return [m.weight.detach().numpy().copy() for m in network.modules() if isinstance(m, nn.Conv2d)]


def as_float16(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    return kernel.astype(np.float16).astype(np.float32)
