"""COCO's metrics, computed by pycocotools, and their confidence intervals over pictures."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from pose_onnx.core.arrays import F64
from pose_onnx.core.oks import COCO_SIGMAS
from pose_onnx.evaluation._dataset import Dataset, quiet
from pose_onnx.formats import PERSON_CATEGORY

KEYPOINT_FIGURES: Final = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
BOX_FIGURES: Final = ("AP", "AP50", "AP75", "APS", "APM", "APL")
_UNDEFINED: Final = -1  # pycocotools' value if nobody is annotated
RESAMPLES: Final = 200
INTERVAL: Final = (2.5, 97.5)
"""Percentiles of the bootstrap that are the bounds of a 95 % interval."""


def keypoint_metrics(
    dataset: Dataset,
    people: list[dict[str, Any]],
    image_ids: list[int],
    sigmas: tuple[float, ...] = COCO_SIGMAS,
) -> tuple[dict[str, float], Any]:
    """Return COCO's keypoint metrics in percent, and the evaluation for `bootstrap`.

    A metric for people that do not occur, such as APM if nobody has medium size, is NaN.
    """
    return _metrics(dataset, people, image_ids, "keypoints", KEYPOINT_FIGURES, sigmas)


def box_metrics(
    dataset: Dataset, boxes: list[dict[str, Any]], image_ids: list[int]
) -> tuple[dict[str, float], Any]:
    """Return COCO's metrics of people's boxes in percent, and the evaluation for `bootstrap`.

    A metric for people that do not occur, such as APS if nobody is small, is NaN.
    """
    return _metrics(dataset, boxes, image_ids, "bbox", BOX_FIGURES, COCO_SIGMAS)


def _metrics(
    dataset: Dataset,
    results: list[dict[str, Any]],
    image_ids: list[int],
    kind: str,
    names: tuple[str, ...],
    sigmas: tuple[float, ...],
) -> tuple[dict[str, float], Any]:
    from pycocotools.coco import COCO  # noqa: PLC0415 (an extra)
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415 (an extra)

    if not image_ids:
        return dict.fromkeys(names, math.nan), None
    # Copies, because loadRes writes into its arguments; without other fields, because it interprets many.
    copies = [{name: item[name] for name in ("image_id", "category_id", "score", kind)} for item in results]
    with quiet():
        # loadRes fails if there are no results; an empty data set is valid.
        evaluation = COCOeval(dataset.coco, dataset.coco.loadRes(copies) if copies else COCO(), kind)
        evaluation.params.imgIds = sorted(image_ids)
        evaluation.params.catIds = [PERSON_CATEGORY]
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = (math.nan if value == _UNDEFINED else 100 * float(value) for value in evaluation.stats)
    return dict(zip(names, figures, strict=False)), evaluation


def bootstrap(evaluation: Any, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % confidence interval of AP, in percent, from pictures drawn with replacement.

    Args:
        evaluation: Second result of `keypoint_metrics` or `box_metrics`.
        resamples: Number of sets of pictures to draw.
        seed: Seed of the random generator.
    """
    return _interval(_resampled(evaluation, resamples, seed))


def bootstrap_difference(
    evaluation: Any, other: Any, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the first AP minus the other, both on the same drawn pictures."""
    difference = _resampled(evaluation, resamples, seed) - _resampled(other, resamples, seed)
    return _interval(difference)


def _interval(values: F64) -> tuple[float, float]:
    """Return the bounds of the interval; NaN if no set of drawn pictures has annotated people."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return math.nan, math.nan
    low, high = np.percentile(defined, INTERVAL)
    return float(low), float(high)


def _resampled(evaluation: Any, resamples: int, seed: int) -> F64:
    """Return AP in percent for each set of drawn pictures; NaN for sets without annotated people."""
    if evaluation is None:
        return np.full(resamples, math.nan)
    rng = np.random.default_rng(seed)
    pictures = len(evaluation.params.imgIds)
    # evalImgs has one entry per category, area and picture.
    per_picture = np.array(evaluation.evalImgs, dtype=object).reshape(-1, pictures)
    values = []
    original = evaluation.evalImgs, evaluation.eval
    for _ in range(resamples):
        evaluation.evalImgs = per_picture[:, rng.integers(0, pictures, pictures)].ravel().tolist()
        with quiet():
            evaluation.accumulate()
        precision = evaluation.eval["precision"][:, :, 0, 0, -1]
        defined = precision[precision != _UNDEFINED]
        values.append(100 * defined.mean() if defined.size else math.nan)
    evaluation.evalImgs, evaluation.eval = original
    return np.array(values)
