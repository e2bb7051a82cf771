"""The files written for each picture: the annotated copy and the crops."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from pose_onnx import Poses, draw_poses
from pose_onnx.cli._drawing_options import drawing_of
from pose_onnx.core.arrays import Image
from pose_onnx.errors import OutputError
from pose_onnx.files import cannot_write, make_folder
from pose_onnx.image_files import write_image

_CROPS: Final = "crops"


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options for written pictures."""
    add = parser.add_argument
    add("--no-pictures", action="store_true", help="write no annotated pictures, only the results")
    add(
        "--save-crop",
        action="store_true",
        help=f"save a crop of each box of a photo, without drawings, in the folder {_CROPS!r} of the results",
    )


@dataclass(frozen=True, slots=True)
class PictureOutputs:
    """The values of the options of `add_picture_options` and of the drawing options.

    Attributes:
        drawing: Options of `draw_poses`; `None` if no annotated copy is wanted.
        crops: Folder of the crops of people; `None` if they are not wanted.
    """

    drawing: dict[str, Any] | None
    crops: Path | None

    @classmethod
    def of(cls, args: argparse.Namespace, folder: Path) -> PictureOutputs:
        """Read the options; `folder` is that of the results."""
        drawing = None if args.no_pictures else drawing_of(args)
        return cls(drawing, folder / _CROPS if args.save_crop else None)

    def files(self, targets: Iterable[Path]) -> list[Path]:
        """Return which of the given annotated copies and existing crops would be overwritten."""
        copies = [] if self.drawing is None else list(targets)
        there = self.crops.iterdir() if self.crops and self.crops.is_dir() else ()
        return [*copies, *there]

    def write(self, target: Path, pixels: Image, poses: Poses) -> str:
        """Write all requested files of one picture.

        Args:
            target: Where its annotated copy goes; crops are named after it.
            pixels: (H, W, 3) uint8, BGR.
            poses: Found in it.

        Returns:
            Path of the annotated copy; empty if none was written.

        Raises:
            InputError: The format does not support a picture of this size.
            OutputError: A file cannot be written.
        """
        if self.crops:
            _write_crops(make_folder(self.crops) / target.name, pixels, poses)
        if self.drawing is None:
            return ""
        write_image(target, draw_poses(pixels, poses, **self.drawing))
        return str(target)


def _write_crops(name: Path, pixels: Image, poses: Poses) -> None:
    """Write a crop of each box beside a file name, and delete surplus crops of an earlier run."""
    for number, crop in _cut_out(pixels, poses):
        write_image(_numbered(name, number), crop)
    for number in count(len(poses) + 1):
        old = _numbered(name, number)
        try:
            old.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(cannot_write(old, error)) from error


def _numbered(name: Path, number: int) -> Path:
    return name.with_name(f"{name.stem}-{number}{name.suffix}")


def _cut_out(pixels: Image, poses: Poses) -> Iterator[tuple[int, Image]]:
    """Yield the crop of each person's box with the person's number from 1; skip boxes outside the image."""
    limits = np.array(pixels.shape[1::-1])
    for number, box in enumerate(np.nan_to_num(poses.boxes), start=1):
        (left, top), (right, bottom) = np.rint(box.reshape(2, 2)).clip(0, limits).astype(int)
        if left < right and top < bottom:
            yield number, pixels[top:bottom, left:right]
