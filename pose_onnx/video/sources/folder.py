"""Folders of pictures, one per frame."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from pose_onnx.errors import InputError
from pose_onnx.image_files import IMAGE_SUFFIXES, load_image
from pose_onnx.video.frame import ASSUMED_FPS
from pose_onnx.video.sources.source import FrameSource, TimedImage

_LOG = logging.getLogger(__name__)


class FolderSource(FrameSource):
    """The pictures of a folder in natural order: frame2 before frame10.

    Args:
        folder: The folder.
        fps: Frames per second, since pictures have no rate; 25 when `None`.
        start: Frames before this time (seconds) are skipped.
        first: Frames before this index are skipped.

    Raises:
        InputError: The folder has no picture.
    """

    def __init__(self, folder: Path, *, fps: float | None = None, start: float = 0.0, first: int = 0) -> None:
        found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        self._paths = sorted(found, key=natural_key)
        if not self._paths:
            raise InputError(
                f"folder {str(folder)!r} has no picture ({', '.join(IMAGE_SUFFIXES)}); give one with frames"
            )
        self.live = False
        self._rate = fps or ASSUMED_FPS
        self.fps = self._rate
        self.frame_count = len(self._paths)
        self.size = None
        self.skipped = self.reconnects = self.missing = 0
        self._start, self._first = start, first

    def __iter__(self) -> Iterator[TimedImage]:
        for index, path in enumerate(self._paths):
            if index / self._rate < self._start or index < self._first:
                continue
            try:
                image = load_image(path)
            except InputError as error:
                self.skipped += 1
                _LOG.warning("frame %d is skipped: %s", index, error)
                continue
            yield index, index / self._rate, image

    def close(self) -> None:
        """Do nothing: no resource is held."""


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Return a key for natural sorting: runs of digits compare by value."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)
