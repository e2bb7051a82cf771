"""`pose-onnx video`: a video in, results in every format out, whatever stops it on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pose_onnx import load_image
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._video_outputs import Outputs
from pose_onnx.core.opencv import cv2
from pose_onnx.formats import FrameRecord, FramesEnd, read_end, read_frames, read_header
from pose_onnx.image_files import write_image
from pose_onnx.pairs import DEFAULT_POSE
from pose_onnx.video import Frame
from tests.conftest import write_stand_in
from tests.fuzz import kills
from tests.video.clips import beeps, frame_times, make_clip

if TYPE_CHECKING:
    from tests.cli.conftest import Outcome

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "models" / "photos" / "camera.jpg"
OUTPUTS = ("o.mp4", "o.jsonl", "o.csv", "o.json")
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def walk(count: int, side: int = 160) -> list[np.ndarray]:
    """Return frames of the man with the camera, moving by a pixel a frame: 60 to the right, 60 back, ..."""
    image = cv2.resize(load_image(PHOTO), (side, side), interpolation=cv2.INTER_AREA)
    return [np.roll(image, 60 - abs(60 - index % 120), axis=1) for index in range(count)]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of one person, 2 s with sound."""
    return make_clip(tmp_path_factory.mktemp("clip") / "in.mp4", walk(50), fps=25, audio="aac", seconds=2)


def ids(frame: FrameRecord) -> set[int]:
    assert frame.poses.ids is not None
    return set(frame.poses.ids.tolist())


def start(*words: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pose_onnx", *map(str, words)]
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_frames(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a file of JSON Lines holds a header and so many frames."""
    for _ in range(2000):
        if path.exists() and path.read_bytes().count(b"\n") > count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pytest.fail("no frame came")


def test_everything_at_once(cli: Callable[..., Outcome], clip: Path, tmp_path: Path) -> None:
    out, lines, table, coco = (tmp_path / f"o{suffix}" for suffix in (".mp4", ".jsonl", ".csv", ".json"))
    files = ("--out", out, "--jsonl", lines, "--csv", table, "--coco", coco)
    done = cli("video", clip, *files, "--threads", 1, "--every", 2, "--angles")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("50 frames, 1 person: ")
    header, frames = read_header(lines), list(read_frames(lines))
    assert header.source == str(clip)
    assert header.settings["pose"] == DEFAULT_POSE
    assert (header.settings["every"], header.settings["smooth"]) == (2, True)
    assert [frame.index for frame in frames] == list(range(50))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(50)], abs=1e-3)
    assert {frame.size for frame in frames} == {(160, 160)}
    assert all(ids(frame) == {1} for frame in frames)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    assert list(rows[7])[-1] == "right_knee_angle"
    assert float(rows[7]["nose_x"]) == pytest.approx(frames[7].poses.keypoints[0, 0, 0], abs=1e-4)
    results = json.loads(coco.read_text(encoding="utf-8"))
    assert [result["image_id"] for result in results] == list(range(50))
    assert frame_times(out) == pytest.approx([frame.time for frame in frames], abs=1e-3)
    assert len(beeps(out)) == len(beeps(clip)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.json", "o.jsonl", "o.mp4"]


@pytest.mark.parametrize(("words", "mode", "first"), [((), "sliding", 25), (("paddle",), "paddle", 49)])
def test_what_people_do(
    cli: Callable[..., Outcome], clip: Path, tmp_path: Path, words: tuple[str, ...], mode: str, first: int
) -> None:
    model = write_stand_in("stgcn_pphuman", tmp_path / "models")
    lines, table, out = (tmp_path / name for name in ("o.jsonl", "o.csv", "o.mp4"))
    options = ("--actions", model, *(("--action-windows", *words) if words else ()))
    files = ("--jsonl", lines, "--csv", table, "--out", out)
    done = cli("video", clip, *files, *options, "--threads", 1)
    assert (done.code, done.err) == (0, "")
    settings = read_header(lines).settings
    assert (settings["actions"], settings["action_windows"]) == ("stgcn_pphuman", mode)
    assert len(settings["actions_sha256"]) == 64
    known = [frame.poses.actions is not None for frame in read_frames(lines)]
    assert known == [False] * first + [True] * (50 - first)
    with table.open(encoding="utf-8", newline="") as file:
        *_, last = csv.DictReader(file)
    assert last["action"] in {"falling", "other"}
    assert 0.5 <= float(last["action_probability"]) <= 1
    assert len(frame_times(out)) == 50


def test_a_part_of_a_folder_of_frames(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for index, image in enumerate(walk(8)):
        write_image(tmp_path / "in" / f"{index}.png", image)
    words = ("--fps", 4, "--start", 0.5, "--stop", 1.75, "--no-smooth", "--max-people", 1, "--every", 1)
    done = cli("video", tmp_path / "in", *words, "--jsonl", tmp_path / "o.jsonl")
    assert (done.code, done.err) == (0, "")
    assert [frame.time for frame in read_frames(tmp_path / "o.jsonl")] == [0.5, 0.75, 1.0, 1.25, 1.5]
    assert read_header(tmp_path / "o.jsonl").settings["smooth"] is False


def test_a_frame_that_cannot_be_decoded_is_passed_by_and_counted(
    cli: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for index, image in enumerate(walk(4)):
        write_image(tmp_path / "in" / f"{index}.jpg", image)
    cut = tmp_path / "in" / "1.jpg"
    cut.write_bytes(cut.read_bytes()[:500])
    done = cli("video", tmp_path / "in", "--jsonl", tmp_path / "o.jsonl")
    assert done.code == 1
    assert "1 frame could not be decoded" in done.err
    assert [frame.index for frame in read_frames(tmp_path / "o.jsonl")] == [0, 2, 3]


def test_nobody_in_view(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    dark = make_clip(tmp_path / "dark.mp4", [np.zeros((48, 64, 3), np.uint8)] * 5)
    files = ("--out", tmp_path / "o.mkv", "--csv", tmp_path / "o.csv", "--coco", tmp_path / "o.json")
    done = cli("video", dark, *files, "--threshold", 0.99)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("5 frames, 0 people: ")
    assert len(frame_times(tmp_path / "o.mkv")) == 5
    assert len((tmp_path / "o.csv").read_text(encoding="utf-8").splitlines()) == 1
    assert json.loads((tmp_path / "o.json").read_text(encoding="utf-8")) == []


def test_sound_that_the_format_cannot_hold_is_reported(
    cli: Callable[..., Outcome], clip: Path, tmp_path: Path
) -> None:
    done = cli("video", clip, "--out", tmp_path / "o.webm", "--stop", 0.2)
    assert done.code == 0
    assert "has no sound: this format cannot store aac sound" in done.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["{clip}"], "no output was given"),
        (["{clip}", "--out", "{tmp}/o.xyz"], "names no video format"),
        (["{clip}", "--out", "{tmp}/absent/o.mp4"], "cannot be written"),
        (["{clip}", "--jsonl", "{tmp}/absent/o.jsonl"], "cannot be written"),
        (["{clip}", "--jsonl", "{tmp}/o", "--csv", "{tmp}/o"], "the same name"),
        (["{clip}", "--jsonl", "{tmp}/o", "--angles"], "add --csv FILE"),
        (["{clip}", "--jsonl", "{tmp}/o", "--action-windows", "paddle"], "add --actions NAME"),
        (["{clip}", "--jsonl", "{tmp}/o", "--actions", "nothing"], "'nothing'"),
        (["{clip}", "--jsonl", "{tmp}/o", "--actions", DEFAULT_POSE], "give one for 'actions'"),
        (["{clip}", "--jsonl", "{tmp}/notes.txt"], "already exists"),
        (["{clip}", "--jsonl", "{tmp}/notes.txt", "--resume"], "line 1, is not JSON"),
        (["{clip}", "--jsonl", "{tmp}/o", "--resume", "--overwrite"], "give one of them"),
        (["{clip}", "--out", "{tmp}/broken.mp4"], "already exists"),
        (["rtsp://127.0.0.1:1/x", "--out", "{tmp}/broken.mp4"], "already exists"),
        (["rtsp://me:secret@127.0.0.1:1/x", "--jsonl", "{tmp}/o.jsonl"], "'rtsp://***@127.0.0.1:1/x' cannot"),
        (["{clip}", "--out", "{clip}", "--overwrite"], "is both the source and an output"),
        (["{clip}", "--jsonl", "{tmp}/o.jsonl", "--start", "99"], "has no frames there"),
        (["{clip}", "--jsonl", "{tmp}/o.jsonl", "--start", "-1"], "start=-1.0"),
        (["{clip}", "--jsonl", "{tmp}/o.jsonl", "--every", "0"], "every=0"),
        (["{clip}", "--jsonl", "{tmp}/o.jsonl", "--max-people", "0"], "max_people=0"),
        (["{tmp}/absent.mp4", "--jsonl", "{tmp}/o.jsonl"], "does not exist"),
        (["{tmp}/empty.mp4", "--jsonl", "{tmp}/o.jsonl"], "not a video that OpenCV can read"),
        (["{tmp}/broken.mp4", "--jsonl", "{tmp}/o.jsonl"], "not a video that OpenCV can read"),
        (["{tmp}", "--jsonl", "{tmp}/o.jsonl"], "has no picture"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    cli: Callable[..., Outcome], clip: Path, tmp_path: Path, words: list[str], reason: str
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("mine, and not to be lost\n", encoding="utf-8")
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:300])
    before = clip.read_bytes()
    done = cli("video", *(word.format(clip=clip, tmp=tmp_path) for word in words))
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("pose-onnx: error: ")
    assert len(done.err.strip().splitlines()) == 1
    assert reason in done.err
    assert "secret" not in done.err
    assert clip.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"empty.mp4", "notes.txt", "broken.mp4"}


def test_nothing_is_written_over_by_accident(cli: Callable[..., Outcome], clip: Path, tmp_path: Path) -> None:
    lines, table = tmp_path / "o.jsonl", tmp_path / "o.csv"
    words = ("video", clip, "--jsonl", lines, "--csv", table, "--stop", 0.4)
    assert cli(*words).code == 0
    before = lines.read_bytes()
    for more in ((), ("--start", 0.361)):
        again = cli(*words, *more)
        assert again.code == 2
        assert "already exists; give another file, or --overwrite" in again.err
    assert cli(*words, "--resume").out.endswith("nothing is left to do\n")
    assert lines.read_bytes() == before
    assert cli(*words, "--overwrite").code == 0
    assert lines.read_bytes() == before
    table.unlink()
    half = cli(*words, "--resume")
    assert "already exists" in half.err


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
def test_half_a_video_is_no_success(cli: Callable[..., Outcome], tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "mpeg4"
    whole = make_clip(tmp_path / f"whole{suffix}", walk(30), fps=25, codec=codec, faststart=True)
    half, lines = tmp_path / f"half{suffix}", tmp_path / "o.jsonl"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = cli("video", half, "--jsonl", lines, "--threads", 1)
    assert done.code == 1
    assert "frames; get a complete copy of it" in done.err
    end = read_end(lines)
    assert end is not None
    assert end.frames == len(list(read_frames(lines)))
    assert end.missing > 0
    assert end.frames + end.skipped + end.missing == pytest.approx(30, abs=1)
    assert cli("video", whole, "--jsonl", lines, "--threads", 1, "--overwrite").code == 0
    assert read_end(lines) == FramesEnd(30)


def test_a_frame_of_another_size_is_in_every_output(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for index, image in enumerate(walk(4)):
        picture = image[:, 40:] if index == 2 else image
        write_image(tmp_path / "in" / f"{index}.png", picture)
    out, lines = tmp_path / "o.mp4", tmp_path / "o.jsonl"
    done = cli("video", tmp_path / "in", "--out", out, "--jsonl", lines)
    assert done.code == 0
    assert "1 frame of another size than the first one were fitted into" in done.err
    assert len(frame_times(out)) == len(list(read_frames(lines))) == 4


def test_every_takes_a_number_or_auto(cli: Callable[..., Outcome], clip: Path) -> None:
    done = cli("video", clip, "--every", "often", "--show")
    assert done.code == 2
    assert "'often' was given; give a whole number, or auto" in done.err


def all_outputs(clip: Path, folder: Path, *more: object) -> list[object]:
    folder.mkdir(exist_ok=True)
    out, lines, table, coco = (folder / name for name in OUTPUTS)
    files = ("--out", out, "--jsonl", lines, "--csv", table, "--coco", coco)
    return ["video", clip, *files, "--threads", 1, *more]


def finish(*words: object) -> tuple[int | None, str, str]:
    with start(*words) as process:
        said, errors = process.communicate()
    return process.returncode, said, errors


@posix_only
def test_killed_and_resumed_is_as_if_it_never_happened(tmp_path: Path) -> None:
    """`python -m tests.fuzz.kills` kills many."""
    command = kills.prepare(tmp_path)
    kills.finish(command, tmp_path / "whole")
    killed = tmp_path / "killed"
    for frames in (40, 250):  # before the first time that it saves where it is, and after the second
        with kills.start(command, killed) as process:
            wait_for_frames(killed / "o.jsonl", frames, process)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert len(list(read_frames(killed / "o.jsonl"))) >= frames
    kills.finish(command, killed)
    kills.check_same(killed, tmp_path / "whole")


def test_what_a_kill_left_is_put_away(cli: Callable[..., Outcome], clip: Path, tmp_path: Path) -> None:
    """It came between the last output and the end, or while a file was written."""
    words = ("video", clip, "--jsonl", tmp_path / "o.jsonl", "--csv", tmp_path / "o.csv", "--stop", 0.4)
    part, folder = tmp_path / ".o.0123abcd.part.csv", tmp_path / ".o.jsonl.unfinished"

    def leave() -> None:
        folder.mkdir()
        (folder / "000000.mp4").touch()
        part.touch()

    leave()
    assert cli(*words).code == 0
    assert not part.exists()
    assert not folder.exists()
    leave()
    part.unlink()
    assert cli(*words, "--resume").out.endswith("nothing is left to do\n")
    assert not folder.exists()
    mine = tmp_path / ".o.notes.part.csv"
    mine.touch()
    assert cli(*words, "--overwrite").code == 0
    assert mine.exists()


@posix_only
def test_an_unfinished_run_is_continued_as_it_was_begun(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", walk(150), fps=25)
    words = all_outputs(clip, tmp_path / "out")
    with start(*words) as process:
        wait_for_frames(tmp_path / "out" / "o.jsonl", 110, process)
        process.kill()
    assert not (tmp_path / "out" / "o.mp4").exists()
    assert "continue with --resume, start over with --overwrite" in finish(*words)[2]
    assert "its smooth and this run's differ" in finish(*words, "--resume", "--no-smooth")[2]
    code, said, errors = finish(*words, "--resume")
    assert (code, errors) == (0, "")
    assert said.startswith("150 frames, 1 person: ")
    assert set().union(*map(ids, read_frames(tmp_path / "out" / "o.jsonl"))) == {1}


def test_a_run_is_kept_while_its_source_is_away(
    cli: Callable[..., Outcome], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pose_onnx.cli._video_outputs.SAVE_EVERY", 10)
    film, out = tmp_path / "film.mp4", tmp_path / "o.mp4"
    film.write_bytes(clip.read_bytes())
    words = ("video", film, "--out", out, "--threads", 1)
    write = Outputs.write

    def stopped(self: Outputs, frame: Frame) -> None:
        if frame.index == 25:
            raise KeyboardInterrupt
        write(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(Outputs, "write", stopped)
        assert cli(*words).code == 130
    assert len(frame_times(out)) == 25
    film.rename(tmp_path / "away.mp4")
    assert "does not exist" in cli(*words, "--resume").err
    (tmp_path / "away.mp4").rename(film)
    assert cli(*words, "--resume", "--start", 1).code == 2
    assert cli(*words, "--resume").code == 0
    assert len(frame_times(out)) == 50
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "o.mp4"]


@posix_only
def test_ctrl_c_finishes_every_file_and_resume_goes_on(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", walk(150), fps=25, audio="aac", seconds=6)
    lines, out, table = tmp_path / "o.jsonl", tmp_path / "o.mp4", tmp_path / "o.csv"
    words = ("--jsonl", lines, "--out", out, "--csv", table, "--threads", 1)
    with start("video", clip, *words) as process:
        wait_for_frames(lines, 105, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    frames = list(read_frames(lines))
    assert 105 <= len(frames) < 150
    assert f"stopped after {len(frames)} frames; continue with --resume" in errors
    assert "Traceback" not in errors
    assert len(frame_times(out)) == len(frames)
    assert abs(beeps(out)[-1] - frames[-1].time) < 0.6
    with table.open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(frames)
    with start("video", clip, *words, "--resume") as process:
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert [frame.index for frame in read_frames(lines)] == list(range(150))
    assert set().union(*map(ids, read_frames(lines))) == {1}
    assert frame_times(out) == pytest.approx([frame.time for frame in read_frames(lines)], abs=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "o.csv", "o.jsonl", "o.mp4"]


def test_ctrl_c_while_the_verb_is_imported(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pose_onnx.cli.import_module", interrupted)
    assert cli("video", "clip.mp4").code == 130


def test_ffmpeg_writes_no_lines_of_its_own(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", walk(30), faststart=True)
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with start("video", half, "--jsonl", tmp_path / "o.jsonl", "--threads", 1) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert all(line.startswith("pose-onnx: ") for line in errors.splitlines()), errors


@posix_only
def test_ctrl_c_waits_for_what_must_not_be_cut() -> None:
    done = []
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("whole")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a screen")
def test_show_without_a_screen(
    cli: Callable[..., Outcome], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = cli("video", clip, "--show")
    assert done.code == 2
    assert "--show needs a screen" in done.err
    assert len(done.err.strip().splitlines()) == 1
