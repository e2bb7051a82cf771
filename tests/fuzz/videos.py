"""Damaged video files: cut, with changed bytes, zeroed parts, and lengths, counts and sizes that lie.

`python -m tests.fuzz.videos [VIDEOS [FIRST_SEED]]` tries many.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pose_onnx.video.sources.open import open_source
from tests.fuzz.child import Limits, Verdict, run_cases
from tests.video.clips import make_clip

FRAMES: Final = 12
SIZE: Final = (48, 64)
KINDS: Final = (
    (".mp4", "mpeg4", False), (".mp4", "mpeg4", True), (".mkv", "mpeg4", False), (".webm", "libvpx", False),
    (".avi", "mpeg4", False), (".avi", "ffv1", False), (".ts", "mpeg2video", False),
)  # fmt: skip
"""Suffix, codec, and whether the index comes first."""
MARKS: Final[dict[str, tuple[bytes, ...]]] = {
    ".mp4": tuple(
        b"ftyp moov mvhd trak tkhd edts elst mdia mdhd hdlr minf stbl stsd mp4v esds stts stsc stsz stco ctts"
        b" stss udta mdat dref vmhd".split()
    ),
    # Segment, info, time scale, length, tracks, track, width, height, default length, cluster, time, block,
    # lacing, cues, tags, codec's own data.
    ".mkv": tuple(
        number.to_bytes((number.bit_length() + 7) // 8, "big")
        for number in (
            0x18538067,
            0x1549A966,
            0x2AD7B1,
            0x4489,
            0x1654AE6B,
            0xAE,
            0xB0,
            0xBA,
            0x23E383,
            0x1F43B675,
            0xE7,
            0xA3,
            0x9C,
            0x1C53BB6B,
            0x1254C367,
            0x63A2,
        )
    ),
    ".avi": tuple(b"RIFF LIST avih strh strf movi idx1 00dc vids hdrl odml dmlh indx ix00".split()),
    ".ts": (b"\x47\x40", b"\x47\x41", b"\x00\x00\x01\xe0", b"\x00\x00\x01\xb3", b"\x00\x00\x01\x00"),
}
MARKS[".webm"] = MARKS[".mkv"]
"""What fields stand behind, by suffix."""
REACH: Final = 40
"""Bytes behind a mark in which a field is changed."""
NUMBERS: Final = (
    0, 1, 2, 7, 11, 13, 100, 0x7F, 0xFF, 0x7FFF, 0x3FFF, 0xFFFF,
    2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1,
)  # fmt: skip
LIMITS: Final = Limits(seconds=120)
"""Of one video: a dozen pictures of 50 million pixels may be right, and take so long on a busy machine."""
CUT: Final = 0.25
"""Share of the files that are cut and nothing else."""
PROMISES: Final = (".mp4", ".mkv", ".webm", ".avi")
"""Containers that say how long they are, wherever they are cut; a transport stream has no such place."""


class Case(NamedTuple):
    """One damaged file.

    Attributes:
        suffix: Of its name.
        promised: Frames that its container promises, where nothing but its end is missing; else 0.
        content: Its bytes.
    """

    suffix: str
    promised: int
    content: bytes


def case(seed: int) -> bytes:
    """Return a damaged video, with its suffix and promise in front."""
    chance = random.Random(seed)  # noqa: S311 (the same cases every time)
    kind = KINDS[seed % len(KINDS)]
    data = bytearray(clip(*kind))
    promised = FRAMES if kind[0] in PROMISES else 0
    if chance.random() < CUT:
        del data[chance.randrange(1, len(data)) :]
    else:
        promised = 0
        for _ in range(chance.choice((1, 1, 2, 4, 10))):
            damage(data, MARKS[kind[0]], chance)
    return f"{kind[0]} {promised} ".encode() + bytes(data)


@functools.cache
def clip(suffix: str, codec: str, index_first: bool) -> bytes:
    """Return a video of a few moving pictures."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (SIZE[0], SIZE[1] + FRAMES, 3), np.uint8)
    images = [np.ascontiguousarray(noise[:, at : at + SIZE[1]]) for at in range(FRAMES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"
        return make_clip(path, images, codec=codec, faststart=index_first).read_bytes()


def damage(data: bytearray, marks: tuple[bytes, ...], chance: random.Random) -> None:
    """Change a field behind a mark, or bytes anywhere; zero, double, remove or swap a piece."""
    place = chance.randrange(len(data) - 1)
    length = min(chance.choice((1, 4, 16, 188, 1000)), len(data) - place)
    match chance.choice("fffffffbzdrs"):
        case "f":
            _change_field(data, marks, chance)
        case "b":
            data[place : place + length] = chance.randbytes(length)
        case "z":
            data[place : place + length] = bytes(length)
        case "d":
            data[place:place] = data[place : place + length]
        case "r" if len(data) > length + 1000:
            del data[place : place + length]
        case _:
            other = chance.randrange(len(data) - length + 1)
            data[place : place + length] = data[other : other + length]


def _change_field(data: bytearray, marks: tuple[bytes, ...], chance: random.Random) -> None:
    """Write a number of 1 to 8 bytes in front of a mark, where sizes are, or behind it."""
    present = [mark for mark in marks if mark in data]
    if not present:
        return
    mark = chance.choice(present)
    found = [at for at in range(len(data)) if data.startswith(mark, at)]
    at = chance.choice(found)
    width = chance.choice((1, 2, 4, 4, 8))
    field = at - width if chance.random() < 0.2 else at + len(mark) + chance.randrange(REACH)
    field = max(0, min(field, len(data) - width))
    number = chance.choice(NUMBERS) if chance.random() < 0.8 else chance.getrandbits(8 * width)
    data[field : field + width] = (number % 256**width).to_bytes(width, chance.choice(("big", "little")))


def read(content: bytes) -> None:
    """Take every frame of a video; fail if what is said of them does not hold together."""
    suffix, promised, data = content.split(b" ", 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video{suffix.decode()}"
        path.write_bytes(data)
        with open_source(path) as source:
            last, previous, frames = -1, -1.0, 0
            for index, seconds, image in source:
                assert index > last, f"frame {index} after {last}"
                assert isfinite(seconds), f"frame {index} at {seconds}"
                assert seconds > previous, f"frame {index} at {seconds} after {previous}"
                assert image.dtype == np.uint8
                assert image.ndim == 3
                last, previous, frames = index, seconds, frames + 1
            assert source.skipped >= 0
            assert source.missing >= 0
            lost = source.skipped + source.missing
    if int(promised) and frames < int(promised):
        assert lost, f"{frames} of {int(promised)} frames came, and none is said to be lost"


def failures(seeds: Iterable[int]) -> Iterator[tuple[int, Verdict]]:
    """Yield each seed with what became of its video."""
    os.environ.setdefault("OPENCV_FFMPEG_THREADS", "1")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    seeds = list(seeds)
    yield from zip(seeds, run_cases("tests.fuzz.videos:read", map(case, seeds), LIMITS), strict=True)


def main() -> int:
    """Try many seeds; print what fails."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    total, first = (*numbers, *(5_000, 0)[len(numbers) :])
    failed = refused = 0
    for seed, verdict in failures(range(first, first + total)):
        refused += bool(verdict.refusal)
        if verdict.failure:
            failed += 1
            print(f"seed {seed}: {verdict.failure}", flush=True)  # noqa: T201
    print(f"{total} videos, {refused} refused, {failed} failed")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
