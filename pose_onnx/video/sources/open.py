"""Opens a source by its kind: a table of kinds, of which the first match is used."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from pose_onnx.addresses import is_address, redacted
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.errors import InputError, SourceError
from pose_onnx.files import exists
from pose_onnx.video.sources.capture import open_capture
from pose_onnx.video.sources.file import FileSource, open_file
from pose_onnx.video.sources.folder import FolderSource
from pose_onnx.video.sources.live import LiveSource, shown
from pose_onnx.video.sources.pairs import IterableSource
from pose_onnx.video.sources.source import FrameSource

VideoSource: TypeAlias = str | os.PathLike[str] | int | Iterable[tuple[float, Image]] | FrameSource
"""Path of a file or a folder of frames, camera number, URL, or pairs of (seconds, array)."""


@dataclass(frozen=True, slots=True)
class _Options:
    fps: float | None
    start: float
    first: int
    color: Color


def open_source(
    source: VideoSource,
    *,
    fps: float | None = None,
    start: float = 0.0,
    first: int = 0,
    color: Color = "bgr",
) -> FrameSource:
    """Open a source of frames.

    Args:
        source: Path of a video file (every frame is given) or of a folder of pictures (in natural order);
            number of a camera, or address of a stream (only the newest frame is given) or of a file on a
            server; pairs of (seconds, (H, W, 3) uint8 array). An open source is returned unchanged.
        fps: Frames per second of a folder (25 when `None`). For a file, replaces its own time stamps; raw
            streams (.h264, .hevc) have none.
        start: Frames before this time, in seconds, are skipped.
        first: Frames before this index are skipped. Not for cameras and streams.
        color: Channel order of arrays.

    Returns:
        Frames, to be used in a `with` block.

    Raises:
        InputError: The file does not exist or has no frames, or an option cannot be used.
        SourceError: The camera or stream cannot be opened.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise InputError(f"fps={fps!r} was given; give frames per second above 0")
    if not 0 <= start < math.inf:
        raise InputError(f"start={start!r} was given; give seconds of 0 or more")
    if first < 0:
        raise InputError(f"first={first!r} was given; give a frame's index, 0 or more")
    for fits, open_kind in _KINDS:
        if fits(source):
            return open_kind(source, _Options(fps, start, first, color))
    raise InputError(
        f"a {type(source).__name__} is not a source of frames; give a video file, a folder of frames, a "
        "camera's number, a URL, or pairs of (seconds, array)"
    )


def _open_stream(source: int | str, options: _Options) -> FrameSource:
    if (capture := open_capture(source)) is None:
        raise SourceError(_cannot_open(source))
    if capture.frame_count is not None:  # a file on a server
        return FileSource(str(source), capture, fps=options.fps, start=options.start, first=options.first)
    if options.first:
        capture.close()
        raise InputError(
            f"{shown(source)} is live, so it cannot start at frame {options.first}; leave first= out"
        )
    return LiveSource(source, capture, fps=options.fps, start=options.start)


def _cannot_open(source: int | str) -> str:
    if isinstance(source, int):
        return (
            f"camera {source} cannot be opened; check that it is connected and that no other program uses it"
        )
    return (
        f"{redacted(source)!r} cannot be opened; check the address, and that the server sends video that"
        " FFmpeg reads"
    )


def _open_path(source: str | os.PathLike[str], options: _Options) -> FrameSource:
    path = Path(source)
    kind = FolderSource if exists(path) and path.is_dir() else open_file
    return kind(path, fps=options.fps, start=options.start, first=options.first)


def _open_pairs(source: Iterable[Any], options: _Options) -> FrameSource:
    return IterableSource(
        source, fps=options.fps, start=options.start, first=options.first, color=options.color
    )


def _is_camera(source: object) -> bool:
    return isinstance(source, int) and not isinstance(source, bool) and source >= 0


_KINDS: Final[tuple[tuple[Callable[[object], bool], Callable[[Any, _Options], FrameSource]], ...]] = (
    (lambda source: isinstance(source, FrameSource), lambda source, _: source),
    (_is_camera, lambda source, options: _open_stream(int(source), options)),
    (lambda source: isinstance(source, str) and is_address(source), _open_stream),
    (lambda source: isinstance(source, str | os.PathLike), _open_path),
    (lambda source: isinstance(source, Iterable) and not isinstance(source, np.ndarray), _open_pairs),
)
"""For each kind: how to recognise its sources, and how to open them."""
