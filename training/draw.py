"""Draws training material."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

PHOTOS: Final = "photos"
CROPS: Final = "crops"


def rows_file(folder: Path, kind: str) -> Path:
    """Path of the array of all pictures of a kind."""
    return folder / f"{kind}.npy"


def folders_file(folder: Path, kind: str) -> Path:
    """Path of the array that has the number of the source folder of each row of `kind`."""
    return folder / f"{kind}_folders.npy"


class Draw:
    """Random rows of `PHOTOS` or `CROPS`; each source folder is chosen equally often.

    Args:
        folder: Folder of `training.crops`.
        kind: `PHOTOS` or `CROPS`.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._rows = np.load(rows_file(folder, kind), mmap_mode="r")
        folders = np.load(folders_file(folder, kind))
        self._by_folder = [np.flatnonzero(folders == f) for f in np.unique(folders)]

    def __call__(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return one picture (H,W,3), RGB."""
        folder = self._by_folder[rng.integers(len(self._by_folder))]
        picture: NDArray[np.uint8] = self._rows[rng.choice(folder)]
        return picture
