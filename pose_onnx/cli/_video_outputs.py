"""The outputs of `pose-onnx video`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from pose_onnx import InputError, draw_poses
from pose_onnx.cli._drawing_options import drawing_of
from pose_onnx.cli._options import add_angles_option, angles_of
from pose_onnx.cli._unfinished import Progress, Unfinished, is_unfinished
from pose_onnx.cli._window import Window
from pose_onnx.closing import Closing
from pose_onnx.files import has_repeats, remove_parts
from pose_onnx.formats import (
    FrameRecord,
    FramesEnd,
    FramesHeader,
    FrameWriter,
    read_end,
    read_frames,
    write_coco_results,
    write_csv,
)
from pose_onnx.video import Frame
from pose_onnx.video.outputs.parts import VideoParts

_FILES: Final = ("out", "jsonl", "csv", "coco")
_LINES: Final = "frames.jsonl"
SAVE_EVERY: Final = 100
"""Frames between two saves; a killed run repeats at most this many."""


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name where results go."""
    add = parser.add_argument
    add(
        "--out",
        metavar="FILE",
        help="annotated video (.mp4, .mov, .mkv, .webm), with sound if the source is a file",
    )
    add(
        "--jsonl", metavar="FILE", help="JSON Lines: one line per frame, written as soon as the frame is done"
    )
    add("--csv", metavar="FILE", help="CSV: one row per person and frame, written at the end")
    add_angles_option(parser)
    add(
        "--coco",
        metavar="FILE",
        help="COCO keypoint results, written at the end; image_id is the index of the frame",
    )
    add("--show", action="store_true", help="show the frames in a window, which q closes")
    add("--overwrite", action="store_true", help="replace existing files")
    add(
        "--resume",
        action="store_true",
        help="continue a run that was stopped or killed, in all its outputs",
    )


def outputs_of(args: argparse.Namespace) -> dict[str, Path]:
    """Return the files that are to be written, by their options."""
    return {option: Path(path) for option in _FILES if (path := getattr(args, option))}


def check_outputs(args: argparse.Namespace) -> None:
    """Check that an output is named, and that nothing is overwritten by accident.

    Raises:
        InputError: No output is named, or one exists already or is also the source or another output.
    """
    named = outputs_of(args)
    if not named and not args.show:
        options = ", ".join(f"--{option} FILE" for option in _FILES)
        raise InputError(f"no output was given; give one or more of {options} and --show")
    if has_repeats(named.values()):
        raise InputError("two outputs have the same name; give each its own")
    source = Path(args.source)
    if source.exists() and any(path.exists() and path.samefile(source) for path in named.values()):
        raise InputError(f"{args.source!r} is both the source and an output; give the output another name")
    if args.overwrite and args.resume:
        raise InputError("--overwrite and --resume were given; give one of them")
    if args.overwrite or not named:
        return
    if is_unfinished(next(iter(named.values()))):
        if not args.resume:
            raise InputError(
                f"an earlier run left {str(next(iter(named.values())))!r} unfinished; continue with "
                "--resume, start over with --overwrite, or give other files"
            )
    elif there := [path for path in named.values() if path.exists()]:
        if args.resume and len(there) == len(named):
            return  # see `is_done`
        raise InputError(f"{str(there[0])!r} already exists; give another file, or --overwrite")


def is_done(args: argparse.Namespace) -> bool:
    """Return whether `--resume` was given and nothing is left to do.

    Raises:
        InputError: The JSON Lines are not from this tool, or unfinished with no state to continue from.
    """
    named = outputs_of(args)
    if not (args.resume and named and all(path.exists() for path in named.values())):
        return False
    if is_unfinished(next(iter(named.values()))):
        return False
    if args.jsonl and read_end(args.jsonl) is None:
        raise InputError(
            f"{args.jsonl!r} is unfinished, but there is no state to continue from; start over with "
            "--overwrite"
        )
    Unfinished(next(iter(named.values())), {}).remove()  # a kill may have left some of it
    return True


class Outputs(Closing):
    """All outputs named by the options of `add_output_options`, written frame by frame.

    Closing it, for any reason, finishes every file with the frames written so far. The run can be continued
    unless `finish` was called before.

    Args:
        args: The options.
        header: Data common to all frames.
        run: What else the results depend on, JSON-ready.

    Attributes:
        progress: Progress of the run.
        wanted: Whether the window is still open.
        silent_because: After closing: why the annotated video has no sound; empty if all is well.

    Raises:
        OutputError: The folder of the outputs cannot be written.
        InputError: There is no screen, the run to continue has other frames or models, or an angle is
            unknown.
    """

    def __init__(self, args: argparse.Namespace, header: FramesHeader, run: dict[str, Any]) -> None:
        self._args, self._header, self._named = args, header, outputs_of(args)
        self._angles, self._drawing = angles_of(args, header.keypoint_names), drawing_of(args)
        self.wanted, self.silent_because = True, ""
        self._is_finished, self._is_repeatable = False, True
        self._lines: FrameWriter | None = None
        self._video: VideoParts | None = None
        self._window = Window() if args.show else None
        self.progress = Progress()
        self._unfinished: Unfinished | None = None
        for path in self._named.values():
            remove_parts(path)
        if self._named:
            self._unfinished = Unfinished(next(iter(self._named.values())), run)
            goes_on = args.resume and self._unfinished.is_there
            self.progress = self._unfinished.load() if goes_on else self._unfinished.begin()
            self._lines_path = self._named.get("jsonl", self._unfinished.folder / _LINES)

    def open(self, fps: float | None, audio_from: Path | None, *, can_resume: bool) -> None:
        """Open the files.

        Args:
            fps: Frames per second as the source states it.
            audio_from: The file whose sound the annotated video gets.
            can_resume: Whether the source can be read again from the middle.

        Raises:
            OutputError: A file cannot be written.
            DependencyError: The `video` extra is not installed.
        """
        self._audio_from, self._is_repeatable = audio_from, can_resume
        if self._unfinished and "out" in self._named:
            folder, progress = self._unfinished.folder, self.progress
            self._video = VideoParts(
                folder, self._named["out"], fps=fps, parts=progress.parts, size=progress.size
            )
        # CSV and COCO are made from the lines, so that no frame stays in memory.
        if self._named.keys() - {"out"}:
            first = self.progress.first if self._args.resume else None
            self._lines = FrameWriter(self._lines_path, self._header, first=first)

    def write(self, frame: Frame) -> None:
        """Write a frame everywhere."""
        if self._video or self._window:
            drawn = draw_poses(frame.image, frame.poses, **self._drawing)
            if self._video:
                self._video.write(drawn, frame.time)
            if self._window:
                self.wanted = self._window.show(drawn)
        if self._lines:
            self._lines.write(FrameRecord.of(frame))
        self.progress.add(frame)

    @property
    def can_resume(self) -> bool:
        """Whether this run can be continued later."""
        has_begun = self._unfinished is not None and self.progress.frames > 0
        return has_begun and self._is_repeatable and not self._is_finished

    @property
    def is_due(self) -> bool:
        """Whether it is time to `save`."""
        return self.can_resume and self.progress.frames % SAVE_EVERY == 0

    def save(self, session: dict[str, Any], skipped: int) -> None:
        """Save the progress so far.

        Args:
            session: State of the video session after the last frame.
            skipped: Number of frames up to then that could not be decoded.
        """
        if self._unfinished:
            self.progress.session, self.progress.skipped = session, skipped
            if self._video:
                self._video.cut()
                self.progress.parts, self.progress.size = self._video.parts, self._video.size
            self._unfinished.save(self.progress)

    @property
    def fitted(self) -> int:
        """Frames of the annotated video, in this run, that had another size than the first."""
        return self._video.fitted if self._video else 0

    def finish(self, end: FramesEnd) -> None:
        """Record how the video ended: nothing is left to continue."""
        if self._lines and self.progress.frames:
            self._lines.end(end)
        self._is_finished = True

    def close(self) -> None:
        """Finish all files with the frames written so far; without frames, no file is written."""
        if self._window:
            self._window.close()
        if self._lines:
            self._lines.close()
        if self.progress.frames:
            self._publish()
        elif self._lines:
            self._lines_path.unlink()
        if self._unfinished and not self.can_resume:
            self._unfinished.remove()

    def _publish(self) -> None:
        if self._video:
            self.silent_because = self._video.join(self._audio_from)
        if self._lines and "csv" in self._named:
            frames_read, names = read_frames(self._lines_path), self._header.keypoint_names
            asked = bool(self._args.actions)
            write_csv(self._named["csv"], frames_read, names, angles=self._angles, actions=asked)
        if self._lines and "coco" in self._named:
            frames = ((frame.index, frame.poses) for frame in read_frames(self._lines_path))
            write_coco_results(self._named["coco"], frames)
