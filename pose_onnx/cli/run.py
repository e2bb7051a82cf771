"""Find people and their keypoints in photos, folders, videos, cameras, streams and web addresses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pose_onnx import OutputError, PoseModel, Poses
from pose_onnx.bench import StageClock, watched
from pose_onnx.cli import video as video_verb
from pose_onnx.cli._drawing_options import add_drawing_options
from pose_onnx.cli._exits import exit_code
from pose_onnx.cli._follow import Followed, follow, followed_before, silence
from pose_onnx.cli._options import (
    add_estimator_options,
    open_model_of,
    settings_of,
)
from pose_onnx.cli._picture_outputs import PictureOutputs, add_picture_options
from pose_onnx.cli._run_results import RunResults, add_result_options
from pose_onnx.cli._run_times import OWN_FUNCTIONS, times
from pose_onnx.cli._sources import Moving, Picture, Sources
from pose_onnx.cli._tables import count
from pose_onnx.cli._targets import Targets
from pose_onnx.cli._video_outputs import check_outputs, is_done
from pose_onnx.core.arrays import Image
from pose_onnx.failures import failure_of
from pose_onnx.formats.results import Failure, ImageResult, VideoResult
from pose_onnx.mapping import map_pictures

_VIDEO_SUFFIXES: Final = (".mp4", ".jsonl", ".csv")
"""Outputs of each video, camera or stream: annotated video, JSON Lines, and a table if requested."""
_Job: TypeAlias = tuple[Picture, Path]
"""A picture, and where its annotated copy goes."""
_VideoJob: TypeAlias = tuple[Moving, argparse.Namespace]
"""A video, camera or stream, and its options for `pose-onnx video`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx run`."""
    add = parser.add_argument
    add(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="photo, folder, pattern such as 'photos/*.jpg', video, camera number, stream, http(s) "
        "address, or - for a photo or video on standard input",
    )
    add("--recursive", action="store_true", help="also look into subfolders")
    add_estimator_options(parser)
    add_drawing_options(parser)
    add_picture_options(parser)
    add_result_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx run`."""
    silence()
    with ExitStack() as stack:
        sources = Sources.find(args.sources, stack, recursive=args.recursive)
        model = stack.enter_context(open_model_of(args))
        results = RunResults.open(args, settings_of(args, model), model.names)
        outputs = PictureOutputs.of(args, results.folder)
        jobs, video_jobs = _plan(args, sources, results, outputs)
        clock = StageClock()
        stack.enter_context(results.saved())
        stack.enter_context(watched(clock, [model], OWN_FUNCTIONS))
        _do_pictures(model, jobs, outputs, results)
        done = len(results.images) - results.before
        report = [times(clock, done, "picture")] if done else []
        clock.restart()
        followed = list(_do_videos(model, video_jobs, results))
        if frames := sum(each.frames for each in followed):
            report.append(times(clock, frames, "frame"))
    _close(results, sources, report)
    return _code(results, followed)


def _plan(
    args: argparse.Namespace, sources: Sources, results: RunResults, outputs: PictureOutputs
) -> tuple[list[_Job], list[_VideoJob]]:
    """Return the work to do and its output paths.

    Raises:
        InputError: Results of an earlier run would be overwritten.
    """
    done = results.done()
    made = (path for result in results.images for path in (result.path, result.picture))
    targets = Targets(results.folder, [*sources.files, *map(Path, made)])
    jobs = [(each, targets.of_picture(each.file)) for each in sources.pictures if each.name not in done]
    # Finished inputs keep their names.
    named = [(each, targets.of(each.file, _VIDEO_SUFFIXES)) for each in sources.moving]
    if not (args.overwrite or args.resume):
        copies = outputs.files(target for _, target in jobs)
        results.check_new(copies + [path for _, paths in named for path in paths])
    todo = [(each, _video_options(args, each, paths)) for each, paths in named if each.name not in done]
    return jobs, todo


def _video_options(args: argparse.Namespace, moving: Moving, targets: Sequence[Path]) -> argparse.Namespace:
    """Return the options for `pose-onnx video`: its defaults, and the options that both commands have."""
    parser = argparse.ArgumentParser()
    video_verb.add_arguments(parser)
    defaults = vars(parser.parse_args(["--", moving.source]))
    shared = {option: value for option, value in vars(args).items() if option in defaults}
    out, lines, table = map(str, targets)
    outputs = {"out": None if args.no_pictures else out, "jsonl": lines, "csv": args.csv and table}
    source = {"source": moving.source, "name": moving.name}  # one of those that `video` takes
    return argparse.Namespace(**{**defaults, **shared, **outputs, **source})


def _do_pictures(
    model: PoseModel, jobs: Sequence[_Job], outputs: PictureOutputs, results: RunResults
) -> None:
    # All threads are idle before the results are written.
    with closing(_process(model, jobs, outputs)) as found:
        for result in _with_progress(jobs, found):
            results.add(result)


def _process(
    model: PoseModel, jobs: Sequence[_Job], outputs: PictureOutputs
) -> Generator[ImageResult | Failure]:
    """Process the pictures, several at once, and yield them in order. An error is recorded for its picture.

    Raises:
        OutputError: An annotated picture cannot be written; the next one could not be either.
    """
    with closing(map_pictures(model, jobs, _load, partial(_write, outputs))) as results:
        for (picture, _), result in zip(jobs, results, strict=True):
            if isinstance(result, OutputError):
                raise result
            if isinstance(result, Exception):
                yield Failure(picture.name, str(failure_of(picture.name, result)))
            else:
                yield result


def _load(job: _Job) -> Image:
    return job[0].load()


def _write(outputs: PictureOutputs, job: _Job, pixels: Image, poses: Poses) -> ImageResult:
    picture, target = job
    written = outputs.write(target, pixels, poses)
    return ImageResult(picture.name, (pixels.shape[0], pixels.shape[1]), poses, written)


def _do_videos(model: PoseModel, jobs: Sequence[_VideoJob], results: RunResults) -> Generator[Followed]:
    """Track people in each video, camera or stream in turn; Ctrl-C ends all. Yield each outcome."""
    for moving, options in jobs:
        try:
            check_outputs(options)
            followed = followed_before(Path(options.jsonl)) if is_done(options) else follow(model, options)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one, the others go on)
            failure = Failure(moving.name, str(failure_of(moving.name, error)))
            results.add(failure)
            _warn(f"skipped: {failure.error}")
            continue
        results.add(_result_of(moving, followed, options))
        print(f"{moving.name}: {followed} -> {options.out or options.jsonl}")
        for warning in followed.warnings:
            _warn(f"{moving.name}: {warning}")
        yield followed
        if not followed.complete:
            break


def _result_of(moving: Moving, followed: Followed, options: argparse.Namespace) -> VideoResult:
    frames, people = followed.frames, followed.people
    return VideoResult(moving.name, options.out or "", options.jsonl, frames, people, followed.complete)


def _code(results: RunResults, followed: Sequence[Followed]) -> int:
    """Return the exit code: the one of Ctrl-C, or by how many inputs failed."""
    if stopped := [each.code for each in followed if not each.complete]:
        return stopped[0]
    code = exit_code(len(results.images) + len(results.videos), len(results.failures))
    return max([code, *(each.code for each in followed)])


def _close(results: RunResults, sources: Sources, report: Sequence[str]) -> None:
    """Print the outcome, and where the results are."""
    people = sum(len(image.poses) for image in results.images)
    before = f" ({results.before} were done earlier)" if results.before else ""
    found = [f"{count(len(results.images), 'picture')}{before}, {count(people, 'person', 'people')}"]
    if results.videos:
        frames = count(sum(video.frames for video in results.videos), "frame")
        people = sum(video.people for video in results.videos)
        videos = f"{count(len(results.videos), 'video')} of {frames}, {count(people, 'person', 'people')}"
        found = [*(found if results.images else []), videos]
    print(f"{'; '.join(found)}: {', '.join(map(str, results.places))}")
    for line in report:
        print(line)
    if sources.skipped:
        print(f"skipped: {sources.skipped}")
    if failed := len(results.failures):
        total = len(results.images) + len(results.videos) + failed
        noun = "source" if sources.moving else "picture"
        _warn(f"{failed} of {count(total, noun)} could not be used")


def _with_progress(
    jobs: Sequence[_Job], results: Iterator[ImageResult | Failure]
) -> Iterator[ImageResult | Failure]:
    """Pass results on and show progress: a bar on a terminal, else one line per picture."""
    from tqdm import tqdm  # noqa: PLC0415 (only this verb shows a bar, and not every time)

    with tqdm(results, total=len(jobs), unit="picture", disable=None if len(jobs) > 1 else True) as bar:
        for result in bar:
            yield result
            if isinstance(result, Failure):
                bar.write(f"pose-onnx: skipped: {result.error}", file=sys.stderr)
            elif bar.disable:
                found = count(len(result.poses), "person", "people")
                written = f" -> {result.picture}" if result.picture else ""
                print(f"{result.path}: {found}{written}")


def _warn(text: str) -> None:
    print(f"pose-onnx: {text}", file=sys.stderr)
