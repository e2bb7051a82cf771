"""Little videos, made and looked into with PyAV, which the tests need anyway."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 44_100
BEEP_S, BEEP_EVERY_S = 0.05, 0.5
_FORMATS = {"aac": ("fltp", np.float32), "pcm_s16le": ("s16", np.int16)}
_CHUNK = 1024


def make_clip(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    fps: int = 25,
    audio: str = "",
    seconds: float = 0,
    late: int = 0,
    codec: str = "mpeg4",
    faststart: bool = False,
) -> Path:
    """Write a video of BGR pictures, with a beep every half second if an audio codec is named.

    The pictures begin `late` frames after the sound.
    """
    has_index = path.suffix in {".mp4", ".mov"}
    muxing = {"movflags": "faststart"} if faststart and has_index else {}
    with av.open(str(path), "w", options=muxing) as container:
        options = {"qscale": "2"} if codec == "mpeg4" else {}
        video: Any = container.add_stream(codec, rate=fps, options=options)
        video.bit_rate = 4_000_000
        video.pix_fmt = "yuv420p"
        sound = _add_beeps(container, audio, seconds) if audio else []
        for index, image in enumerate(images):
            if not index:
                video.height, video.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index + late, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for packets in sound:
            container.mux(packets)
    return path


def _add_beeps(container: Any, codec: str, seconds: float) -> Iterable[Any]:
    stream: Any = container.add_stream(codec, rate=RATE)
    stream.layout = "mono"
    layout, dtype = _FORMATS[codec]
    times = np.arange(int(RATE * seconds)) / RATE
    wave = 0.8 * np.sin(2 * np.pi * 880 * times) * (times % BEEP_EVERY_S < BEEP_S)
    samples = (wave * (32767 if dtype == np.int16 else 1)).astype(dtype)

    def packets() -> Iterable[Any]:
        for begin in range(0, len(samples), _CHUNK):
            frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + _CHUNK], layout, "mono")
            frame.sample_rate, frame.pts = RATE, begin
            yield stream.encode(frame)
        yield stream.encode(None)

    return packets()


def frame_times(path: Path) -> list[float]:
    """Return when each frame is shown, seconds."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def beeps(path: Path) -> list[float]:
    """Return when each beep begins, seconds."""
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave: Any = frame.to_ndarray().astype(np.float64).ravel()
            loud = np.flatnonzero(np.abs(wave) > (0.3 * 32767 if "s16" in frame.format.name else 0.3))
            for sample in loud[:1]:
                time = float(frame.time or 0) + float(sample) / RATE
                if not found or time - found[-1] > BEEP_EVERY_S / 2:
                    found.append(time)
    return found
