"""Annotated video: any player's format, honest times, sound in step, whole or not there."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import DependencyError, InputError, OutputError
from pose_onnx.video import VideoWriter, open_source
from pose_onnx.video.outputs.encoders import FORMATS, find_format
from tests.video.clips import BEEP_S, RATE, beeps, frame_times, make_clip

TICK_S = 0.001  # the coarsest of the formats: Matroska counts milliseconds


def picture(level: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [(48, 64), (47, 64), (48, 63), (47, 63)])
def test_every_format_and_odd_sizes(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    with VideoWriter(path, fps=25) as writer:
        for index in range(5):
            writer.write(picture(40 + 40 * index, size), index / 25)
    with open_source(path) as source:
        images = [image for _, _, image in source]
    assert images[0].shape == (48, 64, 3)
    assert [int(np.median(image)) for image in images] == pytest.approx([40, 80, 120, 160, 200], abs=6)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_colours_come_back(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :32], image[:, 32:64], image[:, 64:] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(image, 0)
    with open_source(tmp_path / "a.mp4") as source:
        ((_, _, found),) = source
    for column in (16, 48, 80):
        np.testing.assert_allclose(found[32, column], image[32, column], atol=12)


@pytest.mark.parametrize("suffix", FORMATS)
def test_each_frame_keeps_its_time(tmp_path: Path, suffix: str) -> None:
    times = [3.0, 3.04, 3.1, 3.5, 3.505, 4.25]
    with VideoWriter(tmp_path / f"a{suffix}") as writer:
        for time in times:
            writer.write(picture(99), time)
    assert frame_times(tmp_path / f"a{suffix}") == pytest.approx([t - 3.0 for t in times], abs=TICK_S)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "aac"), (".mov", "pcm_s16le")])
@pytest.mark.parametrize("start", [0.0, 0.72])
@pytest.mark.parametrize("late", [0, 8])
def test_sound_stays_in_step(tmp_path: Path, suffix: str, codec: str, start: float, late: int) -> None:
    clip = tmp_path / f"in{suffix}"
    make_clip(clip, [picture(90)] * 50, fps=25, audio=codec, seconds=2, late=late)
    before = [beep - frame_times(clip)[0] for beep in beeps(clip)]
    out = tmp_path / f"out{suffix}"
    with open_source(clip, start=start) as source, VideoWriter(out, fps=25, audio_from=clip) as writer:
        for _, time, image in source:
            writer.write(image, time)
        assert writer.silent_because == ""
    after = [beep - frame_times(out)[0] for beep in beeps(out)]
    # Of a beep that is on at the start, the end is heard. Packets of AAC last 0.023 s.
    heard = [max(0, beep - start) for beep in before if beep + BEEP_S > start]
    assert after == pytest.approx(heard, abs=0.025)


def test_a_video_that_is_stopped_ends_with_its_sound(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", [picture(90)] * 50, fps=25, audio="aac", seconds=2)
    with VideoWriter(tmp_path / "out.mp4", fps=25, audio_from=clip) as writer:
        for index in range(30):
            writer.write(picture(90), index / 25)
    assert len(beeps(tmp_path / "out.mp4")) == 3  # of those at 0, 0.5, 1.0 and 1.5 s


@pytest.mark.parametrize(
    ("suffix", "codec", "reason"),
    [(".webm", "aac", "cannot store aac sound"), (".mp4", "", ""), (".mp4", None, "cannot be read")],
)
def test_why_there_is_no_sound(tmp_path: Path, suffix: str, codec: str | None, reason: str) -> None:
    source = tmp_path / "in.mp4"
    if codec is None:
        source.write_bytes(b"no video")
    else:
        make_clip(source, [picture(90)] * 5, audio=codec, seconds=0.2)
    with VideoWriter(tmp_path / f"out{suffix}", audio_from=source) as writer:
        writer.write(picture(90), 0)
        assert reason in writer.silent_because
        assert bool(reason) == bool(writer.silent_because)
    assert len(frame_times(tmp_path / f"out{suffix}")) == 1


def test_sound_that_no_decoder_is_known_for(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", [picture(90)] * 5, audio="aac", seconds=0.2)
    clip.write_bytes(clip.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    with VideoWriter(tmp_path / "out.mkv", audio_from=clip) as writer:
        writer.write(picture(90), 0)
        assert "does not know the codec of the sound" in writer.silent_because
    assert len(frame_times(tmp_path / "out.mkv")) == 1


def test_the_sound_of_a_file_without_pictures(tmp_path: Path) -> None:
    sound = tmp_path / "in.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.full(RATE, 20_000, np.int16).tobytes())
    with VideoWriter(tmp_path / "out.mkv", fps=25, audio_from=sound) as writer:
        for index in range(10):
            writer.write(picture(90), index / 25)
        assert writer.silent_because == ""
    assert beeps(tmp_path / "out.mkv")[0] == pytest.approx(0, abs=0.025)


def test_formats_that_cannot_be_written(tmp_path: Path) -> None:
    for name in ("a.xyz", "a", "a.jpg"):
        with pytest.raises(
            OutputError, match=r"names no video format .* \['.mp4', '.mov', '.mkv', '.webm'\]"
        ):
            VideoWriter(tmp_path / name)
    with pytest.raises(OutputError, match=r"'.mp4', which .*; use one of \['.webm'\]"):
        find_format(Path("a.mp4"), lambda encoder: encoder == "libvpx-vp9")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [float("nan"), float("inf"), 0.0, -25.0])
def test_rates_that_are_none(tmp_path: Path, fps: float) -> None:
    with pytest.raises(InputError, match=f"fps={fps}"):
        VideoWriter(tmp_path / "a.mp4", fps=fps)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_encoder_cannot_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VideoWriter, "_add_stream", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        VideoWriter(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_players_can_begin_before_the_last_byte_is_there(tmp_path: Path, suffix: str) -> None:
    with VideoWriter(tmp_path / f"a{suffix}") as writer:
        writer.write(picture(90), 0)
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        VideoWriter(tmp_path / "absent" / "a.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "a.mp4")


def test_frames_of_two_sizes(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(90), 0)
        with pytest.raises(
            InputError, match=r"at 0\.040 s has 32 x 24 pixels, but the first one has 64 x 48"
        ):
            writer.write(picture(90, (24, 32)), 0.04)
    assert len(frame_times(tmp_path / "a.mp4")) == 1


def test_an_error_on_the_way_keeps_what_was_written(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "a.mp4") as writer:
            writer.write(picture(90), 0)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(frame_times(tmp_path / "a.mp4")) == 1


def test_no_frame_no_file(tmp_path: Path) -> None:
    before = tmp_path / "a.mp4"
    before.write_bytes(b"of an earlier run")
    with VideoWriter(before):
        pass
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of an earlier run"]


def test_closed_is_closed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4")
    writer.write(picture(90), 0)
    writer.close()
    writer.close()
    with pytest.raises(InputError, match="is closed"):
        writer.write(picture(90), 1)


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DependencyError, match=r"pose-onnx\[video\]"):
        VideoWriter(tmp_path / "a.mp4")
