"""Our Paddle definitions against PaddleDetection's outputs, with the official weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import UnknownNameError, card_names, load_card
from pose_onnx.exporters.networks import NETWORKS, network_of
from pose_onnx.exporters.paddle_to_onnx import _trace
from pose_onnx.exporters.source import Checkpoint, read_source
from tests.conftest import OFFICIAL

# One Paddle against another: nearly the same kernels in nearly the same order.
BARS = {"heatmaps": 2e-6, "boxes": 1e-3, "scores": 2e-6}


@pytest.mark.parametrize("name", OFFICIAL)
def test_outputs_are_those_of_paddle_detection(shared: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("paddle", reason="extra 'export', Python 3.10 to 3.12", exc_type=ImportError)
    card = load_card(name)
    source = read_source(shared / "weights" / f"{name}.npz")
    assert isinstance(source, Checkpoint)
    batch = 2 if card.task == "keypoints" else 1  # as the golden files were made
    image = np.random.default_rng(0).standard_normal((batch, 3, *card.picture.size)).astype(np.float32)
    np.savez(tmp_path / "images.npz", golden=image)
    found = _trace(source, card, tmp_path)[1]["golden"]
    with np.load(shared / "golden" / f"raw_{name}.npz") as golden:
        assert set(golden.files) == set(card.output_names)
        for output in golden.files:
            error = np.abs(found[output].reshape(golden[output].shape) - golden[output]).max()
            assert error <= BARS[output], f"{output}: {error}"


def test_every_card_has_its_network() -> None:
    assert {load_card(name).architecture for name in card_names()} <= NETWORKS.keys()


def test_an_unknown_architecture_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"'yolo'.*\['tinypose', 'lite_hrnet_18',"):
        network_of(replace(load_card("tinypose_128x96"), architecture="yolo"))
