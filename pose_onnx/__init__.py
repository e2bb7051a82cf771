"""Paddle-quality human pose on ONNX Runtime and TFLite, without Paddle."""

from importlib.metadata import PackageNotFoundError, version

from pose_onnx._card import BoxSpec, HeatmapSpec, ModelCard
from pose_onnx._card_file import read_card
from pose_onnx._detector import Detector
from pose_onnx._draw import draw_poses
from pose_onnx._errors import (
    CardError,
    DependencyError,
    DownloadError,
    EngineError,
    ExportError,
    InputError,
    MissingCardError,
    ModelFileError,
    OutputError,
    PoseOnnxError,
    RuntimeFeedError,
    SourceError,
    UnknownNameError,
)
from pose_onnx._estimator import PoseEstimator
from pose_onnx._heatmap import decode_heatmaps
from pose_onnx._image import load_image
from pose_onnx._keypoint_model import KeypointModel
from pose_onnx._presets import PRESETS, Preset
from pose_onnx._types import Detections, Poses
from pose_onnx._zoo import card_names, load_card, models_home, resolve_model

try:
    __version__ = version("pose-onnx")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "PRESETS",
    "BoxSpec",
    "CardError",
    "DependencyError",
    "Detections",
    "Detector",
    "DownloadError",
    "EngineError",
    "ExportError",
    "HeatmapSpec",
    "InputError",
    "KeypointModel",
    "MissingCardError",
    "ModelCard",
    "ModelFileError",
    "OutputError",
    "PoseEstimator",
    "PoseOnnxError",
    "Poses",
    "Preset",
    "RuntimeFeedError",
    "SourceError",
    "UnknownNameError",
    "__version__",
    "card_names",
    "decode_heatmaps",
    "draw_poses",
    "load_card",
    "load_image",
    "models_home",
    "read_card",
    "resolve_model",
]
