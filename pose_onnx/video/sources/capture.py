"""A thin wrapper of OpenCV's video capture with only the calls that the sources need."""

from __future__ import annotations

import math
from typing import Final, Protocol, cast

from pose_onnx.addresses import redacted
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError
from pose_onnx.files import is_utf8

_OPEN_TIMEOUT_MS: Final = 10_000
_READ_TIMEOUT_MS: Final = 5_000
_MOST_FPS: Final = 1000.0
"""A larger number is the container's time base, not a frame rate."""


class Capture(Protocol):
    """An open file, camera or stream.

    Attributes:
        fps: Frames per second, or `None`.
        frame_count: Number of frames, or `None`.
        size: Height and width in pixels, or `None`.
    """

    fps: float | None
    frame_count: int | None
    size: tuple[int, int] | None

    def grab(self) -> bool:
        """Go to the next frame; `False` at the end, if it cannot be decoded, or if the stream failed."""

    def retrieve(self) -> Image | None:
        """Return the pixels of the frame that was grabbed, or `None`."""

    def seconds(self) -> float:
        """Return the time stamp of the frame that was grabbed."""

    def close(self) -> None:
        """Release the file or device."""


class CvCapture:
    """A `Capture` that is a `cv2.VideoCapture`."""

    def __init__(self, opened: cv2.VideoCapture) -> None:
        self._opened = opened
        self.fps = _positive(opened.get(cv2.CAP_PROP_FPS), _MOST_FPS)
        count = _positive(opened.get(cv2.CAP_PROP_FRAME_COUNT), math.inf)
        self.frame_count = None if count is None else int(count)
        height, width = (
            int(opened.get(name)) for name in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        )
        self.size = (height, width) if height > 0 and width > 0 else None

    def grab(self) -> bool:
        """Go to the next frame; `False` at the end, or if there is none that can be decoded."""
        return bool(self._opened.grab())

    def retrieve(self) -> Image | None:
        """Return the pixels of the frame that was grabbed, or `None`."""
        done, image = self._opened.retrieve()
        return cast("Image", image) if done else None

    def seconds(self) -> float:
        """Return the time stamp of the frame that was grabbed."""
        return float(self._opened.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def close(self) -> None:
        """Release the file or device."""
        self._opened.release()


def open_capture(target: int | str) -> Capture | None:
    """Open a file path, camera number or stream address; return `None` if it cannot be opened.

    Raises:
        InputError: The path or address is not UTF-8.
    """
    if isinstance(target, str) and not is_utf8(target):  # OpenCV would crash
        raise InputError(f"the name {redacted(target)!r} is not UTF-8, so OpenCV cannot open it; change it")
    if isinstance(target, str) and "://" in target:
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS,
        ]  # fmt: skip
        opened = cv2.VideoCapture(target, cv2.CAP_FFMPEG, timeouts)
    else:
        opened = cv2.VideoCapture(target)
    if not opened.isOpened():
        opened.release()
        return None
    return CvCapture(opened)


def _positive(number: float, most: float) -> float | None:
    return float(number) if 0 < number <= most and math.isfinite(number) else None
