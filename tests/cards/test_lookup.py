"""From a name to a file: what lies in the working directory does not come between."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose_onnx import ModelFileError, UnknownNameError, resolve_model
from pose_onnx.cards.lookup import HOME_VARIABLE

BUILT_IN = "tinypose_128x96_distilled"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


def test_a_folder_of_a_models_name_does_not_shadow_the_model() -> None:
    Path(BUILT_IN).mkdir()  # Paddle's export makes just such folders
    assert resolve_model(BUILT_IN).name == f"{BUILT_IN}.onnx"


def test_a_path_of_a_models_name_is_the_path() -> None:
    Path(BUILT_IN).mkdir()
    assert resolve_model(f"./{BUILT_IN}") == Path(BUILT_IN)
    assert resolve_model(Path(BUILT_IN)) == Path(BUILT_IN)


def test_a_folder_of_no_models_name_needs_no_mark() -> None:
    Path("mine").mkdir()
    assert resolve_model("mine") == Path("mine")
    with pytest.raises(UnknownNameError, match="'yours' is not known"):
        resolve_model("yours")


@pytest.mark.parametrize(
    ("name", "backend", "precision", "hint"),
    [
        (BUILT_IN, "ort", "fp16", "bundled in one precision only; leave the precision out"),
        ("tinypose_128x96", "ort", "fp17", "choose a precision from fp32, fp16, int8-dynamic, int8"),
        ("tinypose_128x96", "ort", "fp16", "pose-onnx models pull tinypose_128x96 --precision fp16"),
        ("tinypose_128x96", "ort", "int8", "--model tinypose_128x96 --precision int8 --calibration"),
        ("tinypose_128x96", "paddle", "fp32", "runs folders, which have no names; give the path of one"),
        ("hrnet_w48_256x192", "ort", "fp32", "models add FILE --name MY_NAME --like hrnet_w48_256x192"),
    ],
)
def test_a_missing_file_says_how_to_get_it(name: str, backend: str, precision: str, hint: str) -> None:
    with pytest.raises(ModelFileError, match=hint):
        resolve_model(name, backend, precision)


def test_a_two_stage_detector_is_not_pulled_in_circles(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "faster_rcnn_enhance_3x_coco.onnx").touch()
    with pytest.raises(ModelFileError, match="use backend 'ort' instead of 'tflite'"):
        resolve_model("faster_rcnn_enhance_3x_coco", "tflite")
