"""From what a caller names to frames: a table of kinds, the first that fits is taken."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.errors import InputError, SourceError
from pose_onnx.video.sources.capture import open_capture
from pose_onnx.video.sources.file import FileSource, open_file
from pose_onnx.video.sources.folder import FolderSource
from pose_onnx.video.sources.live import LiveSource
from pose_onnx.video.sources.pairs import IterableSource
from pose_onnx.video.sources.source import FrameSource

VideoSource: TypeAlias = str | os.PathLike[str] | int | Iterable[tuple[float, Image]] | FrameSource
"""Path of a file or a folder of frames, camera number, URL, or pairs of (seconds, BGR array)."""

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def open_source(source: VideoSource, *, fps: float | None = None, start: float = 0.0) -> FrameSource:
    """Open something that has frames.

    Args:
        source: Path of a video file (every frame is given) or of a folder of pictures (in natural order);
            number of a camera, or address of a stream (rtsp://, http://, ...: only the newest frame is
            given), or of a file on a server; pairs of (seconds, (H, W, 3) uint8 BGR array). One that is open
            already is returned as it is.
        fps: Frames per second of a folder (25 when `None`), and of files without time stamps.
        start: Frames before this time, in seconds, are passed over.

    Returns:
        Frames, to be used in a `with` block.

    Raises:
        InputError: No such file, no frames in it, or an option that cannot be used.
        SourceError: The camera or stream cannot be opened.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise InputError(f"fps={fps!r} was given; give frames per second above 0")
    if not 0 <= start < math.inf:
        raise InputError(f"start={start!r} was given; give seconds of 0 or more")
    for fits, open_kind in _KINDS:
        if fits(source):
            return open_kind(source, fps=fps, start=start)
    raise InputError(
        f"a {type(source).__name__} is no source of frames; give a video file, a folder of frames, a "
        "camera's number, a URL, or pairs of (seconds, array)"
    )


def _open_stream(source: int | str, *, fps: float | None, start: float) -> FrameSource:
    if (capture := open_capture(source)) is None:
        raise SourceError(_cannot_open(source))
    if capture.frame_count is not None:  # a file on a server
        return FileSource(str(source), capture, fps=fps, start=start)
    return LiveSource(source, capture, start=start)


def _cannot_open(source: int | str) -> str:
    if isinstance(source, int):
        return f"camera {source} cannot be opened; check that it is there and that no other program uses it"
    return (
        f"{source!r} cannot be opened; check the address, and that the server sends video that FFmpeg reads"
    )


def _open_path(source: str | os.PathLike[str], *, fps: float | None, start: float) -> FrameSource:
    path = Path(source)
    kind = FolderSource if path.is_dir() else open_file
    return kind(path, fps=fps, start=start)


def _is_camera(source: object) -> bool:
    return isinstance(source, int) and not isinstance(source, bool) and source >= 0


class _OpenKind(Protocol):
    def __call__(self, source: Any, /, *, fps: float | None, start: float) -> FrameSource: ...


_KINDS: Final[tuple[tuple[Callable[[object], bool], _OpenKind], ...]] = (
    (lambda source: isinstance(source, FrameSource), lambda source, *, fps, start: source),  # noqa: ARG005
    (_is_camera, lambda source, *, fps, start: _open_stream(int(source), fps=fps, start=start)),
    (lambda source: isinstance(source, str) and bool(_URL.match(source)), _open_stream),
    (lambda source: isinstance(source, str | os.PathLike), _open_path),
    (lambda source: isinstance(source, Iterable) and not isinstance(source, np.ndarray), IterableSource),
)
"""Which sources are of a kind, and how it is opened."""
