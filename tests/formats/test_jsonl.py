"""A line for each frame: read back as written, whole to its last whole line, and continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError, OutputError
from pose_onnx.formats import FrameRecord, FramesEnd, FrameWriter, read_end, read_frames, read_header
from tests.formats.conftest import HEADER, NAMES, people


def write(path: Path, frames: list[FrameRecord], **options: int) -> None:
    with FrameWriter(path, HEADER, **options) as writer:
        for frame in frames:
            writer.write(frame)


def indices(path: Path) -> list[int]:
    return [frame.index for frame in read_frames(path)]


def test_read_back(frames: Callable[..., list[FrameRecord]], tmp_path: Path) -> None:
    written = frames([3, 1], [], [1])
    write(tmp_path / "a.jsonl", written)
    assert read_header(tmp_path / "a.jsonl") == HEADER
    for before, after in zip(written, read_frames(tmp_path / "a.jsonl"), strict=True):
        assert (after.index, after.size, after.detected) == (before.index, before.size, before.detected)
        assert after.time == before.time
        np.testing.assert_allclose(after.poses.keypoints, before.poses.keypoints, atol=1e-4)
        np.testing.assert_array_equal(after.poses.ids, before.poses.ids)


def test_the_documented_fields(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [FrameRecord(7, 0.28, (480, 640), people([5]), detected=False)])
    header, frame = map(json.loads, (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert header == {
        "schema": "pose_onnx.frames/1",
        "source": "clip.mp4",
        "keypoint_names": list(NAMES),
        "settings": {"backend": "ort", "flip": False},
    }
    (person,) = frame.pop("people")
    assert frame == {"index": 7, "time": 0.28, "width": 640, "height": 480, "detected": False}
    assert list(person) == ["id", "box", "box_score", "keypoints", "scores"]


def test_a_frame_can_be_read_before_the_file_is_closed(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path
) -> None:
    with FrameWriter(tmp_path / "a.jsonl", HEADER) as writer:
        for count, frame in enumerate(frames([1], [1], []), 1):
            writer.write(frame)
            assert len(indices(tmp_path / "a.jsonl")) == count


def test_cut_anywhere_every_whole_line_is_read_and_the_rest_is_written_again(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    written = frames([1, 2], [], [2])
    write(path, written)
    whole = path.read_bytes()
    header_end = whole.index(b"\n") + 1
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        lines = whole[:end].count(b"\n")
        if end >= header_end:
            assert indices(path) == list(range(lines - 1))
        start = max(lines - 1, 0)
        write(path, written[start:], first=start)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("first", [0, 1, 2, 9])
def test_continuing_keeps_what_was_before(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path, first: int
) -> None:
    # Frames less than a millisecond apart, as some cameras number them.
    written = [replace(frame, time=frame.index * 1e-5) for frame in frames([1], [1], [1], [1])]
    write(tmp_path / "a.jsonl", written)
    write(tmp_path / "a.jsonl", [replace(written[3], index=100)], first=first)
    assert indices(tmp_path / "a.jsonl") == [*range(min(first, 4)), 100]


def test_how_a_video_ended(frames: Callable[..., list[FrameRecord]], tmp_path: Path) -> None:
    path, end = tmp_path / "a.jsonl", FramesEnd(2, 1, 30)
    with FrameWriter(path, HEADER) as writer:
        for frame in frames([1], [1]):
            writer.write(frame)
        assert read_end(path) is None
        writer.end(end)
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1]) == {
        "end": {"frames": 2, "skipped": 1, "missing": 30}
    }
    assert read_end(path) == end
    assert indices(path) == [0, 1]
    write(path, frames([1], [1], [1])[2:], first=2)
    assert read_end(path) is None
    assert indices(path) == [0, 1, 2]
    path.write_bytes(path.read_bytes() + b'{"end": {}}\n')
    with pytest.raises(InputError, match="is not an `end` line"):
        read_end(path)


def test_a_password_is_not_written(frames: Callable[..., list[FrameRecord]], tmp_path: Path) -> None:
    header = replace(HEADER, source="rtsp://me:secret@camera/live")
    for first in (None, 1):
        with FrameWriter(tmp_path / "a.jsonl", header, first=first) as writer:
            writer.write(frames([1], [1])[first or 0])
    assert indices(tmp_path / "a.jsonl") == [0, 1]
    assert read_header(tmp_path / "a.jsonl").source == "rtsp://***@camera/live"


def test_without_continuing_the_file_is_begun(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path
) -> None:
    write(tmp_path / "a.jsonl", frames([1], [1], [1]))
    write(tmp_path / "a.jsonl", frames([]))
    assert indices(tmp_path / "a.jsonl") == [0]
    write(tmp_path / "b.jsonl", [], first=3)
    assert indices(tmp_path / "b.jsonl") == []


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (replace(HEADER, source="other.mp4"), "source"),
        (replace(HEADER, keypoint_names=("nose",)), "keypoint_names"),
        (replace(HEADER, settings={"backend": "tflite"}), "backend and flip"),
    ],
)
def test_results_of_other_runs_are_not_mixed(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path, header: object, field: str
) -> None:
    write(tmp_path / "a.jsonl", frames([1]))
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(InputError, match=f"because {field} of its run and of this one differ"):
        FrameWriter(tmp_path / "a.jsonl", header, first=1)  # type: ignore[arg-type]
    assert (tmp_path / "a.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "contains no complete line"),
        (b'{"schema": "pose_onnx.frames/1", "sour', "contains no complete line"),
        (b'{"schema": "pose_onnx.results/1"}\n', "does not begin with a line of schema"),
        (b'{"schema": "pose_onnx.frames/1"}\n', "does not begin with a line of schema"),
        (b"[]\n", "does not begin with a line of schema"),
        (b"\xff\xd8\xff\n", "line 1, is not JSON"),
        (b"[" * 100_000 + b"\n", "line 1, is not JSON"),
    ],
)
def test_files_that_are_not_ours(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        list(read_frames(path))


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n", b'{"index": 0, "time": 0, "people": [{}]}\n', b"x\n"])
def test_a_line_broken_in_the_middle_is_named(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "a.jsonl"
    write(path, frames([1], [1]))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + line + lines[2])
    with pytest.raises(InputError, match="line 3, is no"):
        list(read_frames(path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        FrameWriter(tmp_path / "absent" / "a.jsonl", HEADER)
