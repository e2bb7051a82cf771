"""Training pictures on disk: JPEGs one after another in one file, written once and drawn at random.

They stay in the page cache that way: 30,385 photos and 64,558 crops take 2.7 GB, as raw pixels 19.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2

PHOTOS: Final = "photos"
CROPS: Final = "crops"
JPEG_QUALITY: Final = 95
JPEG_444: Final = 0x111111  # colour at full resolution, as OpenCV writes the sampling factors


def _file(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.jpgs"


def _offsets_file(folder: Path, kind: str) -> Path:
    return folder / f"{kind}_offsets.npy"


def _folders_file(folder: Path, kind: str) -> Path:
    return folder / f"{kind}_folders.npy"


@contextmanager
def store(folder: Path, kind: str) -> Iterator[Callable[[Image, int], None]]:
    """Open the file of one kind of pictures for writing.

    Args:
        folder: Where to write, an existing folder.
        kind: `PHOTOS` or `CROPS`.

    Yields:
        A function that writes a picture (H,W,3), BGR, of the source folder with the given number.
    """
    for index in (_offsets_file(folder, kind), _folders_file(folder, kind)):
        index.unlink(missing_ok=True)  # of an earlier run: after an interruption, it would not fit
    offsets, sources = [0], list[int]()
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, JPEG_444]
    with _file(folder, kind).open("wb") as file:

        def append(picture_bgr: Image, source: int) -> None:
            file.write(cv2.imencode(".jpg", picture_bgr, options)[1].tobytes())
            offsets.append(file.tell())
            sources.append(source)

        yield append
    np.save(_offsets_file(folder, kind), np.array(offsets))
    np.save(_folders_file(folder, kind), np.array(sources))


class Draw:
    """Random pictures of one kind; each source folder is chosen equally often.

    Args:
        folder: Folder of `training.crops`.
        kind: `PHOTOS` or `CROPS`.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._bytes = np.memmap(_file(folder, kind), np.uint8, "r")
        self._offsets = np.load(_offsets_file(folder, kind))
        folders = np.load(_folders_file(folder, kind))
        self._by_folder = [np.flatnonzero(folders == f) for f in np.unique(folders)]

    def __call__(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return one picture (H,W,3), RGB."""
        row = rng.choice(self._by_folder[rng.integers(len(self._by_folder))])
        jpeg = np.asarray(self._bytes[self._offsets[row] : self._offsets[row + 1]])
        picture: Image = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return picture
