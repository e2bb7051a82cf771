"""The stored data of a video frame, and the data common to all frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pose_onnx.poses import Poses

if TYPE_CHECKING:
    from pose_onnx.video import Frame


@dataclass(frozen=True, slots=True, eq=False)
class FrameRecord:
    """What was found in one frame.

    Attributes:
        index: Its number in the source, from 0.
        time: Its time in the source, seconds.
        size: Height and width, pixels.
        poses: The people in it.
        detected: Whether the detector ran on it; if not, people were tracked from the previous frame.
    """

    index: int
    time: float
    size: tuple[int, int]
    poses: Poses
    detected: bool = True

    @classmethod
    def of(cls, frame: Frame) -> FrameRecord:
        """Return a frame without its picture."""
        size = (frame.image.shape[0], frame.image.shape[1])
        return cls(frame.index, frame.time, size, frame.poses, frame.detected)


@dataclass(frozen=True, slots=True)
class FramesHeader:
    """The data common to all frames of a file.

    Attributes:
        source: Where the frames come from, as given; in files without user and password.
        keypoint_names: The K keypoints' names.
        settings: How the results were made: models, backend, preset, ...
    """

    source: str
    keypoint_names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FramesEnd:
    """How a video ended.

    Attributes:
        frames: Number of frames written.
        skipped: Number of frames that could not be decoded.
        missing: Number of announced frames that did not arrive: the file is truncated, or the server failed.
    """

    frames: int
    skipped: int = 0
    missing: int = 0
