"""Writes frames to a video file that any player can show, at their own times and with sound."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pose_onnx.closing import Closing
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import DependencyError, InputError, OutputError
from pose_onnx.files import cannot_write, temporary_name
from pose_onnx.video.frame import ASSUMED_FPS
from pose_onnx.video.outputs.audio import AudioCopy
from pose_onnx.video.outputs.encoders import ENCODER_OPTIONS, Format, find_format

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import OutputContainer

_PIXELS: Final = "yuv420p"  # every player decodes it: one colour for 2 x 2 pixels
_BLOCK: Final = 2
_BT709: Final = 1  # ITU-T H.273: colour space, primaries and transfer function all have this number
_TICKS: Final = 60_000  # per second: whole ticks per frame at 24, 25, 29.97, 30, 50 and 60 fps
_FPS_DENOMINATOR: Final = 1001  # of NTSC rates, such as 30000 / 1001


class VideoWriter(Closing):
    """A video file that is written frame by frame and appears, complete, when it is closed.

    Frames keep their times: a variable frame rate is preserved. A frame with an odd number of rows or
    columns is padded by repeating the last one.

    Args:
        path: The file, .mp4, .mov, .mkv (H.264) or .webm (VP9). An existing file is replaced.
        fps: Frames per second as the source states it; `None` if unknown. A hint for encoder and players.
        audio_from: A video file whose first sound track is copied, from the first frame's time to the last's.
        encoder: An FFmpeg encoder; the format's default when `None`.

    Raises:
        DependencyError: The `video` extra is not installed.
        InputError: `fps` is not a number above 0.
        OutputError: No such format, its encoder is missing, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float | None = None,
        audio_from: str | os.PathLike[str] | None = None,
        encoder: str | None = None,
    ) -> None:
        if fps is not None and not 0 < fps < math.inf:
            raise InputError(f"fps={fps!r} was given; give frames per second above 0, or None")
        self._path = Path(path)
        self._av = import_pyav()
        self._format = find_writable(self._path)
        self._encoder = encoder or self._format.encoder
        self._fps = fps or ASSUMED_FPS
        self._part = temporary_name(self._path)
        self._size: tuple[int, int] | None = None
        self._start = self._last = 0.0
        self._ticks = -1
        self._container: OutputContainer | None = None
        self._audio: AudioCopy | None = None
        try:
            with self._reported():
                self._part.open("xb").close()  # fail now: FFmpeg opens it only at the first frame
                self._container = self._av.open(
                    self._part, "w", format=self._format.container, options=dict(self._format.options)
                )
                self._stream = self._add_stream(self._container)
                if audio_from is not None:
                    self._audio = AudioCopy(self._av, audio_from, self._container)
        except BaseException:
            self._discard()
            raise

    @property
    def silent_because(self) -> str:
        """Why the sound of `audio_from` is missing or ends early; empty if complete or there was none."""
        return "" if self._audio is None else self._audio.silent_because

    def write(self, image: Image, time: float) -> None:
        """Append a frame.

        Args:
            image: (H, W, 3) uint8, BGR; H and W as in the first.
            time: Seconds, more than before.

        Raises:
            InputError: The frame has another size than the first, or the file is closed.
            OutputError: The disk is full, or the encoder refuses frames of this size.
        """
        if self._container is None:
            raise InputError(f"{str(self._path)!r} is closed; write all frames before closing it")
        size = (image.shape[0], image.shape[1])
        with self._reported():
            if self._size is None:
                self._size, self._start = size, time
                self._stream.height, self._stream.width = (side + side % _BLOCK for side in size)
            _expect_size(size, self._size, time)
            self._copy_audio(time)
            frame = self._av.VideoFrame.from_ndarray(_padded(image), format="bgr24")
            frame = frame.reformat(format=_PIXELS, dst_colorspace=_BT709)
            self._ticks = max(self._ticks + 1, round((time - self._start) * _TICKS))
            frame.pts, frame.time_base = self._ticks, Fraction(1, _TICKS)
            self._container.mux(self._stream.encode(frame))
        self._last = time

    def close(self) -> None:
        """Finish the file and give it its name. Without frames, no file is written.

        Raises:
            OutputError: The disk is full, ...
        """
        container, self._container = self._container, None
        if container is None:
            return
        try:
            with self._reported():
                if self._size is not None:
                    self._copy_audio(self._last + 1 / self._fps)
                    container.mux(self._stream.encode(None))
                container.close()
                if self._size is not None:
                    self._part.replace(self._path)
        finally:
            self._discard()

    def _add_stream(self, container: OutputContainer) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(_FPS_DENOMINATOR)
        stream: VideoStream = container.add_stream(
            self._encoder, rate=rate, options=dict(ENCODER_OPTIONS.get(self._encoder, {}))
        )
        stream.pix_fmt = _PIXELS
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        return stream

    def _copy_audio(self, stop: float) -> None:
        if self._audio is not None:
            self._audio.copy(self._start, stop)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn exceptions of PyAV and the system into `OutputError`."""
        try:
            yield
        except InputError:
            raise
        except (OSError, ValueError, self._av.FFmpegError) as error:
            raise OutputError(cannot_write(self._path, error)) from error

    def _discard(self) -> None:
        if self._audio is not None:
            self._audio.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


def _expect_size(size: tuple[int, int], first: tuple[int, int], time: float) -> None:
    if size != first:
        raise InputError(
            f"the frame at {time:.3f} s has {size[1]} x {size[0]} pixels, but the first one has {first[1]} "
            f"x {first[0]}; give frames of one size"
        )


def _padded(image: Image) -> Image:
    """Return the image with even height and width."""
    height, width = image.shape[:2]
    if height % _BLOCK == width % _BLOCK == 0:
        return image
    padded: Image = cv2.copyMakeBorder(image, 0, height % _BLOCK, 0, width % _BLOCK, cv2.BORDER_REPLICATE)
    return padded


def find_writable(path: Path) -> Format:
    """Return how a video file is written, by its suffix.

    Raises:
        DependencyError: The `video` extra is not installed.
        OutputError: No such format, or its encoder is missing.
    """
    av = import_pyav()

    def has_encoder(name: str) -> bool:
        try:
            av.Codec(name, "w")
        except ValueError:  # PyAV's UnknownCodecError
            return False
        return True

    return find_format(path, has_encoder)


def import_pyav() -> Any:
    """Return PyAV.

    Raises:
        DependencyError: The `video` extra is not installed.
    """
    try:
        import av  # noqa: PLC0415 (an extra; imported after cv2 opens its windows, which hang otherwise)
    except ImportError as error:
        raise DependencyError(
            f"writing video needs PyAV ({error}); run: pip install 'pose-onnx[video]'"
        ) from error
    return av
