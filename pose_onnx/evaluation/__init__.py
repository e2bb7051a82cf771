"""COCO average precision of a detector and a keypoint model. Needs the `eval` extra."""

from pose_onnx.evaluation._boxes import BOX_FLOOR, BoxSource, DetectedBoxes, FileBoxes, TruthBoxes
from pose_onnx.evaluation._dataset import Dataset
from pose_onnx.evaluation._metrics import (
    bootstrap,
    bootstrap_difference,
    box_metrics,
    keypoint_metrics,
)
from pose_onnx.evaluation._people import Found, InBoxes, InPictures, PeopleSource
from pose_onnx.evaluation._predict import box_results, predict

__all__ = [
    "BOX_FLOOR",
    "BoxSource",
    "Dataset",
    "DetectedBoxes",
    "FileBoxes",
    "Found",
    "InBoxes",
    "InPictures",
    "PeopleSource",
    "TruthBoxes",
    "bootstrap",
    "bootstrap_difference",
    "box_metrics",
    "box_results",
    "keypoint_metrics",
    "predict",
]
