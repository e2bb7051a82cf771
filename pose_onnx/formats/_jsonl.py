"""JSON Lines with one line per frame, written as the frames arrive.

The first line is the header: `schema`, `source`, `keypoint_names` (K names) and `settings`. Every other line
is a frame: `index`, `time` (seconds), `width`, `height` (pixels), `detected` and `people`, each with `id`,
`box` (x1, y1, x2, y2), `box_score`, `keypoints` (K pairs x, y), `scores` (K), and if it is known `action`
(`label` and `probability`). Coordinates are pixels of the whole frame. Numbers that are not finite are null.
The last line, `end`, says how the video ended: the number of `frames` that were written, of `skipped` frames
that could not be decoded, and of `missing` frames that the container announced.

A line is passed to the operating system as soon as its frame is done. A killed run leaves complete lines and
no `end`; its last line may be truncated, and readers skip it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from pose_onnx.addresses import redacted
from pose_onnx.closing import Closing
from pose_onnx.errors import InputError, OutputError
from pose_onnx.files import cannot_write
from pose_onnx.formats._frames import FrameRecord, FramesEnd, FramesHeader
from pose_onnx.formats._people import people_from_json, people_to_json

SCHEMA: Final = "pose_onnx.frames/1"
"""Bumped when a field is removed or redefined, but not for new fields."""


class FrameWriter(Closing):
    """Writes a JSON Lines file frame by frame, in a `with` block.

    Args:
        path: The file. One that is there is replaced, unless it is continued.
        header: Data common to all frames.
        first: Continue the file of an earlier run at the frame with this index. Earlier frames are kept; a
            truncated last line, later frames and `end` are removed. A file that is missing or has no header
            is started.

    Raises:
        OutputError: The file cannot be written.
        InputError: The file to continue has another format, source or settings.
    """

    def __init__(
        self, path: str | os.PathLike[str], header: FramesHeader, *, first: int | None = None
    ) -> None:
        self._path = Path(path)
        kept = 0 if first is None else _kept(self._path, header, first)
        try:
            self._stream: BinaryIO = self._path.open("ab")
            self._stream.truncate(kept)
        except OSError as error:
            raise OutputError(cannot_write(self._path, error)) from error
        if not kept:
            self._line(_header_to_json(header))

    def write(self, frame: FrameRecord) -> None:
        """Append a frame; it can be read from the file afterwards.

        Raises:
            OutputError: The disk is full, ...
        """
        height, width = frame.size
        self._line(
            {
                "index": frame.index,
                "time": float(frame.time),
                "width": width,
                "height": height,
                "detected": frame.detected,
                "people": people_to_json(frame.poses),
            }
        )

    def end(self, end: FramesEnd) -> None:
        """Append how the video ended; no frame may follow."""
        self._line({"end": asdict(end)})

    def close(self) -> None:
        """Close the file."""
        try:
            self._stream.close()
        except OSError as error:
            raise OutputError(cannot_write(self._path, error)) from error

    def _line(self, value: dict[str, Any]) -> None:
        # A file name that is not UTF-8 holds lone surrogates; JSON writes a backslash and their code.
        text = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._stream.write(text.encode(errors="backslashreplace"))
            self._stream.flush()
        except OSError as error:
            raise OutputError(cannot_write(self._path, error)) from error


def read_header(path: str | os.PathLike[str]) -> FramesHeader:
    """Return the data common to all frames of a file.

    Raises:
        InputError: The file is missing or has another format.
    """
    for _, value in _values(Path(path)):
        return _header_from_json(value, Path(path))
    raise InputError(
        f"{str(path)!r} contains no complete line; give a file that `pose-onnx video --jsonl` wrote"
    )


def read_frames(path: str | os.PathLike[str]) -> Iterator[FrameRecord]:
    """Yield the frames of a file one by one; a truncated last line is skipped.

    Numbers have 4 decimals, as they were written; null becomes NaN.

    Raises:
        InputError: The file is missing, has another format, or is damaged.
    """
    return (frame for _, frame in _frames(Path(path)))


def read_end(path: str | os.PathLike[str]) -> FramesEnd | None:
    """Return how the video ended, or `None` if its run has not finished.

    Raises:
        InputError: As `read_frames`.
    """
    last: Any = None
    for _, value in _values(Path(path)):
        last = value
    if not _is_end(last):
        return None
    try:
        return FramesEnd(**{field.name: int(last["end"][field.name]) for field in fields(FramesEnd)})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the last line of {str(path)!r} is not an `end` line ({error!r}); remove it"
        ) from error


def _is_end(value: Any) -> bool:
    return isinstance(value, dict) and "end" in value


def _frames(path: Path) -> Iterator[tuple[int, FrameRecord]]:
    """Yield every complete frame of a file, with the end of its line in bytes from the start."""
    names = read_header(path).keypoint_names
    for number, (end, value) in enumerate(islice(_values(path), 1, None), 2):
        if _is_end(value):
            return
        try:
            poses = people_from_json(value["people"], names)
            size = (value["height"], value["width"])
            frame = FrameRecord(value["index"], value["time"], size, poses, value["detected"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{str(path)!r}, line {number}, is not a frame ({error!r}); remove that line"
            ) from error
        yield end, frame


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield every complete line: its end in bytes from the start, and its value."""
    end = number = 0
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):  # noqa: B007 (the message names it)
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                yield end, json.loads(line)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read ({error.strerror}); give a readable file") from error
    except (ValueError, RecursionError) as error:  # from decoding; from json, where lists are nested deeply
        raise InputError(f"{str(path)!r}, line {number}, is not JSON ({error}); remove that line") from error


def _kept(path: Path, header: FramesHeader, first: int) -> int:
    """Return how many bytes of a file are kept when it is continued."""
    begun = list(islice(_values(path), 1)) if path.exists() else []
    if not begun:
        return 0
    ((kept, value),) = begun
    _expect_same(_header_from_json(value, path), header, path)
    for end, frame in _frames(path):
        if frame.index >= first:
            break
        kept = end
    return kept


def _expect_same(found: FramesHeader, given: FramesHeader, path: Path) -> None:
    before, now = (_flat(json.loads(json.dumps(_header_to_json(header)))) for header in (found, given))
    different = sorted(name for name in before | now if before.get(name) != now.get(name))
    if different:
        raise InputError(
            f"{str(path)!r} cannot be continued because {' and '.join(different)} of its run and of this "
            "one differ; run with the same, or give another file"
        )


def _flat(header: dict[str, Any]) -> dict[str, Any]:
    return {**header.pop("settings"), **header}


def _header_to_json(header: FramesHeader) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": redacted(header.source),
        "keypoint_names": list(header.keypoint_names),
        "settings": dict(header.settings),
    }


def _header_from_json(value: Any, path: Path) -> FramesHeader:
    fields = {"source", "keypoint_names", "settings"}
    if isinstance(value, dict) and value.get("schema") == SCHEMA and fields <= value.keys():
        return FramesHeader(value["source"], tuple(value["keypoint_names"]), value["settings"])
    raise InputError(
        f"{str(path)!r} does not begin with a line of schema {SCHEMA!r}; give a file that "
        "`pose-onnx video --jsonl` wrote"
    )
