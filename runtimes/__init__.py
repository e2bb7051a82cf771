"""Adapters for inference engines: one file each, all with the same four-member protocol."""

from pose_onnx.runtimes._checks import check_feeds
from pose_onnx.runtimes._cores import default_threads
from pose_onnx.runtimes._protocol import Runtime, Tensor, TensorSpec
from pose_onnx.runtimes._registry import (
    BACKENDS,
    FOLDER,
    Backend,
    backend_for,
    backend_names,
    installed_backends,
    load_adapter,
    model_suffix,
    open_runtime,
    option_names,
)
from pose_onnx.runtimes._traits import fills_device, is_parallel, run_pixels

__all__ = [
    "BACKENDS",
    "FOLDER",
    "Backend",
    "Runtime",
    "Tensor",
    "TensorSpec",
    "backend_for",
    "backend_names",
    "check_feeds",
    "default_threads",
    "fills_device",
    "installed_backends",
    "is_parallel",
    "load_adapter",
    "model_suffix",
    "open_runtime",
    "option_names",
    "run_pixels",
]
