"""Where `pose-onnx video` puts its results."""

from __future__ import annotations

import argparse
import math
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pose_onnx import InputError, draw_poses
from pose_onnx.cli._window import Window
from pose_onnx.closing import Closing
from pose_onnx.formats import (
    FrameRecord,
    FramesHeader,
    FrameWriter,
    last_time,
    read_frames,
    write_coco_results,
    write_csv,
)

if TYPE_CHECKING:
    from pose_onnx.video import Frame

_FILES: Final = ("out", "jsonl", "csv", "coco")
_MS: Final = 1000


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name where results go."""
    add = parser.add_argument
    add("--out", metavar="FILE", help="annotated video (.mp4, .mov, .mkv, .webm), with the sound of a file")
    add("--jsonl", metavar="FILE", help="JSON Lines: a line a frame, each written as its frame is done")
    add("--csv", metavar="FILE", help="CSV: a row for each person in each frame, written at the end")
    add("--coco", metavar="FILE", help="COCO keypoint results, written at the end; image_id is the frame")
    add("--show", action="store_true", help="show the frames in a window; q closes it")
    add("--overwrite", action="store_true", help="replace files that are there")


def check_outputs(args: argparse.Namespace) -> None:
    """Check that there is something to write, and that nothing is written over by accident.

    Raises:
        InputError: No output is named, one is there already, or has the name of the source or of another.
    """
    named = {option: Path(path) for option in _FILES if (path := getattr(args, option))}
    if not named and not args.show:
        options = ", ".join(f"--{option} FILE" for option in _FILES)
        raise InputError(f"no place for the results was given; give some of {options} and --show")
    if len({path.absolute() for path in named.values()}) < len(named):
        raise InputError("two outputs have the same name; give each its own")
    source = Path(args.source)
    if source.exists() and any(path.exists() and path.samefile(source) for path in named.values()):
        raise InputError(f"{args.source!r} is the source and an output; give the output another name")
    if args.overwrite:
        return
    continues = args.jsonl is not None and args.start is not None
    for option, path in named.items():
        made_again = continues and option in {"csv", "coco"}  # of the JSON Lines of all runs
        if not path.exists() or made_again:
            continue
        if option != "jsonl":
            raise InputError(f"{str(path)!r} is there already; give another file, or --overwrite")
        if not continues and path.stat().st_size and (last := last_time(path)) is not None:
            raise InputError(
                f"{str(path)!r} holds frames up to {last:.3f} s already; continue with --start "
                f"{next_start(last)}, begin anew with --overwrite, or give another file"
            )


def next_start(time: float) -> str:
    """Return the `--start`, in seconds, that goes on after a frame at `time`."""
    return f"{(math.floor(time * _MS) + 1) / _MS:.3f}"


class Outputs(Closing):
    """Everything that the options of `add_output_options` name, fed frame by frame.

    Args:
        args: The options.
        header: What holds for all frames.
        fps: Frames per second as the source states it.
        audio_from: The file whose sound the annotated video gets.

    Raises:
        OutputError: A file cannot be written.
        InputError: There is no screen, or a file to continue is of another run.
        DependencyError: The `video` extra is not installed.
    """

    def __init__(
        self, args: argparse.Namespace, header: FramesHeader, fps: float | None, audio_from: Path | None
    ) -> None:
        from pose_onnx.video import VideoWriter  # noqa: PLC0415 (only this verb needs it)

        self._args, self._header = args, header
        self.wanted = True
        with ExitStack() as stack:
            self._window = stack.enter_context(Window()) if args.show else None
            self._lines = self._open_lines(stack)
            self._video = (
                stack.enter_context(VideoWriter(args.out, fps=fps, audio_from=audio_from))
                if args.out
                else None
            )
            self._stack = stack.pop_all()

    def _open_lines(self, stack: ExitStack) -> FrameWriter | None:
        """Open the JSON Lines: CSV and COCO are made of them, so that no frame is kept in memory."""
        if self._args.jsonl:
            resume_at = None if self._args.overwrite else self._args.start
            self._path = Path(self._args.jsonl)
            return stack.enter_context(FrameWriter(self._path, self._header, resume_at=resume_at))
        if self._args.csv or self._args.coco:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pose-onnx-"))
            self._path = Path(folder) / "frames.jsonl"
            return stack.enter_context(FrameWriter(self._path, self._header))
        return None

    @property
    def silent_because(self) -> str:
        """Why the annotated video has no sound; empty if all is well."""
        return self._video.silent_because if self._video else ""

    def write(self, frame: Frame) -> Frame:
        """Write a frame everywhere; return it with the ids that were written."""
        frame = self._with_new_ids(frame)
        if self._lines:
            self._lines.write(FrameRecord.of(frame))
        if self._video or self._window:
            drawn = draw_poses(frame.image, frame.poses, min_score=self._args.min_score)
            if self._video:
                self._video.write(drawn, frame.time)
            if self._window:
                self.wanted = self._window.show(drawn)
        return frame

    def _with_new_ids(self, frame: Frame) -> Frame:
        """Count ids on from a run that is continued: nobody can say who was who before."""
        before = self._lines.highest_id if self._lines else 0
        if not before or frame.poses.ids is None:
            return frame
        return replace(frame, poses=replace(frame.poses, ids=frame.poses.ids + before))

    def close(self) -> None:
        """Finish all files, with what there is."""
        with self._stack:
            if self._lines:
                self._lines.close()
            if self._args.csv:
                write_csv(self._args.csv, read_frames(self._path), self._header.keypoint_names)
            if self._args.coco:
                frames = ((frame.index, frame.poses) for frame in read_frames(self._path))
                write_coco_results(self._args.coco, frames)
