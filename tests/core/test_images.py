"""Every kind of picture goes in as (H, W, 3) uint8 BGR, and every other thing is one clear sentence."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_onnx import InputError, load_image
from pose_onnx.errors import OutputError
from pose_onnx.files import remove_parts, temporary_name
from pose_onnx.image_files import write_image

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth colours, left and right different, so that JPEG keeps them and a turn shows."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 4, y * 6, 255 - x * 4], axis=-1).astype(np.uint8)


def encoded(suffix: str, picture: np.ndarray) -> bytes:
    ok, data = cv2.imencode(suffix, picture)
    assert ok
    return data.tobytes()


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHII", 1, 0x0112, 3, 1, orientation) + bytes(4)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_lossless_file_comes_back_as_it_was(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "фото 写真 ä.png"
    write_image(path, picture)
    assert np.array_equal(load_image(path), picture)
    assert np.array_equal(load_image(str(path), color="rgb"), picture)  # a file's colour order is known
    assert list(tmp_path.iterdir()) == [path]


def test_grey_rgba_and_16_bit_files_become_8_bit_bgr(tmp_path: Path, picture: np.ndarray) -> None:
    grey = picture[:, :, 0]
    sources = {
        "grey": (grey, np.repeat(grey[:, :, None], 3, axis=2)),
        "rgba": (np.dstack([picture, grey]), picture),
        "deep": (picture.astype(np.uint16) << 8, picture),
    }
    for name, (stored, expected) in sources.items():
        path = tmp_path / f"{name}.png"
        path.write_bytes(encoded(".png", stored))
        assert np.array_equal(load_image(path), expected), name


def test_exif_orientation_turns_the_picture_upright(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_exif_orientation(encoded(".jpg", picture), orientation=6))
    image = load_image(path)
    assert image.shape == (WIDTH, HEIGHT, 3)
    # 6: the stored left edge is the upright top edge. 8 levels: JPEG's loss on this smooth picture is below.
    assert np.abs(image.astype(int) - np.rot90(picture, -1).astype(int)).max() < 8


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("progressive", [0, 1])
def test_truncated_jpeg_is_refused(
    tmp_path: Path, picture: np.ndarray, kept: float, progressive: int
) -> None:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])
    path = tmp_path / "cut.jpg"
    path.write_bytes(data.tobytes()[: max(4, int(len(data) * kept))])
    with pytest.raises(InputError, match=r"cut\.jpg.*ends early.*intact"):
        load_image(path)


def test_jpeg_with_thumbnail_before_and_notes_behind_is_whole(tmp_path: Path, picture: np.ndarray) -> None:
    jpeg = encoded(".jpg", picture)
    thumbnail = encoded(".jpg", picture[::4, ::4])
    body = b"thumbnail\0" + thumbnail
    path = tmp_path / "phone.jpg"
    whole = jpeg[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
    path.write_bytes(whole + b"maker notes \xff\x00")
    assert load_image(path).shape == picture.shape
    path.write_bytes(whole[: len(whole) - 20])  # the thumbnail's end mark must not count
    with pytest.raises(InputError, match="ends early"):
        load_image(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff"])
@pytest.mark.parametrize("kept", [0.05, 0.5])
def test_other_truncated_files_are_refused(
    tmp_path: Path, picture: np.ndarray, suffix: str, kept: float
) -> None:
    data = encoded(suffix, picture)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=r"cut\..*(not a picture|damaged|cannot be decoded)"):
        load_image(path)


def test_files_that_are_no_picture(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("not a picture")
    cases = {
        "empty.jpg": "empty",
        "text.png": "not a picture",
        "absent.jpg": "does not exist",
        "": "is a folder",
        "a\0b": "cannot be read",
    }
    for name, reason in cases.items():
        with pytest.raises(InputError, match=reason):
            load_image(f"{tmp_path}/{name}")


def test_arrays_pass_without_a_copy_and_rgb_is_swapped(picture: np.ndarray) -> None:
    picture.flags.writeable = False
    assert load_image(picture) is picture
    swapped = load_image(picture, color="rgb")
    assert np.array_equal(swapped, picture[:, :, ::-1])
    assert swapped.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "given", "remedy"),
    [
        (np.zeros((4, 5), np.uint8), r"\(4, 5\)", "COLOR_GRAY2BGR"),
        (np.zeros((4, 5, 1), np.uint8), r"\(4, 5, 1\)", "COLOR_GRAY2BGR"),
        (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\)", r"image\[:, :, :3\]"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"\(1, 4, 5, 3\)", "one image"),
        (np.zeros((3, 4, 5), np.uint8), r"\(3, 4, 5\)", "channels last"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)", "1 or more"),
        (np.zeros((4, 5, 3), np.float32), "float32", r"\* 255"),
        (np.zeros((4, 5, 3), np.uint16), "uint16", ">> 8"),
        (np.zeros((4, 5, 3), np.int64), "int64", "clip"),
        (np.zeros((4, 5, 3), bool), "bool", "255"),
        ([[1, 2]], "list", "path"),
        (None, "NoneType", "path"),
    ],
)
def test_wrong_arrays_name_what_was_given_and_the_remedy(array: object, given: str, remedy: str) -> None:
    with pytest.raises(InputError, match=given) as caught:
        load_image(array)  # type: ignore[arg-type]  # that is the test
    assert caught.match(remedy)


def test_unknown_color() -> None:
    with pytest.raises(InputError, match=r"color='hsv'.*'bgr' or 'rgb'"):
        load_image(np.zeros((4, 5, 3), np.uint8), color="hsv")  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("name", ["picture.xyz", "picture", "picture.jp\udcff"])
def test_writing_an_unknown_format(tmp_path: Path, picture: np.ndarray, name: str) -> None:
    with pytest.raises(OutputError, match=r"suffix.*\.jpg or \.png"):
        write_image(tmp_path / name, picture)
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_system_takes(tmp_path: Path, picture: np.ndarray) -> None:
    """Its temporary file has a name that fits too, and is found again after a kill."""
    target = tmp_path / f"{'長' * 83}.png"
    write_image(target, picture)
    temporary_name(target).touch()
    remove_parts(target)
    assert list(tmp_path.iterdir()) == [target]


def test_writing_where_one_cannot(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "file").touch()
    for folder in ("absent", "file"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_image(tmp_path / folder / "picture.png", picture)


@pytest.mark.skipif(os.name != "posix", reason="file size limits are a POSIX feature")
def test_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path, picture: np.ndarray) -> None:
    target = tmp_path / "picture.bmp"
    write_image(target, picture)
    before = target.read_bytes()
    # The system refuses to write past the limit, as it does on a full disk; in a process of its own, because
    # the limit is the process's.
    code = (
        "import resource, signal, sys, numpy\n"
        "from pose_onnx.image_files import write_image\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_image(sys.argv[1], numpy.zeros((40, 60, 3), numpy.uint8))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=False
    )
    assert "OutputError" in result.stderr
    assert "File too large" in result.stderr
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == before


def test_opencv_that_cannot_load_is_one_sentence_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import pose_onnx\n"
        "try: pose_onnx.load_image('photo.jpg', color='hsv')\n"
        "except pose_onnx.InputError: pass\n"
        "open('photo.jpg', 'wb').write(b'BM' + bytes(30))\n"
        "try: pose_onnx.load_image('photo.jpg')\n"
        "except pose_onnx.DependencyError as error: print(error)\n"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "libGL.so.1" in result.stdout
    assert "apt-get install libgl1" in result.stdout
    assert "opencv-python-headless" in result.stdout
