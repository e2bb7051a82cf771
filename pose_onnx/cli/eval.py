"""Measure COCO keypoint AP, and person box AP unless the annotated boxes are used."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from tqdm import tqdm

from pose_onnx import (
    PRESETS,
    Detector,
    InputError,
    KeypointModel,
    ModelCard,
    PoseEstimator,
    __version__,
    resolve_model,
)
from pose_onnx.cli._exits import exit_code
from pose_onnx.cli._options import (
    add_model_option,
    add_nms_option,
    add_precision_option,
    add_threads_option,
    cards_by_task,
    pose_card_of,
)
from pose_onnx.core.oks import sigmas_of
from pose_onnx.evaluation import (
    BOX_FLOOR,
    BoxSource,
    Dataset,
    DetectedBoxes,
    FileBoxes,
    InBoxes,
    InPictures,
    PeopleSource,
    TruthBoxes,
    bootstrap,
    box_metrics,
    keypoint_metrics,
    predict,
)
from pose_onnx.files import atomic_write_bytes, make_folder, sha256_of
from pose_onnx.pairs import DEFAULT_POSE
from pose_onnx.pose_estimator import PEOPLE, task_of
from pose_onnx.presets import DEFAULT_PRESET
from pose_onnx.provenance import model_digests

DEFAULT_OUT: Final = "pose-onnx-eval"
TRUTH: Final = "gt"

_Measure: TypeAlias = Callable[[Dataset, list[dict[str, Any]], list[int]], tuple[dict[str, float], Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx eval`."""
    add = parser.add_argument
    add("--annotations", required=True, type=Path, metavar="JSON", help="COCO person keypoint annotations")
    add("--images", required=True, type=Path, metavar="DIR", help="folder of the annotated pictures")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--detector", metavar="NAME|FILE", help="find the people with this model")
    source.add_argument(
        "--boxes",
        metavar="gt|FILE",
        help="use the annotated boxes (gt), or a COCO detection result file (default: gt)",
    )
    add(
        "--pose",
        default=DEFAULT_POSE,
        metavar="NAME|FILE",
        help="keypoint or one-pass model (default: %(default)s)",
    )
    add("--backend", default="ort", metavar="NAME", help="inference engine (default: %(default)s)")
    add(
        "--preset",
        default=DEFAULT_PRESET,
        choices=list(PRESETS),
        help="settings of the models (default: %(default)s)",
    )
    add("--flip", action="store_true", help="also run each person mirrored, and average")
    add_nms_option(parser)
    add_precision_option(parser)
    add(
        "--threshold",
        type=float,
        metavar="SCORE",
        help="boxes with a higher score are people (default: the preset's; 0 for one-pass models)",
    )
    add(
        "--oks-nms",
        type=float,
        metavar="OKS",
        help="drop the worse of two people with a higher OKS (default: keep all)",
    )
    add("--limit", type=int, metavar="N", help="evaluate only the first N pictures")
    add_threads_option(parser)
    add_model_option(parser)
    add("--out", default=DEFAULT_OUT, metavar="DIR", help="folder for the results (default: %(default)s)")


class _Evaluated(NamedTuple):
    """The model under evaluation, and its description in the report.

    Attributes:
        people: Finds them.
        sigmas: Sigmas of their joints.
        settings: Every option that changes a figure, and digests.
        boxes: Where the boxes come from; `None` if the model finds them itself.
    """

    people: PeopleSource
    sigmas: tuple[float, ...]
    settings: dict[str, Any]
    boxes: BoxSource | None


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx eval`."""
    dataset = Dataset(args.annotations, args.images, args.limit)
    out = make_folder(args.out)
    cards = cards_by_task(args.model)
    prepare = _one_pass if task_of(args.pose, pose_card_of(cards)) == PEOPLE else _in_boxes
    with ExitStack() as stack:
        people, sigmas, settings, boxes = prepare(args, dataset, cards, stack)
        lines = predict(dataset, people, out, settings, oks_nms=args.oks_nms)
        results = list(tqdm(lines, total=len(dataset.image_ids), unit="picture", disable=None))
    report = _report(dataset, results, settings, sigmas=sigmas, with_boxes=not isinstance(boxes, TruthBoxes))
    report["left_out"] = [*dataset.left_out, *(boxes.left_out if isinstance(boxes, FileBoxes) else ())]
    _save(out, "keypoints.json", [person for item in results for person in item.get("people", [])])
    _save(out, "boxes.json", [box for item in results for box in item.get("boxes", [])])
    _save(out, "report.json", report)
    _print(report, out)
    return exit_code(report["pictures"], len(report["errors"]) + len(report["left_out"]))


def _in_boxes(
    args: argparse.Namespace, dataset: Dataset, cards: Mapping[str, ModelCard], stack: ExitStack
) -> _Evaluated:
    """Open a keypoint model, and what finds the boxes."""
    if args.nms:
        raise InputError(
            f"--nms {args.nms} was given, but the model {args.pose!r} does not find the people itself; leave"
            " it out, or give --oks-nms"
        )
    shared = {"backend": args.backend, "threads": args.threads, "preset": args.preset}
    pose = resolve_model(args.pose, args.backend, args.precision)
    opened = KeypointModel(pose, card=cards.get("keypoints"), flip=args.flip, **shared)
    model = stack.enter_context(opened)
    boxes, box_digests = _box_source(args, dataset, cards.get("detect"), shared)
    threshold = model.preset.threshold if args.threshold is None else args.threshold
    if isinstance(boxes, TruthBoxes):
        if args.threshold is not None:
            raise InputError(
                f"--threshold {args.threshold} was given, but annotated boxes have no scores; leave it out,"
                " or give --detector"
            )
        threshold = 0.0
    settings = {
        **_settings(args, model.card),
        "boxes": args.detector or args.boxes or TRUTH,
        "threshold": None if isinstance(boxes, TruthBoxes) else threshold,
        "preset": args.preset,
        "annotations_sha256": sha256_of(args.annotations),
        **model_digests("pose", pose, model.card),
        **box_digests,
    }
    return _Evaluated(InBoxes(boxes, model, threshold), sigmas_of(model.card), settings, boxes)


def _one_pass(
    args: argparse.Namespace, dataset: Dataset, cards: Mapping[str, ModelCard], stack: ExitStack
) -> _Evaluated:
    """Open a model that finds people and their keypoints itself."""
    del dataset
    if args.detector or args.boxes or args.preset != DEFAULT_PRESET:
        raise InputError(
            f"the one-pass model {args.pose!r} needs no boxes; leave out --detector, --boxes and --preset"
        )
    opened = PoseEstimator(
        pose=args.pose,
        pose_card=cards.get(PEOPLE),
        backend=args.backend,
        precision=args.precision,
        threads=args.threads,
        threshold=args.threshold or 0.0,
        flip=args.flip,
        nms=args.nms,
    )
    model = stack.enter_context(opened)
    settings = {
        **_settings(args, model.card),
        "annotations_sha256": sha256_of(args.annotations),
        **model.describe(),
    }
    return _Evaluated(InPictures(model), sigmas_of(model.card), settings, None)


def _box_source(
    args: argparse.Namespace, dataset: Dataset, card: Any, shared: dict[str, Any]
) -> tuple[BoxSource, dict[str, str]]:
    """Return the source of the boxes, and digests of the files that it uses."""
    if args.detector:
        file = resolve_model(args.detector, args.backend, args.precision)
        detector = Detector(file, card=card, threshold=BOX_FLOOR, **shared)
        detector.select_people()
        return DetectedBoxes(detector), model_digests("detector", file, detector.card)
    if args.boxes in {None, TRUTH}:
        return TruthBoxes(dataset), {}
    file = Path(args.boxes)
    return FileBoxes(file), {"boxes_sha256": sha256_of(file)}


def _settings(args: argparse.Namespace, card: ModelCard) -> dict[str, Any]:
    """Return the options that change a figure in every evaluation."""
    return {
        "version": __version__,
        "annotations": args.annotations.name,
        "pose": card.name,
        "file": Path(args.pose).name,
        "backend": args.backend,
        "precision": args.precision,
        "flip": args.flip,
        "oks_nms": args.oks_nms,
    }


def _report(
    dataset: Dataset,
    results: list[dict[str, Any]],
    settings: dict[str, Any],
    *,
    sigmas: tuple[float, ...],
    with_boxes: bool,
) -> dict[str, Any]:
    seen = [item["image_id"] for item in results if "error" not in item]
    report: dict[str, Any] = {
        "settings": settings,
        "pictures": len(seen),
        "people": sum(len(item.get("people", [])) for item in results),
        "errors": {item["image_id"]: item["error"] for item in results if "error" in item},
    }
    measures: dict[str, tuple[_Measure, str]] = {
        "keypoints": (partial(keypoint_metrics, sigmas=sigmas), "people")
    }
    if with_boxes:
        measures["boxes"] = (box_metrics, "boxes")
    for name, (measure, key) in measures.items():
        found = [entry for item in results for entry in item.get(key, [])]
        figures, evaluation = measure(dataset, found, seen)
        report[name] = figures
        report[f"{name}_AP_interval"] = bootstrap(evaluation)
    return report


def _save(out: Path, name: str, data: Any) -> None:
    text = json.dumps(_defined(data), indent=1 if isinstance(data, dict) else None, allow_nan=False)
    atomic_write_bytes(out / name, text.encode())


def _defined(data: Any) -> Any:
    """Return data with `None` for numbers that JSON cannot hold."""
    if isinstance(data, dict):
        return {key: _defined(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_defined(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _print(report: dict[str, Any], out: Path) -> None:
    settings = ", ".join(
        f"{key} {value}"
        for key, value in report["settings"].items()
        if value is not None and not key.endswith("_sha256")
    )
    print(f"{report['pictures']} pictures, {report['people']} people; {settings}")
    for name in ("keypoints", "boxes"):
        if name in report:
            low, high = map(_figure, report[f"{name}_AP_interval"])
            figures = "  ".join(f"{key} {_figure(value)}" for key, value in report[name].items())
            print(f"{name:<10} {figures}  (95 % interval of AP: {low} to {high})")
    for sentence in report["left_out"]:
        print(f"pose-onnx: left out: {sentence}", file=sys.stderr)
    for image_id, error in report["errors"].items():
        print(f"pose-onnx: picture {image_id}: {error}", file=sys.stderr)
    print(f"results: {out}")


def _figure(value: float) -> str:
    """Return a percentage as text; pictures without annotated people (of a size) have none."""
    return "undefined" if math.isnan(value) else f"{value:.1f}"
