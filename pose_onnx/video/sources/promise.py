"""How much video the container promises; checked only if fewer frames were read than expected.

OpenCV's number of frames is exact for MP4. For Matroska and WebM it is computed from the length of the
longest track and a guessed rate. So PyAV checks the picture track before a file is reported as cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

_TIMEOUT_S: Final = 10.0
_STAMP_TAG: Final = "DURATION"  # Matroska: the end of a track; a language may follow the name
_STAMP: Final = re.compile(r"(\d{1,6}):(\d{2}):(\d{2}(?:\.\d+)?)")  # as "00:01:02.500"
_COUNTED: Final = "mp4"  # in the format names of the MP4 family, whose index lists each frame


@dataclass(frozen=True, slots=True)
class Promise:
    """What a container states about its pictures; one of the two is set.

    Attributes:
        frames: How many are shown.
        seconds: End of the last one, counted from the first.
    """

    frames: int | None = None
    seconds: float | None = None


def promise_of(address: str, frame_count: int, fps: float) -> Promise:
    """Return what the container of a video promises.

    Args:
        address: Path or URL.
        frame_count: Number of frames according to OpenCV.
        fps: Frames per second according to OpenCV.
    """
    try:
        import av  # noqa: PLC0415 (an extra; without it OpenCV's number is used)
    except ImportError:
        return Promise(seconds=frame_count / fps)
    try:
        with av.open(address, timeout=_TIMEOUT_S, metadata_errors="replace") as container:
            return _promise(container, container.streams.video[0])
    except (av.FFmpegError, IndexError):  # such as a lost server
        return Promise(seconds=frame_count / fps)


def _promise(container: InputContainer, pictures: VideoStream) -> Promise:
    start = float((pictures.start_time or 0) * (pictures.time_base or 0))
    if pictures.frames and _COUNTED in container.format.name.split(","):
        # An edit list hides frames that are in the file.
        hidden = sum(packet.is_discard for packet in container.demux(pictures))
        return Promise(frames=pictures.frames - hidden)
    if pictures.frames and pictures.average_rate:
        return Promise(seconds=float(pictures.frames / pictures.average_rate))
    for name, value in pictures.metadata.items():
        if name.startswith(_STAMP_TAG) and (stamp := _STAMP.fullmatch(value)):
            hours, minutes, seconds = map(float, stamp.groups())
            return Promise(seconds=hours * 3600 + minutes * 60 + seconds - start)
    return Promise(seconds=_by_longest_track(container, pictures) - start)


def _by_longest_track(container: InputContainer, pictures: VideoStream) -> float:
    """Return the end of the pictures if any track reaches the container's end, else the container's end."""
    ends: dict[int, float] = {}
    longest = 0.0
    for packet in container.demux():
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            ends[packet.stream.index] = max(ends.get(packet.stream.index, 0.0), end)
            longest = max(longest, float((packet.duration or 0) * packet.time_base))
    stated = _end(container)
    is_whole = max(ends.values(), default=0.0) >= stated - longest
    return ends.get(pictures.index, 0.0) if is_whole else stated


def _end(container: Any) -> float:
    microsecond = 1e-6  # libavformat's AV_TIME_BASE
    return ((container.start_time or 0) + (container.duration or 0)) * microsecond
