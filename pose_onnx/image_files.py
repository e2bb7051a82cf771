"""Reading and writing picture files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, TypeAlias

from pose_onnx.budget import MEMORY
from pose_onnx.core import images
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color, bgr_pixels, check_color
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError, OutputError
from pose_onnx.files import atomic_write_bytes
from pose_onnx.heif import decode_heif, is_heif

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image
"""The path of a picture, the bytes of its file, or its pixels as an (H, W, 3) uint8 array."""

IMAGE_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What a folder is searched for. A picture that is named may be of any format that OpenCV decodes here and
`pose_onnx.core.picture_sizes` knows."""


def load_image(source: ImageSource, *, color: Color = "bgr") -> Image:
    """Return a picture's pixels.

    Args:
        source: Path of a picture (JPEG, PNG and others, HEIC and AVIF with the extra `heif`; turned upright;
            grey becomes three equal channels, transparency is dropped, 16 bits become 8), the bytes of its
            file, or its pixels.
        color: Channel order of `source` when it is an array.

    Returns:
        (H, W, 3) uint8, BGR. An array that is already in this form is returned itself, not a copy.

    Raises:
        InputError: The file is missing, empty, truncated, too large or not a picture, or the array is not
            (H, W, 3) uint8.
        DependencyError: It is HEIC or AVIF, and the extra `heif` is not installed.
    """
    check_color(color)
    if isinstance(source, str | os.PathLike):
        return decode_image(_read(Path(source)), str(Path(source)))
    if isinstance(source, bytes):
        return decode_image(source)
    return bgr_pixels(source, color)


def decode_image(data: bytes, name: str = "the picture") -> Image:
    """Return the pixels of a picture's file content: OpenCV's formats, HEIC and AVIF.

    Args:
        data: The content of the file.
        name: The file's name in errors.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        InputError: As `load_image`.
        DependencyError: It is HEIC or AVIF, and the extra `heif` is not installed.
    """
    return decode_heif(data, name) if is_heif(data) else images.decode_image(data, name)


def write_image(path: str | os.PathLike[str], image: Image) -> None:
    """Write a picture in the format of the file's suffix; the file is written completely or not at all.

    Args:
        path: Where to.
        image: (H, W, 3) uint8, BGR.

    Raises:
        InputError: The format does not hold a picture of this size.
        OutputError: The suffix names no format, the folder is missing or read-only, or the disk is full.
    """
    target = Path(path)
    if not is_writable_format(target):
        raise OutputError(
            f"{str(target)!r} has the suffix {target.suffix!r}, but OpenCV writes no such picture format; "
            "use .jpg or .png"
        )
    atomic_write_bytes(target, encode_image(image, target.suffix))


def encode_image(image: Image, suffix: str) -> bytes:
    """Return the content of a picture file.

    Args:
        image: (H, W, 3) uint8, BGR.
        suffix: Of a format that OpenCV writes (`is_writable_format`), such as ".png".

    Raises:
        InputError: The format does not hold a picture of this size.
    """
    try:
        done, encoded = cv2.imencode(suffix, image)
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise InputError(f"a picture with {width} x {height} pixels cannot be stored as {suffix!r}; use .png")
    content: bytes = encoded.tobytes()
    return content


def is_writable_format(path: Path) -> bool:
    """Say whether OpenCV writes pictures with this file's suffix."""
    # OpenCV crashes on text with lone surrogates, as of file names that are not UTF-8.
    return bool(path.suffix) and path.suffix.isascii() and cv2.haveImageWriter(f"x{path.suffix}")


def _read(path: Path) -> bytes:
    # Through Python, not cv2.imread: that fails on names outside the code page of Windows, and says nothing.
    try:
        problem = _problem(path.stat())
        data = b"" if problem else path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{str(path)!r} does not exist; give the path of a picture") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{str(path)!r} cannot be read ({error}); give a readable picture") from error
    if problem:
        raise InputError(f"{str(path)!r} {problem}")
    return data


def _problem(status: os.stat_result) -> str:
    """Say why a file cannot be a picture, or nothing."""
    if stat.S_ISDIR(status.st_mode):
        return "is a folder; give the path of one picture"
    if not stat.S_ISREG(status.st_mode):
        return "is a pipe or a device, which may never end; give the path of a picture"
    if status.st_size > MEMORY:
        return f"has {status.st_size:,} bytes, but pictures may have at most {MEMORY:,}; make it smaller"
    return ""
