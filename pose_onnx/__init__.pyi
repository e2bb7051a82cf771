# The public names and where they are: type checkers read this, and __init__.py loads them from it.
# ruff: noqa: TID252 (lazy_loader reads relative imports alone)
from .action_model import ActionModel
from .cards.card import ModelCard
from .cards.embedded import read_card
from .cards.input import InputSpec
from .cards.lookup import card_names, load_card, models_home, resolve_model
from .cards.window import WindowSpec
from .core.angles import COCO_ANGLES, joint_angles
from .core.heatmaps import decode_heatmaps, decode_quarter_steps
from .core.udp import decode_udp
from .detections import Detections
from .detector import Detector
from .drawing.poses import draw_poses
from .errors import (
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
from .image_files import decode_image, load_image
from .keypoint_model import KeypointModel
from .outputs import BoxDistributionOutput, BoxOutput, HeatmapOutput
from .pose_estimator import PoseEstimator
from .pose_model import BatchTopDownModel, ParallelModel, PoseModel, TopDownModel
from .poses import Action, Poses
from .presets import PRESETS, Preset
from .top_down import TopDownEstimator

__version__: str

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
    "OutputError",
    "ParallelModel",
    "PoseEstimator",
    "PoseModel",
    "PoseOnnxError",
    "Poses",
    "Preset",
    "RuntimeFeedError",
    "SourceError",
    "TopDownEstimator",
    "TopDownModel",
    "UnexpectedError",
    "UnknownNameError",
    "WindowSpec",
    "__version__",
    "card_names",
    "decode_heatmaps",
    "decode_image",
    "decode_quarter_steps",
    "decode_udp",
    "draw_poses",
    "joint_angles",
    "load_card",
    "load_image",
    "models_home",
    "read_card",
    "resolve_model",
]
