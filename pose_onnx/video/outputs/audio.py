"""Copies the sound of a video file packet by packet into the new video, without decoding it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pose_onnx.closing import Closing

if TYPE_CHECKING:
    from av import AudioStream, Packet
    from av.container import InputContainer, OutputContainer


class AudioCopy(Closing):
    """Copies the first sound track of a file into another file.

    Args:
        av: PyAV.
        source: The file with the sound.
        target: The output; no packet may have been written to it yet.

    Attributes:
        silent_because: Why sound is missing or ends early; empty if it is complete or the source has none.
    """

    def __init__(self, av: Any, source: str | os.PathLike[str], target: OutputContainer) -> None:
        self.silent_because = ""
        self._target = target
        self._error: type[Exception] = av.FFmpegError
        self._source: InputContainer | None = None
        self._packets: Iterator[tuple[float, Packet]] | None = None
        self._next: tuple[float, Packet] | None = None
        try:
            self._source = av.open(os.fspath(source))
        except av.FFmpegError as error:
            self.silent_because = f"the sound of {str(source)!r} cannot be read ({error.strerror})"
            return
        self._name = str(source)
        self._track = self._copy_of_track(self._source)

    def _copy_of_track(self, source: InputContainer) -> AudioStream | None:
        if not source.streams.audio:
            return None
        context = source.streams.audio[0].codec_context
        if context is None:  # despite its type in PyAV
            self.silent_because = f"FFmpeg does not know the codec of the sound of {self._name!r}"
            return None
        codec = context.codec.canonical_name
        if codec not in self._target.supported_codecs:
            self.silent_because = f"this format cannot store {codec} sound; .mkv and .mov store most codecs"
            return None
        return self._target.add_stream_from_template(source.streams.audio[0])

    def copy(self, start: float, stop: float) -> None:
        """Write the packets after the last one written that begin before `stop`.

        Args:
            start: Source time at which the target begins, seconds; the same in each call.
            stop: Time in the source, seconds.
        """
        if self._source is None or self._track is None:
            return
        if self._packets is None:
            self._packets = self._shifted(self._source, self._track, start)
            self._next = next(self._packets, None)
        while self._next is not None and self._next[0] < stop - start:
            self._target.mux(self._next[1])
            self._next = next(self._packets, None)

    def _shifted(
        self, source: InputContainer, track: AudioStream, start: float
    ) -> Iterator[tuple[float, Packet]]:
        """Yield each packet that ends after `start`: its time in the target, and the packet moved there."""
        sound = source.streams.audio[0]
        begin = start + _first_picture(source)
        step = float(sound.time_base)
        shift = round(begin / step)
        try:
            if start > 0:
                source.seek(round(begin / step), stream=sound)
            for packet in source.demux(sound):
                if packet.pts is None or packet.dts is None or packet.pts + (packet.duration or 0) < shift:
                    continue
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = track
                yield packet.dts * step, packet
        except self._error as error:
            self.silent_because = f"the sound of {self._name!r} ends early ({error})"

    def close(self) -> None:
        """Close the source."""
        if self._source is not None:
            self._source.close()


def _first_picture(source: InputContainer) -> float:
    """Return when frame times begin, in the container's time: at its first picture, or 0 without one."""
    if not source.streams.video:
        return 0.0
    pictures = source.streams.video[0]
    return float((pictures.start_time or 0) * pictures.time_base)
