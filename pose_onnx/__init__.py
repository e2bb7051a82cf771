"""Paddle-quality human pose on ONNX Runtime and TFLite, without Paddle."""

from importlib.metadata import PackageNotFoundError, version

from pose_onnx.action_model import ActionModel
from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.embedded import read_card
from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.lookup import card_names, load_card, models_home, resolve_model
from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.angles import COCO_ANGLES, joint_angles
from pose_onnx.core.heatmaps import decode_heatmaps, decode_quarter_steps
from pose_onnx.detections import Detections
from pose_onnx.detector import Detector
from pose_onnx.drawing.poses import draw_poses
from pose_onnx.errors import (
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
    UnexpectedError,
    UnknownNameError,
)
from pose_onnx.image_files import decode_image, load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.one_pass import OnePassModel
from pose_onnx.opening import open_pose_model
from pose_onnx.outputs import BoxDistributionOutput, BoxOutput, HeatmapOutput
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.pose_model import BatchTopDownModel, ParallelModel, PoseModel, TopDownModel
from pose_onnx.poses import Action, Poses
from pose_onnx.presets import PRESETS, Preset

try:
    __version__ = version("pose-onnx")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "COCO_ANGLES",
    "PRESETS",
    "Action",
    "ActionModel",
    "BatchTopDownModel",
    "BoxDistributionOutput",
    "BoxOutput",
    "CardError",
    "DependencyError",
    "Detections",
    "Detector",
    "DownloadError",
    "EngineError",
    "ExportError",
    "HeatmapOutput",
    "InputError",
    "InputSpec",
    "KeypointModel",
    "MissingCardError",
    "ModelCard",
    "ModelFileError",
    "OnePassModel",
    "OutputError",
    "ParallelModel",
    "PoseEstimator",
    "PoseModel",
    "PoseOnnxError",
    "Poses",
    "Preset",
    "RuntimeFeedError",
    "SourceError",
    "TopDownModel",
    "UnexpectedError",
    "UnknownNameError",
    "WindowSpec",
    "__version__",
    "card_names",
    "decode_heatmaps",
    "decode_image",
    "decode_quarter_steps",
    "draw_poses",
    "joint_angles",
    "load_card",
    "load_image",
    "models_home",
    "open_pose_model",
    "read_card",
    "resolve_model",
]
