"""Find people and their keypoints in pictures; write annotated copies and one JSON file of everything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError, PoseEstimator, draw_poses, load_image
from pose_onnx.cli._options import (
    add_estimator_options,
    add_min_score_option,
    estimator_of,
    estimator_settings,
)
from pose_onnx.cli._pictures import annotated_paths, find_pictures
from pose_onnx.cli._tables import count
from pose_onnx.core.opencv import cv2
from pose_onnx.files import atomic_write_bytes, make_folder
from pose_onnx.formats import write_csv_rows
from pose_onnx.formats.results import Failure, ImageResult, results_json
from pose_onnx.image_files import write_image

DEFAULT_OUT: Final = "pose-onnx-out"
RESULTS_NAME: Final = "poses.json"
EXIT_SOME_FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx run`."""
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PHOTO|FOLDER|GLOB", help="what to look at")
    add_estimator_options(parser)
    add_min_score_option(parser)
    add("--out", default=DEFAULT_OUT, metavar="DIR", help="folder for the results (default: %(default)s)")
    add("--json", metavar="FILE", help=f"where to write the JSON (default: {RESULTS_NAME} in the folder)")
    add("--csv", metavar="FILE", help="write a table too: a row for each person")


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx run`."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged pictures are named by us
    pictures = find_pictures(args.pictures)
    out = make_folder(args.out)
    targets = annotated_paths(pictures, out)
    with estimator_of(args) as estimator:
        results = _Results(
            estimator_settings(args, estimator),
            estimator.names,
            Path(args.json) if args.json else out / RESULTS_NAME,
            Path(args.csv) if args.csv else None,
        )
        with results.saved():
            for picture, target in _with_progress(list(zip(pictures, targets, strict=True)), results):
                try:
                    results.images.append(_process(estimator, picture, target, args.min_score))
                except InputError as error:  # noqa: PERF203 (one bad picture must not end the run)
                    results.failures.append(Failure(str(picture), str(error)))
    people = sum(len(image.poses) for image in results.images)
    print(f"{count(len(results.images), 'picture')}, {count(people, 'person', 'people')}: {out}")
    if results.failures:
        total = count(len(pictures), "picture")
        print(f"pose-onnx: {len(results.failures)} of {total} could not be used", file=sys.stderr)
        return EXIT_SOME_FAILED
    return 0


@dataclass(slots=True)
class _Results:
    settings: dict[str, Any]
    keypoint_names: tuple[str, ...]
    document: Path
    table: Path | None
    images: list[ImageResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Write what there is, however the work inside ends; and at once, to fail before it if need be."""
        self._save()
        try:
            yield
        finally:
            self._save()

    def _save(self) -> None:
        make_folder(self.document.parent)
        text = results_json(self.settings, self.images, self.failures)
        # A file name that is no UTF-8 holds lone surrogates, which JSON writes as a backslash and their code.
        atomic_write_bytes(self.document, text.encode(errors="backslashreplace"))
        if self.table:
            make_folder(self.table.parent)
            people = (({"picture": image.path}, image.poses) for image in self.images)
            write_csv_rows(self.table, ["picture"], people, self.keypoint_names)


def _process(estimator: PoseEstimator, picture: Path, target: Path, min_score: float) -> ImageResult:
    pixels = load_image(picture)
    poses = estimator(pixels)
    write_image(target, draw_poses(pixels, poses, min_score=min_score))
    return ImageResult(str(picture), (pixels.shape[0], pixels.shape[1]), poses, str(target))


def _with_progress(jobs: list[tuple[Path, Path]], results: _Results) -> Iterator[tuple[Path, Path]]:
    """Give each job, and say how it went: a bar on a terminal, else one line a picture."""
    from tqdm import tqdm  # noqa: PLC0415 (only this verb shows a bar, and not every time)

    with tqdm(jobs, unit="picture", disable=None if len(jobs) > 1 else True) as bar:
        for job in bar:
            failures = len(results.failures)
            yield job
            if len(results.failures) > failures:
                bar.write(f"pose-onnx: skipped: {results.failures[-1].error}", file=sys.stderr)
            elif bar.disable:
                found = count(len(results.images[-1].poses), "person", "people")
                print(f"{job[0]}: {found} -> {job[1]}")
