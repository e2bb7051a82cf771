"""File names for the results of `pose-onnx run`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from pose_onnx.files import cut_name
from pose_onnx.image_files import is_writable_format

_MARK: Final = "_pose"
_FALLBACK_SUFFIX: Final = ".jpg"
_LONGEST: Final = 230
"""Bytes in a name. Most file systems take 255; crops and an unfinished video's folder add some."""


class Targets:
    """Assigns paths in one folder, all different and none equal to a given file.

    Args:
        folder: Where results go.
        not_over: Paths that must not be overwritten.
    """

    def __init__(self, folder: Path, not_over: Iterable[Path]) -> None:
        self._folder = folder
        self._taken = {_place(path) for path in not_over}

    def of_picture(self, file: Path) -> Path:
        """Return where a picture's annotated copy goes."""
        (target,) = self.of(file, [file.suffix if is_writable_format(file) else _FALLBACK_SUFFIX])
        return target

    def of(self, file: Path, suffixes: Sequence[str]) -> list[Path]:
        """Return where several results of one source go: the same name, with each suffix."""
        for copy in count(1):
            ends = [f"{_MARK}-{copy}{suffix}" if copy > 1 else f"{_MARK}{suffix}" for suffix in suffixes]
            stem = cut_name(file.stem, _LONGEST - max(len(os.fsencode(end)) for end in ends))
            targets = [self._folder / f"{stem}{end}" for end in ends]
            places = {_place(target) for target in targets}
            if not places & self._taken:
                break
        self._taken |= places
        return targets


def _place(path: Path) -> str:
    """Return where a path leads, without regard to case, as some file systems compare."""
    return os.path.realpath(path).lower()
