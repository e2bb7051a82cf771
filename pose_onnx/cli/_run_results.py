"""Result files of `pose-onnx run`, and protection of earlier results."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError
from pose_onnx.cli._options import add_angles_option, angles_of
from pose_onnx.core.angles import Triple
from pose_onnx.files import atomic_write_bytes, has_repeats, make_folder, remove_parts
from pose_onnx.formats import write_csv_rows
from pose_onnx.formats.results import Failure, ImageResult, VideoResult, read_results, results_json

DEFAULT_OUT: Final = "pose-onnx-out"
RESULTS_NAME: Final = "poses.json"
_RUN: Final = re.compile(r"run([1-9][0-9]{0,8})")
_SAVE_EVERY_S: Final = 30.0
"""The most that a killed run loses; all results are written each time."""


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options for the result files."""
    add = parser.add_argument
    new = f"{DEFAULT_OUT}/run1, run2, ..."
    add("--out", metavar="DIR", help=f"folder for the results (default: a new one, {new})")
    add("--json", metavar="FILE", help=f"where to write the JSON (default: {RESULTS_NAME} in the folder)")
    add(
        "--csv",
        metavar="FILE",
        help=(
            "also write a table of the pictures with one row per person, and a table of each video in "
            "the folder"
        ),
    )
    add_angles_option(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--overwrite", action="store_true", help="replace existing results")
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue existing results (default folder: the newest one) and skip the pictures in them",
    )


@dataclass(slots=True)
class RunResults:
    """The results of a run.

    Attributes:
        folder: Where annotated pictures go.
        document: The JSON file.
        table: The CSV file, if one is wanted.
        angles: Angles that have columns in the table.
        settings: Settings of the run.
        keypoint_names: Keypoint names of its model.
        images: Results of pictures.
        videos: Results of videos, cameras and streams.
        failures: Inputs that could not be used.
        before: How many of `images` come from an earlier run.
    """

    folder: Path
    document: Path
    table: Path | None
    angles: Mapping[str, Triple]
    settings: dict[str, Any]
    keypoint_names: tuple[str, ...]
    images: list[ImageResult] = field(default_factory=list)
    videos: list[VideoResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    before: int = 0
    _saved_at: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, args: argparse.Namespace, settings: dict[str, Any], names: tuple[str, ...]) -> RunResults:
        """Choose the files by the options of `add_result_options`, and read the results to resume.

        Raises:
            InputError: The results to resume are damaged or have other settings, the JSON and the table have
                one name, or an angle is unknown.
            OutputError: The folder cannot be created.
        """
        angles = angles_of(args, names)
        folder = make_folder(args.out) if args.out else _own_folder(resume=args.resume)
        document = Path(args.json) if args.json else folder / RESULTS_NAME
        results = cls(folder, document, Path(args.csv) if args.csv else None, angles, settings, names)
        if has_repeats(results._files):
            raise InputError(f"{args.csv!r} is both the JSON and the table; give each its own name")
        for path in results._files:
            remove_parts(path)
        if args.resume and document.exists():
            results._resume()
        return results

    def done(self) -> set[str]:
        """Return the paths of the pictures and videos that are in the results."""
        return {image.path for image in self.images} | {video.path for video in self.videos}

    @property
    def places(self) -> list[Path]:
        """Where the results are: the folder, and files outside it."""
        return [self.folder, *(path for path in self._files if path.parent != self.folder)]

    @property
    def _files(self) -> list[Path]:
        return [self.document, *([self.table] if self.table else [])]

    def check_new(self, targets: Iterable[Path]) -> None:
        """Refuse to overwrite files.

        Raises:
            InputError: The JSON, the table or one of these files already exists.
        """
        for path in (*self._files, *targets):
            if path.is_file():
                raise InputError(
                    f"{str(path)!r} already exists; choose another folder, continue it with --resume, or "
                    "replace it with --overwrite"
                )

    def add(self, result: ImageResult | VideoResult | Failure) -> None:
        """Add a result, and write all results from time to time."""
        kinds: dict[type, list[Any]] = {
            ImageResult: self.images,
            VideoResult: self.videos,
            Failure: self.failures,
        }
        kinds[type(result)].append(result)
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self._save()

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Write the results at once, to fail early, and again however the work inside ends."""
        self._save()
        try:
            yield
        finally:
            self._save()

    def _resume(self) -> None:
        settings, self.images, videos = read_results(self.document)
        if others := sorted(
            name for name in settings.keys() | self.settings if settings.get(name) != self.settings.get(name)
        ):
            raise InputError(
                f"{str(self.document)!r} has results with other settings ({', '.join(others)}); give the "
                "same settings, or another --out"
            )
        self.before = len(self.images)
        self.videos = [video for video in videos if video.complete]

    def _save(self) -> None:
        make_folder(self.document.parent)
        text = results_json(self.settings, self.images, self.failures, self.videos)
        # A file name that is not UTF-8 holds lone surrogates; JSON writes a backslash and their code.
        atomic_write_bytes(self.document, text.encode(errors="backslashreplace"))
        if self.table:
            make_folder(self.table.parent)
            people = (({"picture": image.path}, image.poses) for image in self.images)
            write_csv_rows(self.table, ["picture"], people, self.keypoint_names, angles=self.angles)
        self._saved_at = time.monotonic()


def _own_folder(*, resume: bool) -> Path:
    """Return the newest numbered folder, or create the one after it."""
    base = make_folder(DEFAULT_OUT)
    numbers = [int(match[1]) for path in base.iterdir() if (match := _RUN.fullmatch(path.name))]
    newest = max(numbers, default=0)
    if resume and newest:
        return base / f"run{newest}"
    while True:
        newest += 1
        try:
            (base / f"run{newest}").mkdir()
        except FileExistsError:  # another run created it first
            continue
        return base / f"run{newest}"
