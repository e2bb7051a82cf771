"""`pose-onnx run` takes photos, folders, patterns, videos, addresses and standard input, in any mixture."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pose_onnx.bench import REST, STAGES
from pose_onnx.cli._run_times import GROUPS, OWN_FUNCTIONS
from pose_onnx.cli._video_outputs import Outputs
from pose_onnx.formats import read_frames
from pose_onnx.formats.results import read_results
from pose_onnx.video import Frame
from tests.cli.test_video import finish, start, wait_for_frames
from tests.video.clips import frame_times, make_clip

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome

FRAMES = 12
SECRET = "secret"  # noqa: S105 (a test's)
Run = Callable[..., "Outcome"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in" / "walk.mp4", bright_frames(FRAMES))


def bright_frames(count: int) -> list[np.ndarray]:
    (noise,) = np.random.default_rng(0).integers(160, 240, (1, 48, 64, 3))
    return [noise.astype(np.uint8)] * count


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()


@pytest.fixture
def run(cli: Callable[..., Outcome], models: Models, tmp_path: Path) -> Run:
    return partial(cli, "run", *models.options, "--threads", 1, "--out", tmp_path / "out")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve the folder `in`, byte ranges apart."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name in the base)
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "in"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_mixture(run: Run, photo: Callable[..., Path], clip: Path, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    other = photo(tmp_path / "b.png", level=0)
    done = run(tmp_path / "in", other, clip, tmp_path / "*.png")
    assert (done.code, done.err) == (0, "")
    out = tmp_path / "out"
    (video,) = read_results(out / "poses.json").videos
    people = f"{video.people} {'person' if video.people == 1 else 'people'}"
    assert f"2 pictures, 1 person; 1 video of {FRAMES} frames, {people}: {out}\n" in done.out
    assert " ms a picture: load " in done.out
    assert " ms a frame: " in done.out
    names = ["a_pose.png", "b_pose.png", "poses.json", "walk_pose.jsonl", "walk_pose.mp4"]
    assert sorted(path.name for path in out.iterdir()) == names
    found = read_results(out / "poses.json")
    assert [Path(image.path).name for image in found.images] == ["a.png", "b.png"]
    assert (video.path, video.frames, video.complete) == (str(clip), FRAMES, True)
    assert len(frame_times(Path(video.video))) == len(list(read_frames(video.lines))) == FRAMES


def test_videos_of_one_name_and_tables(run: Run, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir()
    make_clip(tmp_path / "in" / "more" / "walk.mkv", bright_frames(2))
    done = run(tmp_path / "in", "--recursive", "--csv", tmp_path / "out" / "photos.csv")
    assert (done.code, done.err) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()} - {"poses.json", "photos.csv"}
    suffixes = (".csv", ".jsonl", ".mp4")
    assert names == {f"walk_pose{copy}{suffix}" for copy in ("", "-2") for suffix in suffixes}
    assert str(clip) in done.out


def test_what_moves_fails_alone(run: Run, photo: Callable[..., Path], clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "in" / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:300])
    done = run(photo(tmp_path / "a.png"), cut, "98765", "rtsp://me:secret@127.0.0.1:1/x", clip)
    assert done.code == 1
    assert "1 picture, 1 person; 1 video" in done.out
    for reason in (
        "cut.mp4' is damaged, or not a video",
        "camera 98765 cannot be opened",
        "'rtsp://***@127.0.0.1:1/x' cannot",
    ):
        assert reason in done.err
    assert "3 of 5 sources could not be used" in done.err
    assert SECRET not in done.err + (tmp_path / "out" / "poses.json").read_text()


def test_half_a_video_is_no_success(run: Run, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", bright_frames(30), faststart=True)
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = run(half)
    assert done.code == 1
    assert f"pose-onnx: {half}: {half} ended after" in done.err


def test_results_are_not_replaced_and_go_on(
    run: Run, photo: Callable[..., Path], clip: Path, tmp_path: Path
) -> None:
    assert run(clip).code == 0
    refused = run(photo(tmp_path / "a.png"), clip)
    assert refused.code == 2
    assert "already exists" in refused.err
    done = run(tmp_path / "a.png", clip, "--resume")
    assert (done.code, done.err) == (0, "")
    assert f"1 picture, 1 person; 1 video of {FRAMES} frames" in done.out
    assert "ms a frame" not in done.out  # not done again
    results = tmp_path / "out" / "poses.json"
    whole = read_results(results)
    document = json.loads(results.read_text())
    document["videos"] = []  # as if it had been killed just before
    results.write_text(json.dumps(document))
    assert run(tmp_path / "a.png", clip, "--resume").code == 0
    assert read_results(results).videos == whole.videos
    assert run(tmp_path / "a.png", clip, "--overwrite").code == 0


def test_ctrl_c_ends_all_and_resume_goes_on(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = make_clip(tmp_path / "in" / "more.mp4", bright_frames(3))
    write = Outputs.write

    def stopped(self: Outputs, frame: Frame) -> None:
        if frame.index == 5:
            raise KeyboardInterrupt
        write(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(Outputs, "write", stopped)
        done = run(clip, more)
    assert done.code == 130
    assert f"{clip}: stopped after 5 frames; continue with --resume" in done.err
    (video,) = read_results(tmp_path / "out" / "poses.json").videos
    assert (video.frames, video.complete) == (5, False)
    assert run(clip, more, "--resume").code == 0
    videos = read_results(tmp_path / "out" / "poses.json").videos
    assert [(video.frames, video.complete) for video in videos] == [(FRAMES, True), (3, True)]


def test_addresses(run: Run, server: str, photo: Callable[..., Path], clip: Path, tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png").rename(tmp_path / "in" / "b")
    (tmp_path / "in" / "c").write_bytes(clip.read_bytes())
    (tmp_path / "in" / "page.html").write_text("<p>not a picture")
    places = ("a.png?token=secret", "b", "c", "walk.mp4")
    done = run(*(f"{server}/{place}" for place in places))
    assert (done.code, done.err) == (0, "")
    assert f"2 pictures, 2 people; 2 videos of {2 * FRAMES} frames" in done.out
    found = read_results(tmp_path / "out" / "poses.json")
    assert [image.path for image in found.images] == [f"{server}/a.png?token=***", f"{server}/b"]
    assert sorted(Path(image.picture).name for image in found.images) == ["a_pose.png", "b_pose.jpg"]
    bad = run(f"{server}/absent.png", f"{server}/absent", f"{server}/page.html", "--overwrite")
    assert bad.code == 2
    assert bad.err.count("cannot be fetched (HTTP 404 Not Found); check the address") == 2
    assert "page.html' cannot be opened" in bad.err
    with_user = run(f"{server.replace('//', '//me:secret@')}/a.png", "--overwrite")
    assert "contains a user or a password" in with_user.err
    assert SECRET not in with_user.err


def test_a_server_without_byte_ranges(server: str, models: Models, tmp_path: Path) -> None:
    """In a process of its own, as FFmpeg writes its lines past Python."""
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, 256, 256, 3), np.uint8)
    for name, is_first in (("last.mp4", False), ("first.mp4", True)):  # where the index is
        make_clip(tmp_path / "in" / name, list(noise), faststart=is_first)
    addresses = (f"{server}/last.mp4", f"{server}/first.mp4")
    code, said, errors = finish("run", *addresses, *models.options, "--out", tmp_path / "out")
    assert code == 1
    assert f"1 video of {FRAMES} frames" in said
    reason, total = errors.splitlines()  # none of FFmpeg's
    assert (
        "last.mp4' gave no frames; perhaps its server does not send parts of a file (byte ranges)" in reason
    )
    assert total == "pose-onnx: 1 of 2 sources could not be used"


def test_a_body_that_ends_early_is_no_picture(
    run: Run, photo: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    photo(tmp_path / "in" / "a.png")
    monkeypatch.setattr(
        SimpleHTTPRequestHandler, "copyfile", lambda _, source, to: to.write(source.read()[:99])
    )
    assert "the connection ended after 99 bytes" in run(f"{server}/a.png").err


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_standard_input(
    run: Run,
    photo: Callable[..., Path],
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    paths = {"photo": photo(tmp_path / "a.png"), "video": clip}
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(paths[kind].read_bytes())))
    done = run("-", "-")
    assert (done.code, done.err) == (0, "")
    expected = {"photo": "1 picture, 1 person", "video": f"1 video of {FRAMES} frames"}
    assert expected[kind] in done.out
    settings, images, videos = read_results(tmp_path / "out" / "poses.json")
    assert settings
    assert [image.path for image in images] + [video.path for video in videos] == ["-"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert "standard input is empty" in run("-", "--overwrite").err


def test_every_stage_is_in_a_group() -> None:
    assert set(GROUPS) == {*STAGES, *OWN_FUNCTIONS.values()}
    assert list(GROUPS)[-1] == REST


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_run_that_is_killed_goes_on(models: Models, photo: Callable[..., Path], tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in" / "long.mp4", bright_frames(400))
    photo(tmp_path / "in" / "a.png")
    words = ("run", tmp_path / "in", *models.options, "--threads", 1, "--out")
    with start(*words, tmp_path / "out") as process:
        wait_for_frames(tmp_path / "out" / "long_pose.jsonl", 150, process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert finish(*words, tmp_path / "out", "--resume")[0] == 0
    assert finish(*words, tmp_path / "whole")[0] == 0
    resumed, whole = (tmp_path / folder / "long_pose.jsonl" for folder in ("out", "whole"))
    assert resumed.read_bytes() == whole.read_bytes()
    assert len(frame_times(tmp_path / "out" / "long_pose.mp4")) == 400
    assert clip.exists()
