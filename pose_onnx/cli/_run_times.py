"""Where the time of a run goes, measured by the clock of `pose-onnx bench`."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import Final

from pose_onnx.bench import REST, StageClock

LOAD: Final = "load image"
DRAW: Final = "draw"
WRITE: Final = "write"
IDS: Final = "ids"
OWN_FUNCTIONS: Final = MappingProxyType(
    {
        "pose_onnx.cli._fetch:fetch": LOAD,
        "pose_onnx.image_files:decode_image": LOAD,
        "pose_onnx.drawing.poses:draw_poses": DRAW,
        "pose_onnx.image_files:write_image": WRITE,
        "pose_onnx.video.outputs.parts:VideoParts.write": WRITE,
        "pose_onnx.video.tracking.tracker:Tracker.update": IDS,
    }
)
"""Stages of a run other than finding people; see `pose_onnx.bench.watched`."""
GROUPS: Final = MappingProxyType(
    {
        LOAD: "load",
        "detector pre-processing": "people",
        "detector network": "people",
        "detector post-processing": "people",
        "keypoint pre-processing": "keypoints",
        "keypoint network": "keypoints",
        "decode": "keypoints",
        IDS: IDS,
        DRAW: DRAW,
        WRITE: WRITE,
        REST: REST,
    }
)
"""Groups of stages, few enough to fit in a line."""
_MS: Final = 1000


def times(clock: StageClock, number: int, unit: str) -> str:
    """Return where the time since the clock's start went, such as "10.1 ms a picture: load 2.0, ...".

    Several threads at once share their time, so that the parts add up to the whole.

    Args:
        clock: The clock that measured the run.
        number: Number of pictures or frames, 1 or more.
        unit: Their name.
    """
    parts: Counter[str] = Counter()
    for stage, seconds in clock.seconds().items():
        parts[GROUPS[stage]] += seconds * _MS / number  # type: ignore[assignment]  # a sum, not a count
    shown = ", ".join(f"{part} {parts[part]:.1f}" for part in dict.fromkeys(GROUPS.values()) if parts[part])
    return f"{sum(parts.values()):.1f} ms a {unit}: {shown}"
