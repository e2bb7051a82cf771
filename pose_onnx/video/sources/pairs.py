"""Frames from the caller: any iterable of (timestamp, array)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from pose_onnx.core.images import Color
from pose_onnx.errors import InputError
from pose_onnx.image_files import load_image
from pose_onnx.video.sources.source import FrameSource, TimedImage


class IterableSource(FrameSource):
    """Pairs of a time in seconds and an (H, W, 3) uint8 array; times must increase.

    Args:
        frames: The pairs.
        fps: Frames per second, if known.
        start: Frames before this time (seconds) are skipped.
        first: Frames before this index are skipped.
        color: Channel order of the arrays.
    """

    def __init__(
        self,
        frames: Iterable[Any],
        *,
        fps: float | None = None,
        start: float = 0.0,
        first: int = 0,
        color: Color = "bgr",
    ) -> None:
        self.live = False
        self.fps = fps
        self.frame_count = len(frames) if isinstance(frames, list | tuple) else None
        self.size = None
        self.skipped = self.reconnects = self.missing = 0
        self._frames = frames
        self._start, self._first, self._color = start, first, color

    def __iter__(self) -> Iterator[TimedImage]:
        previous = -math.inf
        for index, item in enumerate(self._frames):
            time, pixels = _pair(item, index)
            if not previous < time < math.inf:
                raise InputError(
                    f"frame {index} has the time {time!r} after {previous!r}; give increasing times in "
                    "seconds"
                )
            previous = time
            if time >= self._start and index >= self._first:
                yield index, time, load_image(pixels, color=self._color)

    def close(self) -> None:
        """Do nothing: the iterable belongs to the caller."""


def _pair(item: Any, index: int) -> tuple[float, Any]:
    try:
        time, pixels = item
        return float(time), pixels
    except (TypeError, ValueError) as error:
        raise InputError(
            f"frame {index} is a {type(item).__name__}; give pairs of (seconds, (H, W, 3) uint8 array)"
        ) from error
