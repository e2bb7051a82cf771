"""Checks the entries of a COCO file, which may come from any tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pose_onnx.core.arrays import BOX, POINT
from pose_onnx.formats import PERSON_CATEGORY

Entry: TypeAlias = dict[str, Any]

_LARGEST: Final = 1e12
"""Limit for coordinates and areas, in pixels: far beyond any picture."""
_LARGEST_ID: Final = 2**53
"""Limit for ids: pycocotools stores them as float64."""
_JOINT: Final = POINT + 1  # x, y, visibility
_LONGEST: Final = 60  # characters of a value in a message


def is_id(value: Any) -> bool:
    """Return whether a value is a whole number of 0 or more that pycocotools can store."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_ID


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST  # false for NaN


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_box(value: Any) -> bool:
    return _are_numbers(value) and len(value) == BOX and min(value[2:]) >= 0


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


_Fields: TypeAlias = Mapping[str, tuple[Callable[[Any], bool], str]]
"""For each field, a test of its value, and the same condition in words."""

_PICTURE: Final[_Fields] = MappingProxyType(
    {
        "id": (is_id, "a whole number"),
        "file_name": (_is_file_name, "a file's name"),
    }
)
_ANNOTATION: Final[_Fields] = MappingProxyType({"category_id": (is_id, "a whole number")})
_BOX: Final[_Fields] = MappingProxyType({"bbox": (_is_box, "finite x, y, width, height")})
_PERSON: Final[_Fields] = MappingProxyType(
    {
        **_BOX,
        "area": (lambda value: _is_number(value) and value >= 0, "a finite number"),
        # Not a set, because the value may be an unhashable list. It may also be missing.
        "iscrowd": (lambda value: value in (None, 0, 1), "0 or 1"),
        "num_keypoints": (is_id, "a whole number"),
        "keypoints": (
            lambda value: _are_numbers(value) and len(value) % _JOINT == 0,
            "finite x, y, visibility of each joint",
        ),
    }
)
_FOUND_BOX: Final[_Fields] = MappingProxyType({**_BOX, "score": (_is_number, "a finite number")})


def picture_trouble(entry: Any) -> str | None:
    """Describe what is wrong with an entry of `images`; return `None` if nothing is."""
    return _trouble(entry, _PICTURE)


def annotation_trouble(entry: Any) -> str | None:
    """Describe what is wrong with an entry of `annotations`, or return `None`. Only people are checked."""
    trouble = _trouble(entry, _ANNOTATION)
    if trouble or entry["category_id"] != PERSON_CATEGORY:
        return trouble
    return _trouble(entry, _PERSON)


def box_trouble(entry: Any) -> str | None:
    """Describe what is wrong with an entry of a detection result file, or return `None`."""
    return _trouble(entry, _FOUND_BOX)


def joints_of(entry: Entry) -> int:
    """Return the number of joints in a person's annotation, visible or not."""
    return len(entry["keypoints"]) // _JOINT


def is_result(line: Any, joints: int) -> bool:
    """Return whether a line of results is complete, so that its picture need not be repeated.

    Args:
        line: A JSON value: `image_id`, and `people` and `boxes` of that picture.
        joints: Number of joints of each person.
    """
    if not isinstance(line, dict) or not is_id(line.get("image_id")):
        return False
    people, boxes = line.get("people"), line.get("boxes")
    if not isinstance(people, list) or not isinstance(boxes, list):
        return False
    return all(
        _is_found(person, line["image_id"]) and _has_joints(person, joints) for person in people
    ) and all(_is_found(box, line["image_id"]) and not box_trouble(box) for box in boxes)


def _is_found(entry: Any, image_id: int) -> bool:
    if not isinstance(entry, dict) or not _is_number(entry.get("score")):
        return False
    return entry.get("image_id") == image_id and entry.get("category_id") == PERSON_CATEGORY


def _has_joints(person: Entry, joints: int) -> bool:
    points = person.get("keypoints")
    return isinstance(points, list) and len(points) == joints * _JOINT and _are_numbers(points)


def _trouble(entry: Any, fields: _Fields) -> str | None:
    if not isinstance(entry, dict):
        return f"is {_short(entry)}, not an object"
    for name, (fits, expected) in fields.items():
        if not fits(entry.get(name)):
            return f"has the {name} {_short(entry.get(name))}, not {expected}"
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
