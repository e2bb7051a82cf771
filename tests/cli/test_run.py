"""`pose-onnx run`: photos in, annotated photos and one JSON out, whatever happens on the way."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from pose_onnx import PRESETS, PoseEstimator, draw_poses, load_image, read_card
from pose_onnx.cli._interrupt import Terminated, terminated_as_by_ctrl_c, uninterrupted
from pose_onnx.files import atomic_path
from tests.cli.conftest import pose_model
from tests.video.clips import make_clip

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome

ROOT = Path(__file__).parents[2]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals, pipes and limits of POSIX")


def results(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def test_a_folder(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    photo(tmp_path / "in" / "b.png")
    photo(tmp_path / "in" / "a.JPG")
    photo(tmp_path / "in" / "dark.png", level=0)
    photo(tmp_path / "in" / "._hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    out = tmp_path / "results" / "here"
    done = cli("run", tmp_path / "in", *models.options, "--out", out, "--threads", 1)
    assert (done.code, done.err) == (0, "")
    assert "3 pictures, 2 people" in done.out
    assert "skipped: 1 file of another kind" in done.out
    assert sorted(path.name for path in out.iterdir()) == [
        "a_pose.JPG",
        "b_pose.png",
        "dark_pose.png",
        "poses.json",
    ]
    document = results(out / "poses.json")
    settings = document["settings"]
    digests = {name: settings.pop(name) for name in list(settings) if name.endswith("_sha256")}
    assert digests["pose_sha256"] == hashlib.sha256(models.pose.read_bytes()).hexdigest()
    assert sorted(digests) == [
        f"{role}{what}_sha256" for role in ("detector", "pose") for what in ("_card", "")
    ]
    assert settings | {"pose_onnx": ""} == {
        "pose_onnx": "",
        "detector": "bright",
        "pose": "blobs",
        "backend": "ort",
        "precision": "fp32",
        "preset": "accurate",
        "flip": False,
        "threshold": PRESETS["accurate"].threshold,
    }
    assert [len(image["people"]) for image in document["images"]] == [1, 1, 0]
    (person,) = document["images"][1]["people"]
    assert document["images"][1]["path"] == str(tmp_path / "in" / "b.png")
    assert document["images"][1]["picture"] == str(out / "b_pose.png")
    assert person["box"] == pytest.approx([8, 3, 56, 45])  # 4, 2, 28, 30 of 32 x 32, in 64 x 48
    assert len(person["keypoints"]) == len(document["images"][1]["keypoint_names"]) == 17
    before, after = load_image(tmp_path / "in" / "b.png"), load_image(out / "b_pose.png")
    assert before.shape == after.shape
    assert not np.array_equal(before, after)


def test_unreadable_files_are_passed_by_named_and_counted(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    first, last = photo(tmp_path / "1.png"), photo(tmp_path / "9.png")
    cut, text, absent = tmp_path / "2.jpg", tmp_path / "3.png", tmp_path / "4.png"
    cut.write_bytes(photo(tmp_path / "whole.jpg").read_bytes()[:500])
    text.write_text("not a picture")
    done = cli("run", first, cut, text, absent, last, *models.options, "--out", tmp_path / "out")
    assert done.code == 1
    assert "2 pictures, 2 people" in done.out
    for path, reason in ((cut, "ends early"), (text, "not a picture"), (absent, "does not exist")):
        assert any(str(path) in line and reason in line for line in done.err.splitlines())
    assert "3 of 5 pictures could not be used" in done.err
    document = results(tmp_path / "out" / "poses.json")
    assert [image["path"] for image in document["images"]] == [str(first), str(last)]
    assert [failure["path"] for failure in document["failures"]] == [str(cut), str(text), str(absent)]


def test_photos_of_one_name_and_copies_never_overwrite_each_other(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    one, two = photo(tmp_path / "1" / "x.png", seed=1), photo(tmp_path / "2" / "X.png", seed=2)
    photo(tmp_path / "out" / "x_pose.png", seed=3)  # an input of the same name as an output
    before = (tmp_path / "out" / "x_pose.png").read_bytes()
    words = (one, two, one, tmp_path / "out" / "x_pose.png", tmp_path / "1" / ".." / "1" / "x.png")
    done = cli("run", *words, *models.options, "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    document = results(tmp_path / "out" / "poses.json")
    written = [Path(image["picture"]) for image in document["images"]]
    assert len(written) == len({str(path).lower() for path in written}) == 3
    assert all(path.is_file() for path in written)
    assert (tmp_path / "out" / "x_pose.png").read_bytes() == before


def test_names_as_long_as_the_system_takes(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    """In bytes: a character may have several. The two names differ only in what does not fit."""
    short = photo(tmp_path / "short.png")
    long = [Path(shutil.copy(short, tmp_path / f"{'長' * 83}{end}.png")) for end in "ab"]
    done = cli("run", *long, short, *models.options, "--save-crop", "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    written = [Path(each["picture"]) for each in results(tmp_path / "out" / "poses.json")["images"]]
    assert len({path for path in written if path.is_file()}) == 3
    assert [path.name[70:] for path in written[:2]] == ["長長長_pose.png", "長長長_pose-2.png"]


def test_patterns_and_a_json_elsewhere(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    for name in ("a/1.png", "a/b/2.png", "a/b/3.bmp", "a/b/[x].png"):
        photo(tmp_path / name)
    target = tmp_path / "elsewhere" / "people.json"
    pattern = tmp_path / "a" / "**" / "*.png"
    done = cli("run", pattern, *models.options, "--out", tmp_path / "out", "--json", target)
    assert done.code == 0
    assert [Path(image["path"]).name for image in results(target)["images"]] == ["1.png", "2.png", "[x].png"]
    assert not (tmp_path / "out" / "poses.json").exists()
    bracketed = tmp_path / "a" / "b" / "[x].png"  # looks like a pattern, and is a file
    assert cli("run", bracketed, *models.options, "--out", tmp_path / "bracketed").code == 0


def test_a_table_too(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png", level=0)
    table = tmp_path / "tables" / "people.csv"
    done = cli("run", tmp_path / "in", *models.options, "--out", tmp_path / "out", "--csv", table, "--angles")
    assert (done.code, done.err) == (0, "")
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["picture"] == str(tmp_path / "in" / "a.png")
    assert float(row["box_x2"]) == pytest.approx(56)
    assert list(row)[-1] == "right_knee_angle"
    assert 0 <= float(row["left_elbow_angle"]) <= 180


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["{tmp}/empty"], "contains no pictures or videos, but nothing"),
        (["{tmp}/*.png"], "matches no file"),
        (["https://[me:secret@example.org/a.jpg"], "is not a valid address"),
        (["{tmp}/p.jpg", "--backend", "tensorrt"], "'tensorrt' is not known; choose one of ['ort', 'tflite'"),
        (["{tmp}/p.jpg", "--threads", "0"], "threads=0"),
        (["{tmp}/p.jpg", "--threshold", "7"], "threshold=7.0"),
        (["{tmp}/p.jpg", "--detector", "picodet_xxl"], "'picodet_xxl' is not known; choose one of"),
        (
            ["{tmp}/p.jpg", "--detector", "{pose}"],
            "is a model for 'keypoints' (blobs); give one for 'detect'",
        ),
        (["{tmp}/p.jpg", "--detector", "{tmp}/absent.onnx"], "does not exist"),
        (["{tmp}/p.jpg", "--pose", "{bare}"], "--model NAME"),
        (["{tmp}/p.jpg", "--model", "nobody"], "'nobody' is not known"),
        (
            ["{tmp}/p.jpg", "--model", "tinypose_128x96", "--model", "tinypose_256x192"],
            "both for 'keypoints'",
        ),
        (["{tmp}/p.jpg", "--providers", "CUDAExecutionProvider"], "CUDAExecutionProvider"),
        (["{tmp}/p.jpg", "--out", "{tmp}/file"], "cannot be written"),
        (["{tmp}/p.jpg", "--json", "{tmp}/file/x.json"], "cannot be written"),
        (["{tmp}/p.jpg", "--json", "{tmp}/empty"], "cannot be written"),
        (["{tmp}/p.jpg", "--csv", "{tmp}/file/x.csv"], "cannot be written"),
        (["{tmp}/p.jpg", "--angles"], "add --csv FILE"),
        (["{tmp}/p.jpg", "--json", "{tmp}/x", "--csv", "{tmp}/empty/../x"], "both the JSON and the table"),
        (["{tmp}/p.jpg", "--csv", "{tmp}/out/poses.json"], "both the JSON and the table"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    cli: Callable[..., Outcome],
    models: Models,
    photo: Callable[..., Path],
    tmp_path: Path,
    words: list[str],
    reason: str,
) -> None:
    photo(tmp_path / "p.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    filled = [word.format(tmp=tmp_path, pose=models.pose, bare=models.bare_pose) for word in words]
    done = cli("run", *models.options, "--out", tmp_path / "out", *filled)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("pose-onnx: error: ")
    assert len(done.err.strip().splitlines()) == 1
    assert reason in done.err
    assert "secret" not in done.err


def test_a_file_without_card_runs_with_model_or_a_card_file(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("run", photo(tmp_path / "p.png"), "--out", tmp_path / "out", "--detector", models.detector)
    done = cli(*words, "--flip", "--pose", models.bare_pose, "--model", models.pose_card)
    assert (done.code, done.err) == (0, "")
    assert results(tmp_path / "out" / "poses.json")["settings"]["flip"] is True
    wrong = cli(*words, "--pose", models.bare_pose, "--model", "tinypose_128x96")
    assert wrong.code == 2
    assert "(3, 128, 96)" in wrong.err


def test_names_that_the_system_refuses(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    names = ("x" * 400 + ".png", str(loop), f"{photo(tmp_path / 'p.png')}/inside.png")
    for number, name in enumerate(names):
        done = cli("run", name, *models.options, "--out", tmp_path / f"out{number}")
        assert done.code == 2
        assert done.err.startswith("pose-onnx: ")
        assert "Traceback" not in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
def test_a_file_name_that_is_no_unicode(models: Models, photo: Callable[..., Path], tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    photo(tmp_path / "x.png").rename(odd)
    with start("run", odd, *models.options, "--out", tmp_path / "out") as process:
        out, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "1 person" in out
    (image,) = results(tmp_path / "out" / "poses.json")["images"]
    assert image["path"] == str(odd)
    assert Path(image["picture"]).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
def test_names_that_are_no_unicode_in_a_folder(
    models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    """OpenCV crashes on such a name of a video, and on such a suffix."""
    folder = os.fsencode(tmp_path) + b"/in"
    Path(os.fsdecode(folder)).mkdir()
    photo(tmp_path / "x.png").rename(os.fsdecode(folder + b"/a.png"))
    make_clip(tmp_path / "x.mp4", [np.zeros((48, 64, 3), np.uint8)]).rename(
        os.fsdecode(folder + b"/b\xff.mp4")
    )
    photo(tmp_path / "x.png").rename(odd := Path(os.fsdecode(folder + b"/c.jp\xff")))
    with start("run", tmp_path / "in", odd, *models.options, "--out", tmp_path / "out") as process:
        out, errors = process.communicate()
    assert process.returncode == 1
    assert "2 pictures, 2 people" in out
    assert r"b\udcff.mp4' is not UTF-8, so OpenCV cannot open it" in errors
    assert "1 of 3 sources could not be used" in errors


def test_nothing_usable_is_exit_code_2(cli: Callable[..., Outcome], models: Models, tmp_path: Path) -> None:
    done = cli("run", tmp_path / "nosuch.jpg", *models.options, "--out", tmp_path / "out")
    assert done.code == 2
    assert "1 of 1 picture could not be used" in done.err


def test_any_exception_of_one_picture_is_its_failure(
    cli: Callable[..., Outcome],
    models: Models,
    photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = [photo(tmp_path / "in" / f"{index}.png") for index in range(3)]
    failed: list[int] = []

    def fragile(pixels: Any, poses: Any, **options: Any) -> Any:
        if not failed:
            failed.append(1)
            raise cv2.error("(-215) an assertion\n  of OpenCV")
        return draw_poses(pixels, poses, **options)

    monkeypatch.setattr("pose_onnx.cli._picture_outputs.draw_poses", fragile)
    done = cli("run", *photos, *models.options, "--threads", 1, "--out", tmp_path / "out")
    assert done.code == 1
    assert "2 pictures, 2 people" in done.out
    assert f"'{photos[0]}' cannot be processed (error: (-215) an assertion of OpenCV)" in done.err


def test_a_picture_that_its_format_does_not_hold_is_its_failure(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    """WebP has 14 bits for a side; the content says what a picture is, and its name what the copy becomes."""
    wide = tmp_path / "in" / "1.webp"
    wide.parent.mkdir()
    wide.write_bytes(b"P6 20000 2 255\n" + bytes(3 * 20000 * 2))
    photo(tmp_path / "in" / "2.png")
    done = cli("run", tmp_path / "in", *models.options, "--out", tmp_path / "out")
    assert done.code == 1
    assert "1 picture, 1 person" in done.out
    assert "a picture with 20000 x 2 pixels cannot be stored as '.webp'" in done.err


def test_results_are_never_replaced_by_accident(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("run", *models.options, "--out", tmp_path / "out")
    assert cli(*words, photo(tmp_path / "a.png")).code == 0
    before = (tmp_path / "out" / "poses.json").read_bytes()
    refused = cli(*words, tmp_path / "nosuch.jpg")
    assert refused.code == 2
    assert f"'{tmp_path / 'out' / 'poses.json'}' already exists" in refused.err
    assert "--resume" in refused.err
    assert "--overwrite" in refused.err
    assert (tmp_path / "out" / "poses.json").read_bytes() == before
    table = tmp_path / "table.csv"
    table.write_text("mine")
    words = ("run", *models.options, "--out", tmp_path / "other", tmp_path / "a.png")
    assert cli(*words, "--csv", table).code == 2
    assert table.read_text() == "mine"
    assert cli(*words, "--csv", table, "--overwrite").code == 0
    assert cli(*words, "--json", tmp_path / "j.json").code == 2  # over a_pose.png


def test_resuming_is_as_if_it_had_run_once(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    photos = [photo(tmp_path / "in" / f"{index}.png", seed=index) for index in range(4)]
    late = tmp_path / "late.png"
    late.touch()
    out = tmp_path / "out"
    words = ("run", *models.options, "--out", out, "--csv", out / "people.csv")
    assert cli(*words, *photos[:2], late).code == 1
    photo(late, seed=9)
    done = cli(*words, *photos[:2], late, *photos[2:], "--resume")
    assert (done.code, done.err) == (0, "")
    assert "5 pictures (2 were done earlier), 5 people" in done.out
    assert str(photos[0]) not in done.out  # not done again
    whole = tmp_path / "whole"
    words = ("run", *models.options, "--out", whole, "--csv", whole / "people.csv")
    assert cli(*words, *photos[:2], late, *photos[2:]).code == 0
    resumed, once = results(out / "poses.json"), results(whole / "poses.json")
    for image in (*resumed["images"], *once["images"]):
        image["picture"] = Path(image["picture"]).name
    assert resumed == once
    assert (out / "people.csv").read_text() == (whole / "people.csv").read_text()


def test_resuming_with_another_model_is_refused(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("run", photo(tmp_path / "a.png"), "--out", tmp_path / "out", "--detector", models.detector)
    changed = tmp_path / "pose.onnx"
    changed.write_bytes(pose_model(read_card(models.pose)))
    assert cli(*words, "--pose", changed).code == 0
    changed.write_bytes(pose_model(read_card(models.pose), seed=1))
    refused = cli(*words, "--pose", changed, "--resume")
    assert refused.code == 2
    assert "results with other settings (pose_sha256)" in refused.err
    (tmp_path / "out" / "poses.json").write_text('{"schema": 3}')
    assert "not a complete document" in cli(*words, "--pose", changed, "--resume").err


def test_without_out_each_run_has_a_folder_of_its_own(
    cli: Callable[..., Outcome],
    models: Models,
    photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("run", *models.options, photo(tmp_path / "a.png"))
    for number in (1, 2):
        assert f"run{number}" in cli(*words).out
    assert "1 picture (1 were done earlier)" in cli(*words, "--resume").out
    assert sorted(path.name for path in (tmp_path / "pose-onnx-out").iterdir()) == ["run1", "run2"]
    assert cli(*words, "--backend", "nobody").code == 2
    assert not (tmp_path / "pose-onnx-out" / "run3").exists()


def test_what_a_folder_holds_besides_is_counted(
    cli: Callable[..., Outcome],
    models: Models,
    photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "sub" / "deep" / "b.png")
    photo(tmp_path / "in" / ".thumbnails" / "c.png")
    monkeypatch.setattr("pose_onnx.folders.can_read_heif", lambda: False)
    for name in ("c.gif", "d.heic", "e.avif"):
        (tmp_path / "in" / name).touch()
    done = cli("run", tmp_path / "in", *models.options, "--out", tmp_path / "1")
    assert "1 picture, 1 person" in done.out
    assert (
        "skipped: 2 HEIC or AVIF pictures (pip install 'pose-onnx[heif]' reads them), 1 file of another kind "
        "(.gif), 1 subfolder (--recursive looks into it)"
    ) in done.out
    done = cli("run", tmp_path / "in", *models.options, "--out", tmp_path / "2", "--recursive")
    assert "2 pictures, 2 people" in done.out
    assert "subfolder" not in done.out
    (tmp_path / "in" / "a.png").unlink()
    done = cli("run", tmp_path / "in", *models.options, "--out", tmp_path / "3")
    assert "contains no pictures" in done.err
    assert "1 subfolder (--recursive looks into it)" in done.err


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pose_onnx", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, env=environment, text=True, **pipes)


@posix_only
def test_sigterm_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    def write() -> None:
        with terminated_as_by_ctrl_c(), atomic_path(tmp_path / "x.json") as part:
            part.touch()
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Terminated):
        write()
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_must_be_whole_is_done_first(number: signal.Signals) -> None:
    done: list[int] = []

    def work() -> None:
        with terminated_as_by_ctrl_c(), uninterrupted():
            os.kill(os.getpid(), number)
            done.append(1)

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert done
    assert isinstance(caught.value, Terminated) is (number == signal.SIGTERM)


@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_keeps_what_was_found(
    models: Models, photo: Callable[..., Path], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    photos = [photo(tmp_path / "in" / f"{index}.png") for index in range(400)]
    with start("run", *photos, *models.options, "--threads", 1, "--out", tmp_path / "out") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(number)
        process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == code, errors
    assert errors.strip() == "pose-onnx: stopped"
    found = results(tmp_path / "out" / "poses.json")["images"]
    assert 1 <= len(found) < 400
    assert not list((tmp_path / "out").glob(".*"))


@posix_only
def test_a_full_disk_keeps_what_was_found(models: Models, photo: Callable[..., Path], tmp_path: Path) -> None:
    photo(tmp_path / "in" / "1.jpg")
    photo(tmp_path / "in" / "2.bmp")  # 9 kB, over the limit that stands for the full disk
    code = (
        "import resource, signal, sys\n"
        "from pose_onnx.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["run", tmp_path / "in", *models.options, "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("pose-onnx: error: ")
    assert "2_pose.bmp' cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(results(tmp_path / "out" / "poses.json")["images"]) == 1
    assert not (tmp_path / "out" / "2_pose.bmp").exists()


def terminal() -> tuple[int, int]:
    """Open a pseudo-terminal of 24 x 80 characters: our end and the program's."""
    import fcntl  # noqa: PLC0415 (POSIX only)
    import termios  # noqa: PLC0415

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return ours, theirs


def read_all(terminal: int) -> str:
    """Read what was written to a terminal whose other end is closed, which Linux reports as an error."""
    chunks = []
    with os.fdopen(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while chunk := stream.read(4096):
            chunks.append(chunk)
    return b"".join(chunks).decode()


@posix_only
def test_many_pictures_on_a_terminal_show_a_bar(
    models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    photos = [photo(tmp_path / "in" / f"{index}.png") for index in range(3)]
    ours, theirs = terminal()
    with start("run", *photos, *models.options, "--out", tmp_path / "out", stderr=theirs) as process:
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(theirs)
    shown = read_all(ours)
    assert process.returncode == 0
    assert "3/3" in shown
    assert "picture/s" in shown
    assert out.startswith(f"3 pictures, 3 people: {tmp_path / 'out'}\n")


def test_no_pictures(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    photo(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    done = cli("run", tmp_path / "in", *models.options, "--out", out, "--no-pictures")
    assert (done.code, done.err) == (0, "")
    assert [path.name for path in out.iterdir()] == ["poses.json"]
    (image,) = results(out / "poses.json")["images"]
    assert image["picture"] is None
    assert len(image["people"]) == 1


def test_crops_are_what_is_in_the_boxes(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    picture = photo(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    command = ("run", picture, *models.options, "--out", out, "--save-crop", "--no-pictures")
    assert cli(*command).code == 0
    (box,) = (person["box"] for person in results(out / "poses.json")["images"][0]["people"])
    left, top, right, bottom = (round(value) for value in box)
    crop = out / "crops" / "a_pose-1.png"
    assert np.array_equal(load_image(crop), load_image(picture)[top:bottom, left:right])

    for name in ("a_pose-2.png", "a_pose-3.png", "other_pose-1.png"):  # of a run that saw more people
        crop.with_name(name).write_bytes(b"old")
    (out / "poses.json").unlink()
    assert "already exists" in cli(*command).err
    assert cli(*command, "--overwrite").code == 0
    assert sorted(path.name for path in crop.parent.iterdir()) == ["a_pose-1.png", "other_pose-1.png"]


def test_how_people_are_drawn(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    picture = photo(tmp_path / "in" / "a.png")
    wanted: dict[tuple[object, ...], dict[str, Any]] = {
        (): {},
        ("--no-boxes",): {"boxes": False},
        ("--scores", "--legend"): {"scores": True, "legend": True},
        ("--line-width", 9, "--min-score", 0.5): {"line_width": 9, "min_score": 0.5},
    }
    with PoseEstimator(models.detector, models.pose) as estimator:
        poses = estimator(picture)
    for number, (options, arguments) in enumerate(wanted.items()):
        out = tmp_path / str(number)
        assert cli("run", picture, *models.options, "--out", out, *options).code == 0
        assert np.array_equal(load_image(out / "a_pose.png"), poses.draw(picture, **arguments))


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf", "wide"])
def test_a_line_width_that_is_none(
    cli: Callable[..., Outcome], models: Models, tmp_path: Path, word: str
) -> None:
    done = cli("run", tmp_path, *models.options, f"--line-width={word}")
    assert done.code == 2
    assert f"{word!r} was given; give a number of pixels above 0" in done.err
