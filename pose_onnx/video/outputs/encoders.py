"""Which formats of video can be written, and by which encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.errors import OutputError

FORMATS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        ".mp4": ("mp4", "libx264"),
        ".mov": ("mov", "libx264"),
        ".mkv": ("matroska", "libx264"),
        ".webm": ("webm", "libvpx-vp9"),
    }
)
"""Container and encoder by the file's suffix; all of them hold a time stamp for each frame."""

ENCODER_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "libx264": {"preset": "veryfast", "crf": "20"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "crf": "30", "b": "0"},
    }
)
"""Quick rather than small: the processor is for the networks."""


def find_format(path: Path, has_encoder: Callable[[str], bool]) -> tuple[str, str]:
    """Return container and encoder for a file.

    Raises:
        OutputError: The suffix is unknown, or the encoder is missing; the message lists what works.
    """
    working = [suffix for suffix, (_, encoder) in FORMATS.items() if has_encoder(encoder)]
    if path.suffix.lower() in working:
        return FORMATS[path.suffix.lower()]
    raise OutputError(
        f"{str(path)!r} has the suffix {path.suffix!r}, which names no video format that can be written "
        f"here; use one of {working}"
    )
