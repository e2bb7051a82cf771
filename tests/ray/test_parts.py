"""Parts appear whole or not at all, whatever happens to who writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError, OutputError, Poses

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

from pose_onnx.ray._parts import Counts, ResultFolder, make_parts
from pose_onnx.ray._table import Row, failed, table_of

ROOT = Path(__file__).parents[2]
SETTINGS = {"detector": "d", "flip": False}


def poses_of(people: int, ids: list[int] | None = None) -> Poses:
    boxes = np.zeros((people, 4), np.float32)
    points, scores = np.zeros((people, 1, 2), np.float32), np.zeros((people, 1), np.float32)
    return Poses(points, scores, boxes, boxes[:, 0], ("nose",), None if ids is None else np.array(ids))


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ResultFolder:
    """Give a folder of this machine, and one that is reached by an address."""
    places = {"disk": str(tmp_path / "below" / "out"), "memory": f"memory://{tmp_path}"}
    return ResultFolder(places[request.param], SETTINGS)


def test_parts_are_named_by_what_is_in_them() -> None:
    paths = [f"{number}.jpg" for number in range(5)] + ["a.mp4", "b.MOV"]
    parts = make_parts(paths, 2)
    assert sorted(len(part.paths) for part in parts) == [1, 1, 1, 2, 2]  # a video is alone
    assert sorted(path for part in parts for path in part.paths) == sorted(paths)
    assert make_parts(paths, 2) == parts
    assert len({part.name for part in [*parts, *make_parts(paths, 3)]}) == 5 + 2
    assert make_parts([], 1) == []


def test_what_was_written_is_finished(folder: ResultFolder) -> None:
    assert folder.prepare() == {}
    counts = folder.write("part-1.parquet", [table_of([Row("a"), failed("b", InputError("bad"))])])
    assert counts == Counts(items=2, people=0, failed=1)
    frames = [Row("v.mp4", frame=0), Row("v.mp4", frame=1)]
    video = [table_of(frames), table_of([failed("v.mp4", InputError("bad"))])]
    assert folder.write("part-2.parquet", video) == Counts(items=1, people=0, failed=1)
    assert folder.prepare() == {"a": False, "b": True, "v.mp4": True}


def test_a_person_of_a_video_counts_once(folder: ResultFolder) -> None:
    folder.prepare()
    frames = [Row("v.mp4", poses_of(2, ids=[4, number]), (9, 9), number) for number in range(3)]
    assert folder.write("part-1.parquet", [table_of(frames[:2]), table_of(frames[2:])]).people == 4
    pictures = [Row(f"{number}.jpg", poses_of(2), (9, 9)) for number in range(3)]
    assert folder.write("part-2.parquet", [table_of(pictures)]).people == 6


def test_writing_again_replaces(folder: ResultFolder) -> None:
    folder.prepare()
    for path in ("a", "b"):
        folder.write("part-1.parquet", [table_of([Row(path)])])
    assert folder.prepare() == {"b": False}


def test_forgetting(folder: ResultFolder) -> None:
    folder.prepare()
    bad = InputError("bad")
    folder.write("part-1.parquet", [table_of([Row("a"), failed("b", bad), failed("c", bad)])])
    folder.write("part-2.parquet", [table_of([failed("d", bad)])])
    folder.forget({"b", "d"})
    assert folder.prepare() == {"a": False, "c": True}


def test_attempts_are_counted_across_workers(folder: ResultFolder) -> None:
    folder.prepare()
    for _ in range(2):
        with folder.attempt("part-1.parquet", 2) as may_start:
            assert may_start  # and done: the next one begins at nothing
    died = [folder.attempt("part-1.parquet", 2) for _ in range(2)]
    assert [attempt.__enter__() for attempt in died] == [True, True]
    with folder.attempt("part-1.parquet", 2) as may_start:
        assert not may_start
    assert folder.prepare() == {}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_worker_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pose_onnx.ray._parts import ResultFolder
from pose_onnx.ray._table import Row, table_of
def tables():
    yield table_of([Row("a")])
    os.kill(os.getpid(), signal.SIGKILL)
ResultFolder({str(tmp_path)!r}, {SETTINGS!r}).write("part-1.parquet", tables())
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert [path.name.startswith(".part-1.parquet.") for path in tmp_path.iterdir()] == [True]
    assert ResultFolder(str(tmp_path), SETTINGS).prepare() == {}
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def tables() -> object:
        yield table_of([Row("a")])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ResultFolder(str(tmp_path), SETTINGS).write("part-1.parquet", tables())  # type: ignore[arg-type] # a generator
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_refused(folder: ResultFolder) -> None:
    folder.prepare()
    folder.write("part-1.parquet", [table_of([Row("a")])])
    with pytest.raises(InputError, match="has results with another detector, flip; choose"):
        ResultFolder(folder.address, {"detector": "other", "flip": True}).prepare()


@pytest.mark.parametrize("content", [b"", b"PAR1 no such thing"])
def test_a_strange_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part-1.parquet").write_bytes(content)
    (tmp_path / "notes.txt").write_text("left alone")
    with pytest.raises(InputError, match=r"part-1\.parquet' is not a complete file"):
        ResultFolder(str(tmp_path), SETTINGS).prepare()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        ResultFolder(str(tmp_path / "file" / "out"), SETTINGS).prepare()
    folder = ResultFolder(str(tmp_path / "gone"), SETTINGS)
    with pytest.raises(OutputError, match="cannot be written"):
        folder.write("part-1.parquet", [table_of([Row("a")])])
    with pytest.raises(OutputError, match="cannot be written"), folder.attempt("part-1.parquet", 1):
        pass


def test_a_place_that_is_only_read() -> None:
    pytest.importorskip("aiohttp", reason="needs pose-onnx[ray]")
    with pytest.raises(OutputError, match="cannot be written"):
        ResultFolder("http://127.0.0.1:9/out", SETTINGS).prepare()
