from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import ExportError, InputError, ModelFileError, load_card
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.verify import (
    ROUNDING,
    Measured,
    compare,
    demand,
    make_inputs,
    run_file,
)

CARD = load_card("tinypose_128x96")
Outputs = dict[str, dict[str, NDArray[np.float32]]]


def outputs(change: float = 0.0) -> Outputs:
    return {
        "random": {"heatmaps": np.full((2, 17, 4, 3), 0.5 + change, np.float32)},
        "photo": {"heatmaps": np.full((1, 17, 4, 3), 0.25, np.float32)},
    }


def measure(other: Outputs, *, precision: str = "fp32", rounding: float = 0.0) -> list[Measured]:
    zero = {k: {n: np.full_like(a, rounding) for n, a in v.items()} for k, v in outputs().items()}
    return compare("a vs b", outputs(), other, card=CARD, precision=precision, rounding=zero)


def test_the_largest_error_is_measured_for_every_input_and_output() -> None:
    measured = measure(outputs(1e-3))
    assert [(m.inputs, m.output, round(m.error, 6)) for m in measured] == [
        ("random", "heatmaps", 1e-3),
        ("photo", "heatmaps", 0.0),
    ]
    assert measured[0].bar == export_of(CARD).bars["fp32"]["heatmaps"]


def test_a_crossed_bar_is_named_with_its_numbers() -> None:
    with pytest.raises(
        ExportError, match=r"a vs b: heatmaps of the random input differ by 0\.001 \(bar 5e-06, "
    ):
        demand(measure(outputs(1e-3)))


def test_what_the_last_bit_of_the_input_explains_is_allowed() -> None:
    within, beyond = 1e-3 / ROUNDING["fp32"] * 1.01, 1e-3 / ROUNDING["fp32"] * 0.99
    demand(measure(outputs(1e-3), rounding=within))
    with pytest.raises(ExportError, match="not accurate enough"):
        demand(measure(outputs(1e-3), rounding=beyond))


def test_nan_is_never_accurate() -> None:
    with pytest.raises(ExportError, match="nan"):
        demand([Measured("a vs b", "photo", "boxes", float("nan"), 1.0)])
    broken = outputs()
    broken["photo"]["heatmaps"][0, 3] = np.nan
    with pytest.raises(ExportError, match="nan"):
        demand(measure(broken, precision="fp16"))


def test_other_names_or_shapes_are_errors() -> None:
    renamed: Outputs = {k: {"maps": v["heatmaps"]} for k, v in outputs().items()}
    with pytest.raises(ExportError, match=r"outputs \['maps'\] instead of \['heatmaps'\]"):
        measure(renamed)
    smaller: Outputs = {k: {"heatmaps": v["heatmaps"][:, :16]} for k, v in outputs().items()}
    with pytest.raises(ExportError, match=r"is \(2, 16, 4, 3\) instead of \(2, 17, 4, 3\)"):
        measure(smaller)


def test_inputs_are_seeded_and_normalised() -> None:
    card = load_card("tinypose_128x96")
    first, second = make_inputs(card), make_inputs(card)
    assert {k: v.shape for k, v in first.items()} == {"random": (2, 3, 128, 96), "photo": (1, 3, 128, 96)}
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert np.abs(first["photo"]).max() < 3  # pixels of 0 to 1, less the mean, over a deviation of 0.225
    assert first["photo"].std() > 0.5  # a picture, not a flat area


def test_a_photo_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((50, 40, 3), 255, np.uint8))
    photo = make_inputs(load_card("tinypose_128x96"), path)["photo"]
    np.testing.assert_allclose(
        photo[0, :, 0, 0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-6
    )
    with pytest.raises(InputError):
        make_inputs(load_card("tinypose_128x96"), tmp_path / "none.png")


def test_a_file_of_no_runtime_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"\.onnx"):
        run_file(tmp_path / "model.pt", {})
