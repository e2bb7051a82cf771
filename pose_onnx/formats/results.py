"""Results as JSON: one document for a run on pictures and videos (schema in `results_json`)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from pose_onnx.errors import InputError
from pose_onnx.formats._people import people_from_json, people_to_json
from pose_onnx.poses import Poses

SCHEMA: Final = "pose_onnx.results/1"
"""Bumped when a field is removed or redefined, but not for new fields."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageResult:
    """What was found in one picture.

    Attributes:
        path: Path of the picture, as given.
        size: Height and width, pixels.
        poses: The people in it.
        picture: Path of the annotated picture; empty if none was written.
    """

    path: str
    size: tuple[int, int]
    poses: Poses
    picture: str = ""


@dataclass(frozen=True, slots=True)
class VideoResult:
    """The result of a video, a camera or a stream.

    Attributes:
        path: Path, camera or address, as given.
        video: Path of the annotated video; empty if none was written.
        lines: Path of the JSON Lines with its frames.
        frames: Number of frames in them.
        people: Number of people in them, by their ids.
        complete: Whether its end was reached.
    """

    path: str
    video: str
    lines: str
    frames: int
    people: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture or video that could not be used.

    Attributes:
        path: Path or address, as given.
        error: What is wrong with it, in one sentence.
    """

    path: str
    error: str


class Results(NamedTuple):
    """The successful results in a document.

    Attributes:
        settings: Settings of the run.
        images: Results of its pictures.
        videos: Results of its videos, cameras and streams.
    """

    settings: dict[str, Any]
    images: list[ImageResult]
    videos: list[VideoResult]


def results_json(
    settings: Mapping[str, Any],
    images: Sequence[ImageResult],
    failures: Sequence[Failure] = (),
    videos: Sequence[VideoResult] = (),
) -> str:
    """Return the results of one run as JSON text.

    The document: `schema`; `settings` (models, backend, preset, ... as given); `images`, each with `path`,
    `width` and `height` (pixels), `picture` (the annotated picture, null if none was written),
    `keypoint_names` (K names) and `people`, each with `box` (x1, y1, x2, y2), `box_score`, `keypoints`
    (K pairs x, y) and `scores` (K); `videos`, each with `path`, `video` (the annotated video, null if none
    was written), `lines` (its JSON Lines), `frames`, `people` (their number) and `complete` (whether its end
    was reached); `failures`, each with `path` and `error`. All coordinates are pixels of
    the whole image. Numbers that are not finite are null.
    """
    parts = {
        "schema": _text(SCHEMA),
        "settings": _text(dict(settings)),
        "images": _lines([_image(result) for result in images]),
        "videos": _lines([{**asdict(video), "video": video.video or None} for video in videos]),
        "failures": _lines([asdict(failure) for failure in failures]),
    }
    return "{" + ",\n ".join(f'"{name}": {text}' for name, text in parts.items()) + "}\n"


def read_results(path: str | os.PathLike[str]) -> Results:
    """Return the content of a document of `results_json`, rounded to 4 decimals.

    Raises:
        InputError: The file cannot be read, or is not such a document.
    """
    try:
        document = json.loads(Path(path).read_bytes())
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}")  # noqa: TRY301 (told below, as the rest)
        return Results(
            dict(document["settings"]),
            [_image_result(image) for image in document["images"]],
            [VideoResult(**{**video, "video": video["video"] or ""}) for video in document.get("videos", [])],
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{str(Path(path))!r} is not a complete document of {SCHEMA} ({error!r}); give another, or "
            "start over"
        ) from error


def _image_result(image: Mapping[str, Any]) -> ImageResult:
    poses = people_from_json(image["people"], image["keypoint_names"])
    size = (int(image["height"]), int(image["width"]))
    return ImageResult(str(image["path"]), size, poses, str(image["picture"] or ""))


def _lines(items: Sequence[Mapping[str, Any]]) -> str:
    """Return a list with one item per line, readable by people and by `grep`."""
    return "[" + ",".join(f"\n  {_text(item)}" for item in items) + "]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _image(result: ImageResult) -> dict[str, Any]:
    height, width = result.size
    return {
        "path": result.path,
        "width": width,
        "height": height,
        "picture": result.picture or None,
        "keypoint_names": list(result.poses.names),
        "people": people_to_json(result.poses),
    }
