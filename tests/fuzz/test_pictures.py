"""Pictures with damaged or lying headers: read, or refused in one sentence, within the limits of the child.

`python -m tests.fuzz.test_pictures 20000` tries more of them.
"""

from __future__ import annotations

import os
import random
import struct
import sys
import zlib
from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
import pytest

from pose_onnx import decode_image
from tests.core.test_picture_sizes import bmp, gif, jpeg, png, tiff
from tests.fuzz.child import run_cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")

COUNT = 300
READER = "tests.fuzz.test_pictures:read"
SUFFIXES = (
    ".jpg",
    ".png",
    ".webp",
    ".bmp",
    ".gif",
    ".tiff",
    ".ppm",
    ".pam",
    ".pfm",
    ".ras",
    ".hdr",
    ".jp2",
    ".avif",
)
PNG = b"\x89PNG\r\n\x1a\n"
HEADER = 160
"""Bytes in which most changes are made: sizes, kinds and tables stand there."""
HUGE = 32_760
"""Pixels of a side; a picture of that is just small enough for OpenCV, which takes 7 GB for it."""
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")


def read(case: bytes) -> None:
    """Decode as `load_image` does."""
    cv2.setNumThreads(1)
    image = decode_image(case)
    assert image.dtype == np.uint8
    assert image.ndim == 3


def mutants(seed: int) -> Iterator[bytes]:
    """Give damaged pictures of every format interleaved, forever."""
    chance = random.Random(seed)  # noqa: S311 (the same cases every time)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 61, 3), np.uint8)
    originals = [encoded(suffix, pixels) for suffix in SUFFIXES if cv2.haveImageWriter(f"x{suffix}")]
    yield from (lie(HUGE, HUGE) for lie in (jpeg, gif, png, bmp, tiff))
    while True:
        for original in originals:
            data = bytearray(original)
            for _ in range(chance.randint(1, 4)):
                damage(data, chance)
            if data.startswith(PNG):  # or libpng would look no further
                data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
            yield bytes(data)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    data = pixels.astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else pixels
    _, content = cv2.imencode(suffix, data)
    return content.tobytes()


def damage(data: bytearray, chance: random.Random) -> None:
    """Write a number of 1, 2 or 4 bytes somewhere, mostly in the header; or cut, or repeat a piece."""
    if len(data) < 16:
        return
    place = chance.randrange(min(HEADER, len(data) - 8) if chance.random() < 0.8 else len(data) - 8)
    kind = chance.random()
    if kind < 0.75:
        layout = chance.choice(["B", "<H", ">H", "<I", ">I"])
        number = chance.choice(NUMBERS) if chance.random() < 0.7 else chance.getrandbits(32)
        field = struct.pack(layout, number % (1 << 8 * struct.calcsize(layout))) * chance.choice((1, 2))
        data[place : place + len(field)] = field  # a width and a height are mostly neighbours
    elif kind < 0.9:
        digits = [at for at in range(min(HEADER, len(data))) if data[at : at + 1].isdigit()]
        if digits:  # formats whose sizes are text
            at = chance.choice(digits)
            data[at : at + 1] = str(chance.choice(NUMBERS)).encode()
    elif kind < 0.95:
        del data[place:]
    else:
        data[place:place] = data[place : place + chance.randrange(64)]


def failures(count: int, seed: int = 0) -> list[str]:
    """Return what went wrong with the first so many mutants."""
    cases = list(islice(mutants(seed), count))
    verdicts = run_cases(READER, cases)
    return [
        f"{case[:HEADER]!r}: {verdict.failure}"
        for case, verdict in zip(cases, verdicts, strict=True)
        if verdict.failure
    ]


def test_damaged_pictures_hurt_nobody() -> None:
    assert failures(COUNT) == []


if __name__ == "__main__":
    found = failures(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write("\n".join([f"{len(found)} failures", *found[:20]]) + "\n")
    sys.exit(bool(found))
