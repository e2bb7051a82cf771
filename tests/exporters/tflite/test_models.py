"""Whole networks: the official models as we export them, and somebody else's export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from pose_onnx.exporters.tflite import convert

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The project's bars: max abs difference of TFLite and ONNX Runtime; heatmaps and scores reach 1, boxes are
# in pixels.
BARS = {"heatmaps": 5e-6, "boxes": 1e-3, "scores": 5e-6}
# The official weights are float16 values already, so that storing them so changes nothing.
FLOAT16_BARS = {"heatmaps": 3e-3, "boxes": 1e-3, "scores": 5e-6}
# On photos, places without a person have box distributions with two far peaks, where the last bit of a logit
# moves the box most: ONNX Runtime itself is up to 1.1e-3 px away from a float64 computation there, TFLite as
# much, in 30 photos up to 1.6e-3 px from each other. Where a person is, the bar holds.
NOBODY_BAR = 3e-3
SOMEBODY = 0.2
OFFICIAL = [
    "tinypose_128x96",
    "tinypose_256x192",
    "picodet_s_192_lcnet_pedestrian",
    "picodet_s_320_lcnet_pedestrian",
]
# ImageNet statistics, by which all of these networks were trained.
MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
STD = np.asarray([0.229, 0.224, 0.225], np.float32)
PHOTOS = 2


def photos(folder: Path, height: int, width: int) -> Any:
    """Some photos as a network gets them, (N, 3, H, W)."""
    images = []
    for path in sorted((folder / "coco_dev").rglob("*.jpg"))[:PHOTOS]:
        pixels = cv2.resize(cv2.imread(str(path)), (width, height))[:, :, ::-1]
        images.append(((pixels / np.float32(255) - MEAN) / STD).transpose(2, 0, 1))
    return np.ascontiguousarray(images, np.float32)


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize(("suffix", "bars"), [("", BARS), ("_fp16", FLOAT16_BARS)])
def test_official_model(
    shared: Path,
    official_models: Path,
    onnx_result: Callable[..., Any],
    tflite_result: Callable[..., Any],
    name: str,
    suffix: str,
    bars: dict[str, float],
) -> None:
    model = onnx.load(next(official_models.rglob(f"{name}.onnx")))
    height, width = (item.dim_value for item in model.graph.input[0].type.tensor_type.shape.dim[2:])
    content = next(official_models.rglob(f"{name}{suffix}.tflite")).read_bytes()
    noise = np.random.default_rng(0).standard_normal((PHOTOS, 3, height, width)).astype(np.float32)
    for image in (noise, photos(shared, height, width)):
        expected = onnx_result(model, {"image": image})
        errors = {
            output: np.abs(result - expected[output])
            for output, result in tflite_result(content, {"image": image}).items()
        }
        if image is not noise and "boxes" in errors:
            assert errors["boxes"].max() <= NOBODY_BAR
            errors["boxes"] = errors["boxes"][expected["scores"].max(axis=2) > SOMEBODY]
        for output, error in errors.items():
            assert error.max(initial=0) <= bars[output], output


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_model_is_one_partition(official_models: Path, name: str) -> None:
    """XNNPACK runs all of it: every switch to another kernel would cost time."""
    interpreter = Interpreter(model_path=str(next(official_models.rglob(f"{name}.tflite"))))
    interpreter.allocate_tensors()
    delegated = [item for item in interpreter._get_ops_details() if item["op_name"] == "DELEGATE"]
    assert len(delegated) == 1
    inputs = {item["index"] for item in interpreter.get_input_details()}
    outputs = {item["index"] for item in interpreter.get_output_details()}
    assert inputs <= set(delegated[0]["inputs"])
    assert outputs == set(delegated[0]["outputs"])


@pytest.mark.parametrize("name", ["picodet_s_320_coco", "picodet_s_416_coco"])
def test_foreign_export(
    shared: Path, onnx_result: Callable[..., Any], tflite_result: Callable[..., Any], name: str
) -> None:
    """Opset 11, hard-swish in four operators, batch fixed to 1, initializers listed as inputs."""
    model = onnx.load(shared / "weights" / f"{name}.onnx")
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    image = photos(shared, size, size)[:1]
    expected = onnx_result(model, {"image": image})
    for output, result in tflite_result(convert(model), {"image": image}).items():
        # Raw logits after some hundred layers, each of them right to some 3e-7: 1e-5 of the largest is seen,
        # and a wrong layer would show in the first digits.
        assert np.abs(result - expected[output]).max() <= 3e-5 * max(1, np.abs(expected[output]).max()), (
            output
        )
