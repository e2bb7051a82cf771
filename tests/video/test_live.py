"""Cameras and streams: always the newest frame, and back after a break; one stream is real, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from pose_onnx import SourceError
from pose_onnx.core.arrays import Image
from pose_onnx.video import open_source
from pose_onnx.video.sources.capture import Capture
from pose_onnx.video.sources.live import LiveSource

SOON_S = 20.0
"""Longer than anything here takes on a busy machine; nothing waits for so long when it works."""
CUT = 5
"""The camera cuts the connection after so many frames, the first time."""


class Camera(ThreadingHTTPServer):
    """Sends motion JPEG; frame n is 5 n grey, the fourth is broken."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Sender)
        self.connections = 0
        self.stopping = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/stream"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client has enough."""


class Sender(BaseHTTPRequestHandler):
    server: Camera

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.connections += 1
        count = CUT * 4 if self.server.connections == 1 else 1000
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(count):
            data = cv2.imencode(".jpg", np.full((48, 64, 3), 5 * index % 250, np.uint8))[1].tobytes()
            data = data[:80] if index == 3 else data
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            self.wfile.write(head + data + b"\r\n")
            if self.server.stopping.wait(0.02):
                return


@pytest.fixture
def camera() -> Iterator[Camera]:
    server = Camera()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stream_that_breaks_comes_back(camera: Camera) -> None:
    indices, times = [], []
    with open_source(camera.address) as source:
        assert source.live
        assert source.frame_count is None
        for index, time, image in source:
            assert image.shape == (48, 64, 3)
            indices.append(index)
            times.append(time)
            if source.reconnects and len(indices) > CUT * 5:
                break
    assert source.reconnects >= 1
    assert source.skipped >= 1, "the broken frame"
    assert camera.connections >= 2
    assert indices == sorted(set(indices))
    assert times[0] >= 0
    assert times == sorted(times)


class Device:
    """A capture that gives a frame when the test says so, and none when it broke."""

    fps: float | None = 30.0
    frame_count: int | None = None
    size: tuple[int, int] | None = (48, 64)

    def __init__(self) -> None:
        self.given = threading.Semaphore(0)
        self.grabs = 0
        self.broken = self.closed = False

    def give(self, count: int = 1) -> None:
        self.given.release(count)

    def grab(self) -> bool:
        self.given.acquire(timeout=0.05 if self.broken else SOON_S)
        self.grabs += not self.broken
        return not self.broken

    def retrieve(self) -> Image | None:
        return np.full((48, 64, 3), self.grabs, np.uint8)

    def seconds(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed = True


def live(
    device: Device, reopen: Callable[[int | str], Capture | None], patience: float = SOON_S
) -> LiveSource:
    return LiveSource(0, device, reopen=reopen, patience=patience, first_backoff=0.01)


def test_a_slow_consumer_gets_the_newest_frame_only() -> None:
    device = Device()
    source = live(device, lambda _: None)
    frames = iter(source)
    device.give()
    assert next(frames)[0] == 0
    device.give(10)
    while source._latest is None or source._latest[0] < 10:
        pass
    index, _, image = next(frames)
    assert index == 10
    assert image[0, 0, 0] == 11
    device.broken = True
    device.give(10)
    source.close()
    assert device.closed
    assert list(frames) == []


def test_a_camera_that_is_gone_is_given_up() -> None:
    device = Device()
    device.broken = True
    attempts: list[int | str] = []

    def reopen(target: int | str) -> None:
        attempts.append(target)

    with (
        live(device, reopen, patience=0.6) as source,
        pytest.raises(SourceError, match=r"no frame for 0\.6 s"),
    ):
        list(source)
    assert attempts
    assert device.closed


def test_a_camera_that_comes_back_is_counted() -> None:
    first, second = Device(), Device()
    first.broken = True
    second.give(3)
    with live(first, lambda _: second) as source:
        assert next(iter(source))[2].shape == (48, 64, 3)
        assert source.reconnects == 1
        second.broken = True
        second.give(10)


def test_what_cannot_be_opened_is_said_at_once() -> None:
    with pytest.raises(SourceError, match="check the address"):
        open_source("http://127.0.0.1:9/nothing")
    with pytest.raises(SourceError, match="camera 99 cannot be opened"):
        open_source(99)
    with pytest.raises(SourceError, match=r"'http://\*\*\*@127.0.0.1:9/nothing'") as caught:
        open_source("http://me:secret@127.0.0.1:9/nothing")
    assert "secret" not in str(caught.value)
