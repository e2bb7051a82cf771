"""The stages around a detector's network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.detector import Detector, detector_input
from pose_onnx.exporters.end_to_end._boxes import person_class
from pose_onnx.exporters.end_to_end._network import PRESET
from pose_onnx.exporters.end_to_end._places import demand_resize
from pose_onnx.exporters.golden._stage import Golden, Stage
from pose_onnx.exporters.golden._stages import BOX, image_input, normalize_stage, rgb
from pose_onnx.exporters.outputs import export_of
from pose_onnx.loading import INPUT_NAME
from pose_onnx.outputs import BoxOutput

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

_RESIZE_BAR: Final = 1.0
_RESIZE_SHARES: Final[Mapping[bool, float]] = MappingProxyType({True: 5e-3, False: 0.1})
"""Share of a photo's values that a correct resize may round differently from OpenCV, by whether OpenCV uses
Intel's IPP (exporters/end_to_end/_resize.py; tests/end_to_end/test_parts.py)."""
_DECODE_BAR: Final = 1e-3
_SCORE_BAR: Final = 1e-6
_MATRIX: Final = (
    "each score is multiplied by the smallest factor {} over all better boxes j, where m_j is j's own "
    "largest overlap with better boxes, and sides are x2 - x1 + 1; scores above the threshold are kept"
)
_SUPPRESSION: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hard": "of boxes that overlap by more than nms_iou, the best is kept",
        "matrix_gaussian": _MATRIX.format("exp(sigma * (m_j**2 - overlap**2))"),
        "matrix_linear": _MATRIX.format("(1 - overlap) / (1 - m_j)"),
    }
)
# Where nobody is, the last bit may decide a box: in 1 of 100 photos, two engines differ at one anchor by more
# than the bar. Where a score is above 0.1, the largest difference in 362 photos was 6e-4 px.
_SURE: Final[Mapping[str, str]] = MappingProxyType({"boxes": "scores", "scores": ""})
_NETWORK_REASON: Final = "the difference between engines that an export may have (docs/export.md)"


def stages(model: Finished, image_bgr: Image) -> Iterator[Stage]:
    """Yield the stages from a picture to its people."""
    card, name = model.card, model.card.name
    demand_resize(card, ("stretch",), "a set of golden vectors")
    tensor, resized = detector_input(image_bgr, card.picture)
    with Detector(model.path, threads=1) as detector:
        detector.select_people()
        raw = detector.runtime.run({INPUT_NAME: tensor})
        found = detector(image_bgr)
    pixels = rgb(resized.pixels[None])
    yield Stage(
        name,
        "resize",
        "Resizes the whole picture to the network's input size: cubic (a = -0.75), aspect ratio "
        "ignored, no antialiasing.",
        {"image": image_input(image_bgr)},
        {
            "pixels": Golden(
                pixels,
                "(1, h, w, 3) uint8 RGB, grey levels",
                _RESIZE_BAR,
                "some builds of OpenCV also round between rows and columns (docs/end-to-end.md)",
                share=_RESIZE_SHARES[cv2.ipp.useIPP()],
            )
        },
        parameters={"size": card.picture.size, "way": card.picture.resize},
    )
    yield normalize_stage(card, pixels, tensor)
    yield _network(model, tensor, raw)
    yield _decode(model, raw, image_bgr, found.boxes, found.scores)


def _network(model: Finished, tensor: F32, raw: dict[str, F32]) -> Stage:
    bars = export_of(model.card).bars["fp32"]
    meanings = {
        "boxes": "(1, A, 4) float32, x1, y1, x2, y2 in pixels of the network's input",
        "scores": "(1, A, C) float32, probabilities of the classes",
    }
    return Stage(
        model.card.name,
        "network",
        "Runs the network alone.",
        {INPUT_NAME: Golden(tensor, "(1, 3, h, w) float32")},
        {
            name: Golden(raw[name], meanings[name], bars[name], _NETWORK_REASON, sure=_SURE[name])
            for name in meanings
        },
        model_file=model.path.name,
    )


def _decode(model: Finished, raw: dict[str, F32], image_bgr: Image, boxes: F32, scores: F32) -> Stage:
    spec = cast("BoxOutput", model.card.output)
    height, width = image_bgr.shape[:2]
    return Stage(
        model.card.name,
        "decode",
        "Boxes are scaled by image size over input size; if ends_inside, x1 and y1 are at least 0, x2 "
        "and y2 at most the image's width and height less 1; people with scores above the threshold are "
        f"kept; {_SUPPRESSION[spec.nms]}; at most max_boxes are kept; boxes are clipped to the image; "
        "best first.",
        {name: Golden(array, "output of the network") for name, array in raw.items()},
        {
            "boxes": Golden(boxes, f"(M, 4) float32, {BOX}", _DECODE_BAR, "the last bits of float32"),
            "scores": Golden(
                scores, "(M,) float32", _SCORE_BAR, "scores are selected, or lowered in float32"
            ),
        },
        parameters={
            "person_class": person_class(model.card),
            "threshold": PRESET.threshold,
            "ends_inside": spec.ends_inside,
            "nms": spec.nms,
            "nms_iou": spec.nms_iou,
            "sigma": spec.sigma,
            "max_boxes": spec.max_boxes,
            "image_size": [height, width],
            "input_size": model.card.picture.size,
        },
    )
