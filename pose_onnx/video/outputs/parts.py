"""Writes a long video in parts, each a complete file, so that a killed run keeps its finished parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_onnx.closing import Closing
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import OutputError
from pose_onnx.files import atomic_path, cannot_write
from pose_onnx.video.frame import ASSUMED_FPS
from pose_onnx.video.outputs.audio import AudioCopy
from pose_onnx.video.outputs.writer import VideoWriter, find_writable, import_pyav


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part.

    Attributes:
        name: File name.
        start: Time of its first frame, seconds.
        stop: Time of its last frame, seconds.
    """

    name: str
    start: float
    stop: float


class VideoParts(Closing):
    """Writes a video part by part and joins the parts without encoding again.

    Args:
        folder: Folder of the parts.
        target: The joined file.
        fps: Frames per second as the source states it.
        parts: Parts of an earlier run to continue after.
        size: Height and width of their frames.

    Attributes:
        parts: The finished parts.
        size: Height and width of the frames, known from the first frame on.
        fitted: Number of frames that were resized because they differ in size from the first.

    Raises:
        DependencyError: The `video` extra is not installed.
        OutputError: No such format, or its encoder is missing.
    """

    def __init__(
        self,
        folder: Path,
        target: Path,
        *,
        fps: float | None,
        parts: Sequence[Part] = (),
        size: tuple[int, int] | None = None,
    ) -> None:
        self._format = find_writable(target)
        self.parts, self.size = list(parts), size
        self.fitted = 0
        self._folder, self._target, self._fps = folder, target, fps
        self._writer: VideoWriter | None = None
        self._start = self._stop = 0.0

    def write(self, image: Image, time: float) -> None:
        """Append a frame of any size, (H, W, 3) uint8, BGR, at a time in seconds.

        Raises:
            OutputError: The disk is full, ...
        """
        self.size = self.size or (image.shape[0], image.shape[1])
        if image.shape[:2] != self.size:
            image, self.fitted = fit_into(image, self.size), self.fitted + 1
        if self._writer is None:
            path = self._folder / self._next_name()
            self._writer = VideoWriter(path, fps=self._fps, encoder=self._format.encoder)
            self._start = time
        self._writer.write(image, time)
        self._stop = time

    def _next_name(self) -> str:
        return f"{len(self.parts):06}.mp4"  # for any target format: MP4 stores exact times

    def cut(self) -> None:
        """Finish the current part; the next frame begins a new one."""
        writer, self._writer = self._writer, None  # a part that cannot be finished is none
        if writer is not None:
            writer.close()
            self.parts.append(Part(self._next_name(), self._start, self._stop))

    def join(self, audio_from: str | os.PathLike[str] | None) -> str:
        """Join all parts into the target and add the sound of a file.

        Returns:
            Why the sound is missing or ends early; empty if it is complete or the file has none.

        Raises:
            OutputError: The disk is full, ...
        """
        self.cut()
        if not self.parts:
            return ""
        av = import_pyav()
        options, container = dict(self._format.options), self._format.container
        try:
            with (
                atomic_path(self._target) as path,
                av.open(path, "w", format=container, options=options) as target,
            ):
                return self._copy(av, target, audio_from)
        except (ValueError, av.FFmpegError) as error:
            raise OutputError(cannot_write(self._target, error)) from error

    def _copy(self, av: Any, target: Any, audio_from: str | os.PathLike[str] | None) -> str:
        start, step = self.parts[0].start, 1 / (self._fps or ASSUMED_FPS)
        with av.open(self._folder / self.parts[0].name) as first:
            stream = target.add_stream_from_template(first.streams.video[0])
        audio = None if audio_from is None else AudioCopy(av, audio_from, target)
        try:
            last = None
            for packet in self._packets(av, start):
                # A part's first frames may be decoded before the last ones of the part before are shown.
                packet.dts = packet.dts if last is None else max(packet.dts, last + 1)
                last = packet.dts
                if audio:
                    audio.copy(start, start + float(packet.dts * packet.time_base))
                packet.stream = stream
                target.mux(packet)
            if audio:
                audio.copy(start, self.parts[-1].stop + step)
        finally:
            if audio:
                audio.close()
        return audio.silent_because if audio else ""

    def _packets(self, av: Any, start: float) -> Iterator[Any]:
        """Yield the packets of all parts, each at its time in the joined video."""
        for part in self.parts:
            with av.open(self._folder / part.name) as source:
                for packet in source.demux(video=0):
                    if packet.dts is None:  # the end
                        continue
                    shift = round((part.start - start) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    yield packet

    def close(self) -> None:
        """Finish the current part."""
        self.cut()


def fit_into(image: Image, size: tuple[int, int]) -> Image:
    """Return an image scaled to fit into (height, width), centred, with black borders."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    resized = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    bottom, right = size[0] - inner[0] - top, size[1] - inner[1] - left
    fitted: Image = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return fitted
