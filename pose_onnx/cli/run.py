"""Find people and their keypoints in pictures; write annotated copies and one JSON file of everything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pose_onnx import OutputError, PoseModel, Poses
from pose_onnx.cli._drawing_options import add_drawing_options
from pose_onnx.cli._exits import exit_code
from pose_onnx.cli._options import (
    add_estimator_options,
    open_model_of,
    settings_of,
)
from pose_onnx.cli._picture_outputs import PictureOutputs, add_picture_options
from pose_onnx.cli._pictures import annotated_paths, find_pictures, load_picture
from pose_onnx.cli._run_results import RunResults, add_result_options
from pose_onnx.cli._tables import count
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.failures import failure_of
from pose_onnx.folders import Skipped
from pose_onnx.formats.results import Failure, ImageResult
from pose_onnx.mapping import map_pictures

_Job: TypeAlias = tuple[Path, Path]
"""A picture, and where its annotated copy goes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx run`."""
    add = parser.add_argument
    add("pictures", nargs="+", metavar="PHOTO|FOLDER|GLOB", help="what to look at")
    add("--recursive", action="store_true", help="look into subfolders too")
    add_estimator_options(parser)
    add_drawing_options(parser)
    add_picture_options(parser)
    add_result_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx run`."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged pictures are named by us
    skipped = Skipped()
    pictures = find_pictures(args.pictures, skipped, recursive=args.recursive)
    with open_model_of(args) as model:
        results = RunResults.open(args, settings_of(args, model), model.names)
        done = results.done()
        todo = [picture for picture in pictures if str(picture) not in done]
        taken = [*pictures, *(Path(image.picture) for image in results.images)]
        targets = annotated_paths(todo, results.folder, taken)
        outputs = PictureOutputs.of(args, results.folder)
        if not (args.overwrite or args.resume):
            results.check_new(outputs.files(targets))
        jobs = list(zip(todo, targets, strict=True))
        # All threads are at rest before the results are written.
        with results.saved(), closing(_process(model, jobs, outputs)) as found:
            for result in _with_progress(jobs, found):
                results.add(result)
    return _close(results, skipped)


def _process(
    model: PoseModel, jobs: Sequence[_Job], outputs: PictureOutputs
) -> Generator[ImageResult | Failure]:
    """Do the pictures, several at once; give each in its turn. Whatever is wrong with one is its failure.

    Raises:
        OutputError: An annotated picture cannot be written; the next one could not be either.
    """
    with closing(map_pictures(model, jobs, _load, partial(_write, outputs))) as results:
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, OutputError):
                raise result
            if isinstance(result, Exception):
                picture = str(job[0])
                yield Failure(picture, str(failure_of(picture, result)))
            else:
                yield result


def _load(job: _Job) -> Image:
    return load_picture(job[0])


def _write(outputs: PictureOutputs, job: _Job, pixels: Image, poses: Poses) -> ImageResult:
    picture, target = job
    written = outputs.write(target, pixels, poses)
    return ImageResult(str(picture), (pixels.shape[0], pixels.shape[1]), poses, written)


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


def _with_progress(
    jobs: Sequence[_Job], results: Iterator[ImageResult | Failure]
) -> Iterator[ImageResult | Failure]:
    """Pass results on, and say how each went: a bar on a terminal, else one line a picture."""
    from tqdm import tqdm  # noqa: PLC0415 (only this verb shows a bar, and not every time)

    with tqdm(results, total=len(jobs), unit="picture", disable=None if len(jobs) > 1 else True) as bar:
        for result in bar:
            yield result
            if isinstance(result, Failure):
                bar.write(f"pose-onnx: skipped: {result.error}", file=sys.stderr)
            elif bar.disable:
                found = count(len(result.poses), "person", "people")
                print(f"{result.path}: {found}{' -> ' * bool(result.picture)}{result.picture}")
