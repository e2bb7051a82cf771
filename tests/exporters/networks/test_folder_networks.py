"""Our definitions against the folders that PaddleDetection wrote, with the folders' weights.

The folders' weights are made up; so are the distances of PicoDet's bins, which no training changes and which
are constants of ours. So of PicoDet only the scores are compared here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import load_card
from pose_onnx.exporters.verify import make_inputs

# The same kernels in the same order; heatmaps are equal to the last bit.
BAR_SCORE = 1e-6
# Programs before PIR load only with the interpreter of their time; oneDNN computes TinyPose wrongly.
FLAGS = {"FLAGS_enable_pir_api": "0", "FLAGS_use_mkldnn": "0"}

Computed = Mapping[str, NDArray[np.float32]]


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
    rows = arrays["folder0"]
    assert len(rows) == 100
    for label, score in rows[:, :2]:
        assert np.abs(arrays["scores"][0, :, int(label)] - score).min() <= BAR_SCORE
    # The best of all is among them, so the folder's are not others of ours.
    assert abs(arrays["scores"].max() - rows[:, 1].max()) <= BAR_SCORE
