"""A picture's declared size is read before anything is allocated for it, in every format."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_onnx import InputError, decode_image, load_image
from pose_onnx.core import picture_sizes

WIDTH, HEIGHT = 61, 40
WRITERS = (
    ".jpg", ".png", ".webp", ".bmp", ".gif", ".tiff", ".ppm", ".pgm", ".pbm", ".pam", ".pfm", ".ras", ".hdr",
    ".jp2", ".avif",
)  # fmt: skip


def encoded(suffix: str, *options: int, channels: int = 3) -> bytes:
    if not cv2.haveImageWriter(f"x{suffix}"):
        pytest.skip(f"this OpenCV does not write {suffix}")
    image = np.zeros((HEIGHT, WIDTH, channels), np.uint8)
    image[::3] = 200
    data = image.astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else image
    if suffix in (".pgm", ".pbm"):
        data = data[:, :, 0]
    ok, content = cv2.imencode(suffix, data, options)
    assert ok
    return content.tobytes()


def png(width: int, height: int) -> bytes:
    """Return a PNG that declares a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """Return the small JPEG with another size in its frame header."""
    data = bytearray(encoded(".jpg"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def webp(width: int, height: int) -> bytes:
    body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + body


def tiff(width: int, height: int, *, order: str = "<", big: bool = False, tiles: bool = False) -> bytes:
    """Return a TIFF whose picture, or whose tiles, have a size."""
    sides = {256: 1, 257: 1, 322: width, 323: height} if tiles else {256: width, 257: height}
    start = b"II" if order == "<" else b"MM"
    if big:
        head = start + struct.pack(f"{order}HHHQQ", 43, 8, 0, 16, len(sides))
        entries = [struct.pack(f"{order}HHQQ", tag, 16, 1, side) for tag, side in sides.items()]
    else:
        head = start + struct.pack(f"{order}HIH", 42, 8, len(sides))
        entries = [struct.pack(f"{order}HHII", tag, 4, 1, side) for tag, side in sides.items()]
    return head + b"".join(entries) + bytes(8)


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_size_is_what_opencv_decodes(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(suffix)
    assert decode_image(data).shape == (HEIGHT, WIDTH, 3)
    kind = next(each for each in picture_sizes._FORMATS if each.start.match(data))
    assert kind.size(data) == (WIDTH, HEIGHT)
    monkeypatch.setattr(picture_sizes, "MEMORY", WIDTH * HEIGHT * kind.cost - 1)
    with pytest.raises(InputError, match=f"{kind.name} with {WIDTH} x {HEIGHT} pixels, but at most"):
        decode_image(data)


def test_other_kinds_of_the_same_formats() -> None:
    cases = [
        encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 50, channels=4),
        encoded(".png", channels=4),
    ]
    for data in cases:
        assert decode_image(data).shape == (HEIGHT, WIDTH, 3)
        kind = next(each for each in picture_sizes._FORMATS if each.start.match(data))
        assert kind.size(data) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(40_000, 30_000),
        png(2**31 - 1, 1),
        png(60_000, 60_000),
        bmp(40_000, 40_000),
        bmp(40_000, -40_000),
        gif(65_535, 65_535),
        webp(2**24, 2**24),
        tiff(40_000, 40_000),
        tiff(40_000, 40_000, order=">"),
        tiff(2**40, 2**40, big=True),
        tiff(2**40, 2**40, order=">", big=True),
        tiff(40_000, 40_000, tiles=True),
        b"P6\n# made by hand\n40000\t40000\n255\n",
        b"P7\nWIDTH 40000\nHEIGHT 40000\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n",
        b"PF\n40000 40000\n-1.0\n",
        b"\x59\xa6\x6a\x95" + struct.pack(">7I", 40_000, 40_000, 24, 0, 1, 0, 0),
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 40000 +X 40000\n",
        b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 47, 0, 40_000, 40_000, 0, 0, 9, 9, 0, 0, 3),
        b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 47, 0, 4_000, 4_000, 0, 0, 9, 9, 0, 0, 16_384),
        b"\0\0\0\x1cftypavif" + bytes(16) + b"\0\0\0\x14ispe" + struct.pack(">III", 0, 40_000, 40_000),
    ],
)  # fmt: skip
def test_a_picture_larger_than_the_budget_is_not_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(
        InputError, match=r"'the picture' is a .* pixels, but at most \d+ million can be read"
    ) as caught:
        load_image(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", WRITERS)
def test_cut_headers_are_one_sentence(suffix: str) -> None:
    data = encoded(suffix)
    for length in range(1, 32):
        with pytest.raises(InputError, match=r"damaged|ends early|cannot be decoded"):
            decode_image(data[:length])


def test_a_png_chunk_that_reaches_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV allocates it: 2 GB for a small file."""
    data = bytearray(encoded(".png"))
    place = data.index(b"IDAT")
    data[place - 4 : place] = struct.pack(">I", 2**31 - 1)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match="damaged PNG"):
        decode_image(bytes(data))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    pipe, link, huge = tmp_path / "pipe.jpg", tmp_path / "zero.png", tmp_path / "huge.png"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    with huge.open("wb") as file:
        file.truncate(2**32)  # no block of the disk is used
    for path, reason in (
        (pipe, "a pipe or a device"),
        (link, "a pipe or a device"),
        (huge, "4,294,967,296 bytes"),
    ):
        with pytest.raises(InputError, match=reason):
            load_image(path)
