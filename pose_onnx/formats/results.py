"""Results as JSON: one document for a run over any number of pictures (schema in `results_json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pose_onnx.formats._people import people_to_json
from pose_onnx.poses import Poses

SCHEMA: Final = "pose_onnx.results/1"
"""Raised when a field changes its meaning or goes; new fields may come without."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageResult:
    """What was found in one picture.

    Attributes:
        path: Where the picture is, as it was given.
        size: Height and width, pixels.
        poses: The people in it.
        picture: Path of the annotated picture; empty if none was written.
    """

    path: str
    size: tuple[int, int]
    poses: Poses
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be used.

    Attributes:
        path: Where it is, as it was given.
        error: What is wrong with it, one sentence.
    """

    path: str
    error: str


def results_json(
    settings: Mapping[str, Any], images: Sequence[ImageResult], failures: Sequence[Failure] = ()
) -> str:
    """Return the results of one run as JSON text.

    The document: `schema`; `settings` (models, backend, preset, ... as given); `images`, each with `path`,
    `width` and `height` (pixels), `picture` (the annotated picture, null if none was written),
    `keypoint_names` (K names) and `people`, each with `box` (x1, y1, x2, y2), `box_score`, `keypoints`
    (K pairs x, y) and `scores` (K); `failures`, each with `path` and `error`. All coordinates are pixels of
    the whole image. Every number is finite; one that is not, is null.
    """
    parts = {
        "schema": _text(SCHEMA),
        "settings": _text(dict(settings)),
        "images": _lines([_image(result) for result in images]),
        "failures": _lines([{"path": failure.path, "error": failure.error} for failure in failures]),
    }
    return "{" + ",\n ".join(f'"{name}": {text}' for name, text in parts.items()) + "}\n"


def _lines(items: Sequence[Mapping[str, Any]]) -> str:
    """Return a list with one line an item, to be read by eye and by `grep`."""
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
