"""Simulated cameras: H.264 in MPEG-TS over HTTP, in real time, each frame marked with its number.

A frame is taken at a multiple of 1 / fps of the monotonic clock, which all processes share, so its number
tells when it was taken. Cameras take their pictures one after another, not all at once.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from typing import Any, Final

import av

from benchmarks.video_scene import crossing, demo_people
from pose_onnx.core.arrays import Image

BITS: Final = 8
BLOCK: Final = 16
"""Side of a bit of the number, pixels; dark is 0. One H.264 macroblock, so that it stays sharp."""
FRAMES: Final = 100
"""Number of frames in the scene, which is repeated; fewer than the values a frame number can have."""
_MIDDLE: Final = 128
_TICKS: Final = 90_000  # of MPEG-TS
_GROUP_S: Final = 1.0
"""Distance from one key frame to the next: the longest wait for a client that connects."""


def mark(image: Image, number: int) -> Image:
    """Return a copy with a number in its upper left corner."""
    marked = image.copy()
    for bit in range(BITS):
        marked[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return marked


def read_mark(image: Image) -> int:
    """Return the number of a frame."""
    half = BLOCK // 2
    bits = [image[half, bit * BLOCK + half].mean() > _MIDDLE for bit in range(BITS)]
    return sum(int(value) << bit for bit, value in enumerate(bits))


def taken_at(number: int, now: float, fps: float, offset: float) -> float:
    """Return when the last frame with a number was taken, in seconds of the monotonic clock."""
    slot = int((now - offset) * fps)
    return (slot - (slot - number) % FRAMES) / fps + offset


def encoded(people: int, fps: int) -> list[tuple[bytes, bool]]:
    """Return the frames of the scene as H.264, and for each whether it is a key frame."""
    scene = [image for _, image in crossing(demo_people(), seed=1, count=people).frames()]
    context: Any = av.CodecContext.create("libx264", "w")
    context.height, context.width = scene[0].shape[:2]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, fps), Fraction(fps)
    group = str(round(fps * _GROUP_S))
    context.options = {"preset": "veryfast", "tune": "zerolatency", "g": group, "keyint_min": group}
    packets = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(mark(scene[number % len(scene)], number), format="bgr24")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return [(bytes(packet), packet.is_keyframe) for packet in packets]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, frames: Sequence[tuple[bytes, bool]], fps: int, cameras: int) -> None:
        super().__init__(("127.0.0.1", 0), _Sender)
        self.frames, self.fps, self.cameras = frames, fps, cameras

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing when a client disconnects."""


class _Sender(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Send `/NUMBER.ts`, the stream of one camera, as long as the client reads it."""
        offset = offset_of(
            int(self.path.strip("/").removesuffix(".ts")), self.server.cameras, self.server.fps
        )
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        for chunk in _muxed(self.server.frames, self.server.fps, offset):
            self.wfile.write(chunk)


def offset_of(camera: int, cameras: int, fps: float) -> float:
    """Return the delay of a camera relative to the first, seconds."""
    return camera / cameras / fps


def _muxed(frames: Sequence[tuple[bytes, bool]], fps: int, offset: float) -> Iterator[bytes]:
    """Yield MPEG-TS frame by frame, each when it is taken, starting with a key frame."""
    buffer = io.BytesIO()
    container = av.open(buffer, "w", format="mpegts", options={"flush_packets": "1"})
    stream: Any = container.add_stream("libx264", rate=fps)
    stream.height, stream.width, stream.pix_fmt = 360, 640, "yuv420p"
    slot = int((time.monotonic() - offset) * fps) + 1
    while not frames[slot % FRAMES][1]:
        slot += 1
    first = slot
    while True:
        time.sleep(max(0.0, slot / fps + offset - time.monotonic()))
        data, is_key = frames[slot % FRAMES]
        packet = av.Packet(data)
        packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, _TICKS), is_key
        packet.pts = packet.dts = (slot - first) * _TICKS // fps
        packet.duration = _TICKS // fps
        container.mux(packet)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        slot += 1


def _serve(pipe: Any, people: int, fps: int, cameras: int) -> None:
    server = _Server(encoded(people, fps), fps, cameras)
    pipe.send(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.recv()  # waits until the other end is closed or sends something


@contextmanager
def serve(people: int, fps: int, cameras: int) -> Iterator[list[str]]:
    """Run cameras in a separate process, so that their cost is not counted; yield their addresses."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, people, fps, cameras), daemon=True)
    process.start()
    try:
        port = ours.recv()
        yield [f"http://127.0.0.1:{port}/{camera}.ts" for camera in range(cameras)]
    finally:
        ours.send(None)
        process.join()
