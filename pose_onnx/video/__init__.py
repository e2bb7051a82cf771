"""Track people in videos, cameras and streams: an id for each person and smoothed keypoints."""

from pose_onnx.video.estimator import VideoPoseEstimator
from pose_onnx.video.frame import Frame
from pose_onnx.video.history import PoseHistory, PoseWindow
from pose_onnx.video.multi import MultiVideo, Result
from pose_onnx.video.outputs.writer import VideoWriter
from pose_onnx.video.session import VideoSession
from pose_onnx.video.sources.open import VideoSource, open_source
from pose_onnx.video.sources.source import FrameSource
from pose_onnx.video.stream import VideoStream
from pose_onnx.video.tracking.one_euro import OneEuro, Smoother, Smoothing
from pose_onnx.video.tracking.paddle_filter import PaddleFilter
from pose_onnx.video.tracking.schedule import Every

__all__ = [
    "Every",
    "Frame",
    "FrameSource",
    "MultiVideo",
    "OneEuro",
    "PaddleFilter",
    "PoseHistory",
    "PoseWindow",
    "Result",
    "Smoother",
    "Smoothing",
    "VideoPoseEstimator",
    "VideoSession",
    "VideoSource",
    "VideoStream",
    "VideoWriter",
    "open_source",
]
