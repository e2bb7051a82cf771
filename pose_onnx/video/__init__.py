"""People in motion: videos, cameras and streams, with an id for everyone and steady keypoints."""

from pose_onnx.video._estimator import VideoPoseEstimator
from pose_onnx.video._frame import Frame
from pose_onnx.video._history import PoseHistory, PoseWindow
from pose_onnx.video._open import VideoSource, open_source
from pose_onnx.video._paddle_filter import PaddleFilter
from pose_onnx.video._schedule import Every
from pose_onnx.video._smooth import OneEuro, Smoother, Smoothing
from pose_onnx.video._source import FrameSource
from pose_onnx.video._writer import VideoWriter

__all__ = [
    "Every",
    "Frame",
    "FrameSource",
    "OneEuro",
    "PaddleFilter",
    "PoseHistory",
    "PoseWindow",
    "Smoother",
    "Smoothing",
    "VideoPoseEstimator",
    "VideoSource",
    "VideoWriter",
    "open_source",
]
