"""The stages around a keypoint network."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.crops import BOX_PADDING, Crops
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.core.warping import COORDINATE_BITS, WEIGHT_BITS, warp_all
from pose_onnx.exporters.end_to_end._network import PRESET
from pose_onnx.exporters.golden._stage import Golden, Stage
from pose_onnx.exporters.golden._stages import BOX, image_input, normalize_stage, rgb
from pose_onnx.exporters.outputs import export_of
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.loading import INPUT_NAME
from pose_onnx.outputs import HeatmapOutput
from pose_onnx.outputs.heatmaps import DARK, HEATMAPS, QUARTER, UDP

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

# Parts of the photo, x1, y1, x2, y2, to search for people: one reaches outside, one has no area.
_PARTS: Final = ((0.0, 0.0, 1.0, 1.0), (0.21, 0.13, 0.77, 0.98), (-0.1, 0.3, 0.5, 1.2), (0.5, 0.5, 0.5, 0.5))
_CROP_BAR: Final = 0.0
"""Not 1: one grey level in 1 % of the values moves joints by up to 0.3 px, and in all values by 2 px."""
_POINTS: Final = "(N, K, 2) float32, x, y in units of stride input pixels"
_MAP_BAR: Final = 1e-9
_DECODE_BAR: Final = 2e-3
_TO_IMAGE_BAR: Final = 1e-3
_REFINED: Final = MappingProxyType(
    {
        DARK: "Finds the highest cell of each map and refines it with DARK: Gaussian of blur_kernel, "
        "logarithm, one Newton step of at most max_step cells.",
        QUARTER: "Finds the highest cell of each map and moves it by a quarter of a cell towards its higher "
        "neighbour on each axis, except in the first two and the last rows and columns.",
        UDP: "Finds the highest cell of each map and refines it with DARK on neighbouring cells: Gaussian of "
        "blur_kernel, clipped to 0.001 and 50, logarithm, one Newton step of at most max_step cells. With "
        "align_corners, each cell is then (side - 1) / (cells - 1) / stride units large.",
    }
)


def parts_of(image_bgr: Image) -> F32:
    """Return the boxes, (4, 4) float32, in which to look for people if there is no detector."""
    height, width = image_bgr.shape[:2]
    boxes: F32 = (np.array(_PARTS) * (width, height, width, height)).astype(np.float32)
    return boxes


def stages(model: Finished, image_bgr: Image) -> Iterator[Stage]:
    """Yield the stages from a picture and boxes to keypoints."""
    card = model.card
    spec = cast("HeatmapOutput", card.output)
    boxes = parts_of(image_bgr)
    height, width = image_bgr.shape[:2]
    crops = PRESET.crops(boxes, (height, width), card.picture.size, spec.stride)
    pixels = rgb(np.stack(list(warp_all(image_bgr, crops.image_to_input, crops.regions, card.picture.size))))
    tensor = keypoint_input(image_bgr, crops, card.picture)
    with KeypointModel(model.path, threads=1) as network:
        heatmaps = network.runtime.run({INPUT_NAME: tensor})[HEATMAPS]
    yield _crop(model, image_bgr, boxes, crops, rgb_pixels=pixels)
    yield normalize_stage(card, pixels, tensor)
    bar = export_of(card).bars["fp32"][HEATMAPS]
    yield Stage(
        card.name,
        "network",
        "Runs the network alone; people are one batch.",
        {INPUT_NAME: Golden(tensor, "(N, 3, h, w) float32")},
        {
            HEATMAPS: Golden(
                heatmaps,
                "(N, K, h / stride, w / stride) float32",
                bar,
                "the difference between engines that an export may have (docs/export.md)",
            )
        },
        model_file=model.path.name,
    )
    points, scores = spec.read({HEATMAPS: heatmaps}, PRESET)
    yield _decode(model, heatmaps, points, scores)
    yield _to_image(model, points, scores, crops)


def _crop(model: Finished, image_bgr: Image, boxes: F32, crops: Crops, *, rgb_pixels: Image) -> Stage:
    rounding = "float64 computed in another order"
    return Stage(
        model.card.name,
        "crop",
        "Rounds each box to whole pixels, enlarges it to the input's aspect ratio and by padding, and "
        "crops it, black outside the picture. Bilinear in fixed point: coordinates are rounded to "
        "coordinate_bits fractional bits, then to weight_bits (pose_onnx/core/warping.py).",
        {"image": image_input(image_bgr), "boxes": Golden(boxes, f"(N, 4) float32, {BOX}")},
        {
            "pixels": Golden(
                rgb_pixels,
                "(N, h, w, 3) uint8 RGB, grey levels",
                _CROP_BAR,
                "whole numbers, equal on every machine; one grey level in 1 % of the values already "
                "moves joints by up to 0.3 px",
            ),
            "image_to_input": Golden(
                crops.image_to_input, "(N, 2, 3) float64, image to input pixels", _MAP_BAR, rounding
            ),
            "heatmap_to_image": Golden(
                crops.heatmap_to_image,
                "(N, 2, 3) float64, heatmap cells to image pixels; to the box's centre if it has no area",
                _MAP_BAR,
                rounding,
            ),
        },
        parameters={
            "size": model.card.picture.size,
            "padding": BOX_PADDING,
            "coordinate_bits": COORDINATE_BITS,
            "weight_bits": WEIGHT_BITS,
        },
    )


def _decode(model: Finished, heatmaps: F32, points: F32, scores: F32) -> Stage:
    spec = cast("HeatmapOutput", model.card.output)
    return Stage(
        model.card.name,
        "decode",
        _REFINED[spec.refine],
        {HEATMAPS: Golden(heatmaps, "output of the network")},
        {
            "points": Golden(
                points,
                _POINTS,
                _DECODE_BAR,
                "maps without a clear peak magnify float32's rounding (tests/end_to_end/test_parts.py)",
            ),
            "scores": Golden(scores, "(N, K) float32", 0.0, "they are only chosen"),
        },
        parameters={
            "refine": spec.refine,
            "blur_kernel": PRESET.blur_kernel or spec.blur_kernel,
            "max_step": PRESET.max_step,
            "stride": spec.stride,
            "align_corners": spec.align_corners,
        },
    )


def _to_image(model: Finished, points: F32, scores: F32, crops: Crops) -> Stage:
    keypoints, sureness = keypoints_in_image(points, scores, crops)
    return Stage(
        model.card.name,
        "to_image",
        "Converts heatmap cells to image pixels; scores are 0 if the box has no area.",
        {
            "points": Golden(points, _POINTS),
            "scores": Golden(scores, "(N, K) float32"),
            "heatmap_to_image": Golden(crops.heatmap_to_image, "(N, 2, 3) float64"),
            "valid": Golden(crops.valid, "(N,) bool, whether the box has an area"),
        },
        {
            "keypoints": Golden(
                keypoints, "(N, K, 2) float32, x, y in image pixels", _TO_IMAGE_BAR, "float32's last bits"
            ),
            "scores": Golden(sureness, "(N, K) float32", 0.0, "they are only chosen"),
        },
    )
