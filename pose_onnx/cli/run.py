"""Find people and their keypoints in pictures; write annotated copies and one JSON file of everything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pose_onnx import OutputError, PoseEstimator, draw_poses
from pose_onnx.cli._exits import exit_code
from pose_onnx.cli._options import (
    add_estimator_options,
    add_min_score_option,
    estimator_of,
    estimator_settings,
)
from pose_onnx.cli._pictures import annotated_paths, find_pictures, load_picture
from pose_onnx.cli._run_results import RunResults, add_result_options
from pose_onnx.cli._tables import count
from pose_onnx.core.opencv import cv2
from pose_onnx.failures import failure_of
from pose_onnx.folders import Skipped
from pose_onnx.formats.results import Failure, ImageResult
from pose_onnx.image_files import write_image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx run`."""
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PHOTO|FOLDER|GLOB", help="what to look at")
    add("--recursive", action="store_true", help="look into subfolders too")
    add_estimator_options(parser)
    add_min_score_option(parser)
    add_result_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx run`."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged pictures are named by us
    skipped = Skipped()
    pictures = find_pictures(args.pictures, skipped, recursive=args.recursive)
    with estimator_of(args) as estimator:
        settings = estimator_settings(args, estimator)
        results = RunResults.open(args, settings, estimator.names)
        done = results.done()
        todo = [picture for picture in pictures if str(picture) not in done]
        taken = [*pictures, *(Path(image.picture) for image in results.images)]
        targets = annotated_paths(todo, results.folder, taken)
        if not (args.overwrite or args.resume):
            results.check_new(targets)
        with results.saved():
            for picture, target in _with_progress(list(zip(todo, targets, strict=True)), results):
                results.add(_process(estimator, picture, target, args.min_score))
    return _close(results, skipped)


def _process(
    estimator: PoseEstimator, picture: Path, target: Path, min_score: float
) -> ImageResult | Failure:
    """Do one picture; whatever is wrong with it is its failure.

    Raises:
        OutputError: The annotated picture cannot be written; the next one could not be either.
    """
    try:
        pixels = load_picture(picture)
        poses = estimator(pixels)
        write_image(target, draw_poses(pixels, poses, min_score=min_score))
    except OutputError:
        raise
    except Exception as error:  # noqa: BLE001 (one picture must not end the run)
        return Failure(str(picture), str(failure_of(str(picture), error)))
    return ImageResult(str(picture), (pixels.shape[0], pixels.shape[1]), poses, str(target))


def _close(results: RunResults, skipped: Skipped) -> int:
    """Say how it went."""
    people = sum(len(image.poses) for image in results.images)
    before = f" ({results.before} were done before)" if results.before else ""
    pictures = count(len(results.images), "picture")
    print(f"{pictures}{before}, {count(people, 'person', 'people')}: {results.folder}")
    if skipped:
        print(f"skipped: {skipped}")
    if results.failures:
        total = count(len(results.images) + len(results.failures), "picture")
        print(f"pose-onnx: {len(results.failures)} of {total} could not be used", file=sys.stderr)
    return exit_code(len(results.images), len(results.failures))


def _with_progress(jobs: list[tuple[Path, Path]], results: RunResults) -> Iterator[tuple[Path, Path]]:
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
