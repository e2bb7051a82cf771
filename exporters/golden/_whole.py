"""One stage for each end-to-end file, and one for a pair of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pose_onnx.core.arrays import F32, Image
from pose_onnx.exporters.end_to_end._compare import compare_with_core
from pose_onnx.exporters.end_to_end._network import run_on_picture
from pose_onnx.exporters.golden._stage import Golden, Stage
from pose_onnx.exporters.golden._stages import BOX, image_input
from pose_onnx.exporters.golden.heatmaps import parts_of
from pose_onnx.exporters.verify import demand

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

_PIXELS: Final = 0.05
"""Image pixels between engines that run the same end-to-end file. Measured: 2e-4 (docs/end-to-end.md)."""
_SCORES: Final = 1e-3
"""The same for scores. Measured: 5e-5, with four decimals."""
_REASON: Final = "engines that run the same file; 2e-4 px and 5e-5 were measured (docs/end-to-end.md)"
_BOXES: Final = ("boxes", f"(M, 4) float32, {BOX}, best first")
_KEYPOINTS: Final = ("keypoints", "(N, K, 2) float32, x, y in image pixels")
Found = dict[str, F32]


def stages(models: Sequence[Finished], image_bgr: Image) -> Iterator[Stage]:
    """Yield a stage for each model's end-to-end file, and one for both together.

    Raises:
        ExportError: An end-to-end file differs from the core by more than an export allows.
    """
    found: dict[str, Found] = {}
    for model in models:
        boxes = None if model.card.task == "detect" else parts_of(image_bgr)
        with model.end_to_end_file() as file:
            found[model.card.task] = _run(file, image_bgr, boxes)
            if not model.is_end_to_end:
                demand(compare_with_core(file, model.path, model.card, image_bgr))
            yield _whole(model, image_bgr, boxes, found[model.card.task])
            if boxes is not None and "detect" in found:  # the detector comes first
                people = found["detect"]
                yield _pair(image_bgr, people, _run(file, image_bgr, people["boxes"]))


def _run(file: Path, image_bgr: Image, boxes: F32 | None) -> Found:
    return run_on_picture(file, image_bgr, **({} if boxes is None else {"boxes": boxes}))


def _whole(model: Finished, image_bgr: Image, boxes: F32 | None, found: Found) -> Stage:
    inputs = {"image": image_input(image_bgr)}
    if boxes is None:
        outputs = {"boxes": _places(_BOXES, found["boxes"]), "scores": _scores(found["scores"], "(M,)")}
    else:
        inputs["boxes"] = Golden(boxes, f"(N, 4) float32, {BOX}")
        outputs = {
            "keypoints": _places(_KEYPOINTS, found["keypoints"], sure="scores"),
            "scores": _scores(found["scores"], "(N, K)"),
        }
    return Stage(
        model.card.name,
        "end_to_end",
        "Runs all the stages, in one file.",
        inputs,
        outputs,
        model_file=model.end_to_end_name,
    )


def _pair(image_bgr: Image, people: Found, poses: Found) -> Stage:
    return Stage(
        "pair",
        "end_to_end",
        "Runs the detector's end-to-end file, and the keypoint model's on its boxes.",
        {"image": image_input(image_bgr)},
        {
            "boxes": _places(_BOXES, people["boxes"]),
            "box_scores": _scores(people["scores"], "(M,)"),
            "keypoints": _places(_KEYPOINTS, poses["keypoints"], sure="scores"),
            "scores": _scores(poses["scores"], "(N, K)"),
        },
    )


def _places(what: tuple[str, str], array: F32, sure: str = "") -> Golden:
    return Golden(array, what[1], _PIXELS, _REASON, sure=sure)


def _scores(array: F32, shape: str) -> Golden:
    return Golden(array, f"{shape} float32, 0 to 1", _SCORES, _REASON)
