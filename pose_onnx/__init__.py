"""Paddle-quality human pose on ONNX Runtime and TFLite, without Paddle.

The public names are in `__init__.pyi`; each is loaded when it is first used. So the command line can answer
Ctrl-C while NumPy and OpenCV are still being loaded.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

try:
    __version__ = version("pose-onnx")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
