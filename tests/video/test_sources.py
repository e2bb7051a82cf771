"""Where frames come from: files, folders and the caller, each with honest numbers and times."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import InputError
from pose_onnx.core.arrays import Image
from pose_onnx.video import FrameSource, VideoWriter, open_source
from pose_onnx.video.sources.capture import CvCapture, open_capture
from pose_onnx.video.sources.file import FileSource, next_time
from tests.video.clips import make_clip

FPS = 25.0
COUNT = 20
CLUSTER = bytes.fromhex("1F43B675")  # Matroska's element that frames are in


def grey(value: int, height: int = 48, width: int = 64) -> Image:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return a video whose n-th frame is 10 n grey."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for index in range(COUNT):
        writer.write(grey(10 * index))
    writer.release()
    return path


def greys(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.array([image.mean() for image in images])


def test_a_file_gives_every_frame_with_its_time(film: Path) -> None:
    with open_source(film) as source:
        frames = list(source)
    assert (source.live, source.fps, source.frame_count, source.size) == (False, FPS, COUNT, (48, 64))
    assert [index for index, _, _ in frames] == list(range(COUNT))
    np.testing.assert_allclose([time for _, time, _ in frames], np.arange(COUNT) / FPS, atol=1e-3)
    np.testing.assert_allclose(greys([image for _, _, image in frames]), 10 * np.arange(COUNT), atol=3)
    assert (source.skipped, source.reconnects) == (0, 0)


def test_a_start_is_exact(film: Path) -> None:
    with open_source(film, start=0.4) as source:
        index, time, image = next(iter(source))
    assert (index, round(time, 3)) == (10, 0.4)
    np.testing.assert_allclose(image.mean(), 100, atol=3)


def test_a_corrupt_frame_is_skipped_and_counted(film: Path) -> None:
    data = bytearray(film.read_bytes())
    starts = [place for place in range(len(data)) if data.startswith(b"\xff\xd8\xff", place)]
    data[starts[7] : starts[8] - 8] = bytes(starts[8] - 8 - starts[7])
    film.write_bytes(data)
    with open_source(film) as source:
        frames = list(source)
    assert [index for index, _, _ in frames] == [*range(7), *range(8, COUNT)]
    assert source.skipped == 1
    np.testing.assert_allclose([time for _, time, _ in frames[6:8]], [6 / FPS, 8 / FPS], atol=1e-3)


class Film:
    """A capture of the given time stamps; a frame of which nothing can be decoded is `None`."""

    def __init__(self, stamps: Sequence[float], images: Sequence[Image | None] | None = None) -> None:
        self.fps: float | None = FPS
        self.frame_count: int | None = len(stamps)
        self.size: tuple[int, int] | None = (48, 64)
        self.stamps = stamps
        self.images = images or [grey(0)] * len(stamps)
        self.at = -1

    def grab(self) -> bool:
        self.at += 1
        return self.at < len(self.stamps)

    def retrieve(self) -> Image | None:
        return self.images[self.at]

    def seconds(self) -> float:
        return self.stamps[self.at]

    def close(self) -> None:
        self.at = len(self.stamps)


def times(stamps: Sequence[float]) -> list[float]:
    return [round(time, 6) for _, time, _ in FileSource("film", Film(stamps))]


def test_times_of_a_variable_frame_rate_are_kept() -> None:
    assert times([0, 0.04, 0.3, 0.31]) == [0, 0.04, 0.3, 0.31]


def test_times_increase_whatever_the_file_says() -> None:
    assert times([0, 0, 0, 0]) == [0, 0.04, 0.08, 0.12]
    assert times([0, 0.04, 0.02, 0.2]) == [0, 0.04, 0.08, 0.2]
    assert next_time(-1, -0.04, 0.04) == 0


def test_pixels_that_cannot_be_decoded_are_counted() -> None:
    source = FileSource("film", Film([0, 0.04, 0.08], [grey(0), None, grey(0)]))
    assert [index for index, _, _ in source] == [0, 2]
    assert source.skipped == 1


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), grey(number))
    (tmp_path / "frame3.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no frame")
    with open_source(tmp_path, fps=10) as source:
        frames = list(source)
    assert [(index, time) for index, time, _ in frames] == [(0, 0), (1, 0.1), (3, 0.3)]
    assert greys([image for _, _, image in frames]).tolist() == [1, 2, 10]
    assert (source.skipped, source.frame_count) == (1, 4)


def test_pairs_of_the_caller() -> None:
    with open_source([(0.5, grey(1)), (0.7, grey(2)), (1.5, grey(3))], start=0.6) as source:
        frames = list(source)
    assert [(index, time, int(image[0, 0, 0])) for index, time, image in frames] == [(1, 0.7, 2), (2, 1.5, 3)]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(1.0, grey(0)), (1.0, grey(0))], "increasing times"),
        ([(float("nan"), grey(0))], "increasing times"),
        ([grey(0)], "pairs of"),
        ([(0.0, np.zeros((4, 4), np.uint8))], "shape"),
    ],
)
def test_pairs_that_cannot_be_used(pairs: list[Any], words: str) -> None:
    with open_source(pairs) as source, pytest.raises(InputError, match=words):
        list(source)


def test_what_is_no_source_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "missing.mp4")
    with pytest.raises(InputError, match="has no picture"):
        open_source(tmp_path)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    with pytest.raises(InputError, match="not a video that OpenCV can read"):
        open_source(broken)
    with pytest.raises(InputError, match="is not a source of frames"):
        open_source(grey(0))
    with pytest.raises(InputError, match="fps=0"):
        open_source(tmp_path, fps=0)
    with pytest.raises(InputError, match="start=-1"):
        open_source(tmp_path, start=-1)


def test_an_open_source_is_taken_as_it_is(film: Path) -> None:
    with open_source(film) as source:
        assert isinstance(source, FrameSource)
        assert open_source(source) is source


def test_a_file_that_ends_early_is_told(caplog: pytest.LogCaptureFixture) -> None:
    film = Film([0, 0.04, 0.08])
    film.frame_count = 9
    with FileSource("rtsp://me:secret@host/film", film) as source:  # nothing is there: OpenCV's word is taken
        assert len(list(source)) == 3
    assert source.missing == 6
    assert "rtsp://***@host/film: ended after 3 of 9 frames" in caplog.text


CONTAINERS = [".mp4", ".mov", ".avi", ".mkv", ".webm"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a video of 30 frames at 25 a second for each container; sound goes on for a second more."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(30)]
    audio = {".mkv": "aac", ".mp4": "aac"}
    made = {}
    for suffix in CONTAINERS:
        path = folder / f"clip{suffix}"
        codec = "libvpx-vp9" if suffix == ".webm" else "mpeg4"
        made[suffix] = make_clip(
            path, images, audio=audio.get(suffix, ""), seconds=2.2, codec=codec, faststart=True
        )
    return made


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_whole_file_misses_nothing(clips: dict[str, Path], suffix: str) -> None:
    with open_source(clips[suffix]) as source:
        assert len(list(source)) == 30
    assert (source.skipped, source.missing) == (0, 0)


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_every_frame_of_a_cut_file_is_accounted_for(
    clips: dict[str, Path], tmp_path: Path, suffix: str, part: float
) -> None:
    whole = clips[suffix].read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(len(whole) * part)])
    with open_source(path) as source:
        came = len(list(source))
    assert came < 30
    assert came + source.skipped + source.missing == pytest.approx(30, abs=1)


def test_a_file_that_is_cut_before_its_first_frame_misses_them_all(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    whole = clips[".mkv"].read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: whole.index(CLUSTER) + 20])
    with open_source(path) as source:
        assert list(source) == []
    assert source.missing == pytest.approx(30, abs=1)


@pytest.mark.parametrize("tag", [b"\xfd\xfe:00:01.20", b"never and then"])
def test_a_damaged_tag_is_not_believed(clips: dict[str, Path], tmp_path: Path, tag: bytes) -> None:
    whole = clips[".mkv"].read_bytes()
    at = whole.index(b"00:00:01.")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[:at] + tag.ljust(12) + whole[at + 12 : len(whole) // 2])
    with open_source(path) as source:
        assert list(source)
    assert source.missing > 0


def test_a_video_of_huge_pictures_is_refused(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "film.avi", [grey(9)] * 3, codec="ffv1")
    data = bytearray(film.read_bytes())
    at = data.index(b"strf") + 12  # width and height, behind the chunk's length and the header's
    data[at : at + 8] = struct.pack("<II", 16_000, 16_000)
    film.write_bytes(data)
    with pytest.raises(InputError, match="16000 x 16000"):
        open_source(film)


def test_a_variable_rate_is_not_taken_for_a_cut_file(tmp_path: Path) -> None:
    times = [*np.arange(10) / 25, 1.0, 2.0, 3.0, *(3.04 + np.arange(10) / 25)]
    for suffix in (".mp4", ".mkv"):
        with VideoWriter(tmp_path / f"a{suffix}", fps=25) as writer:
            for time in times:
                writer.write(grey(99), time)
        with open_source(tmp_path / f"a{suffix}") as source:
            assert len(list(source)) == len(times)
        assert source.missing == 0


def test_without_pyav_the_word_of_opencv_is_taken(
    clips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    whole = clips[".avi"].read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with open_source(tmp_path / "cut.avi") as source:
        came = len(list(source))
    assert came + source.missing == pytest.approx(30, abs=1)


def test_the_rate_of_a_raw_stream_is_the_callers(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.h264"), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(90), format="bgr24")))
        container.mux(stream.encode(None))
    with open_source(tmp_path / "a.h264", fps=50, start=0.04) as source:
        assert source.fps == 50
        assert [(index, time) for index, time, _ in source] == [(2, 0.04), (3, 0.06), (4, 0.08)]
    assert source.missing == 0


def test_frames_before_the_first_wanted_are_skipped(film: Path, tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), grey(number))
    pairs = [(0.0, grey(0)), (1e-9, grey(1)), (2e-9, grey(2))]
    for kind, count in ((film, COUNT), (tmp_path, 4), (pairs, 3)):
        with open_source(kind, first=2) as source:
            assert [index for index, _, _ in source] == list(range(2, count))
    with pytest.raises(InputError, match="first=-1"):
        open_source(film, first=-1)


def test_the_channel_order_of_arrays() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    with open_source([(0.0, red)], color="rgb") as source:
        ((_, _, image),) = source
    assert image[0, 0].tolist() == [0, 0, 255]


def test_captures_of_opencv(film: Path) -> None:
    capture = open_capture(str(film))
    assert isinstance(capture, CvCapture)
    capture.close()
    assert open_capture(str(film.with_name("none.avi"))) is None
