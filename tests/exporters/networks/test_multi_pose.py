"""CenterNet's networks against the outputs of the reference networks with the same made-up weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputSpec, ModelCard, load_card
from pose_onnx.outputs import PeopleOutput
from tests.exporters.networks.reference_weights import reference_weights

SHARE = 2e-5  # of a head's range; measured: 1.0e-6 (ResNet), 1.8e-6 (hourglass), 5.9e-6 (DLA)


def card_of(architecture: str) -> ModelCard:
    keypoints = load_card("tinypose_128x96").keypoints
    return ModelCard(
        "golden", architecture, InputSpec((256, 256), "fix"), PeopleOutput(), keypoints=keypoints
    )


@pytest.mark.parametrize(
    ("architecture", "golden"),
    [("multi_pose_res50", "res50"), ("multi_pose_hg", "hourglass"), ("multi_pose_dla", "dla34")],
)
def test_raw_heads_are_those_of_the_reference(
    shared: Path, tmp_path: Path, run_paddle: Callable[..., None], architecture: str, golden: str
) -> None:
    card = card_of(architecture)
    (tmp_path / "card.json").write_text(card.to_json())
    with np.load(shared / "golden" / f"centernet_{golden}.npz") as file:
        expected = dict(file)
    np.savez(tmp_path / "weights.npz", **reference_weights(golden, expected))  # type: ignore[arg-type]  # keywords are arrays here
    np.savez(tmp_path / "image.npz", image=expected["input"])
    run_paddle(
        "run_network.py", *(tmp_path / name for name in ("card.json", "weights.npz", "image.npz", "out.npz"))
    )
    with np.load(tmp_path / "out.npz") as found:
        for name in card.output_names:
            reference = expected[f"head_{name}"]
            error = np.abs(found[name] - reference).max() / np.ptp(reference)
            assert error <= SHARE, f"{name}: {error} of the range"
