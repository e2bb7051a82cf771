"""Video formats that can be written, and their encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.errors import OutputError

_FASTSTART: Final = MappingProxyType({"movflags": "faststart"})  # playback can start before the download ends


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written.

    Attributes:
        container: FFmpeg's name of the file format; it must hold a time stamp for each frame.
        encoder: FFmpeg's name.
        options: Options of the container's writer.
    """

    container: str
    encoder: str
    options: Mapping[str, str] = field(default_factory=dict)


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        ".mp4": Format("mp4", "libx264", _FASTSTART),
        ".mov": Format("mov", "libx264", _FASTSTART),
        ".mkv": Format("matroska", "libx264"),
        ".webm": Format("webm", "libvpx-vp9"),
    }
)
"""Formats by the file's suffix."""

ENCODER_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "libx264": {"preset": "veryfast", "crf": "20"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "crf": "30", "b": "0"},
    }
)
"""Favours speed over file size: the networks need the processor."""


def find_format(path: Path, has_encoder: Callable[[str], bool]) -> Format:
    """Return how a file is written.

    Raises:
        OutputError: The suffix is unknown, or the encoder is missing; the message lists the usable ones.
    """
    working = [suffix for suffix, each in FORMATS.items() if has_encoder(each.encoder)]
    if path.suffix.lower() in working:
        return FORMATS[path.suffix.lower()]
    raise OutputError(
        f"{str(path)!r} has the suffix {path.suffix!r}, which names no video format that can be written "
        f"here; use one of {working}"
    )
