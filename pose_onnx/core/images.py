"""Encoded pictures and arrays become (H, W, 3) uint8 in BGR, OpenCV's channel order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, cast

import numpy as np

from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.core.picture_sizes import check_size, jpeg_ends
from pose_onnx.errors import InputError

Color: TypeAlias = Literal["bgr", "rgb"]
"""Channel order of an image array. A file's is known, so it is asked for arrays only."""

COLORS: Final = ("bgr", "rgb")

_CHANNELS: Final = 3
_RANK: Final = 3

_JPEG_START: Final = b"\xff\xd8\xff"


def check_color(color: str) -> None:
    """Refuse a value that is not a channel order.

    Raises:
        InputError: Neither "bgr" nor "rgb".
    """
    if color not in COLORS:
        raise InputError(f"color={color!r} was given; it must be 'bgr' or 'rgb'")


def bgr_pixels(array: Image, color: Color) -> Image:
    """Return an image array in BGR; an array that is already BGR is returned itself, not a copy.

    Raises:
        InputError: It is not an (H, W, 3) uint8 array.
    """
    if problem := _array_problem(array):
        raise InputError(problem)
    return array if color == "bgr" else np.ascontiguousarray(array[:, :, ::-1])


def decode_image(data: bytes, name: str = "the picture") -> Image:
    """Return the pixels of a picture's file content, as `load_image` does.

    Args:
        data: The content of the file.
        name: The file's name in errors.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        InputError: The content is empty, truncated, not a picture, or declares more pixels than the budget
            (`pose_onnx.budget`) has memory for.
    """
    if not data:
        raise InputError(f"{name!r} is empty; give a picture")
    if data.startswith(_JPEG_START) and not jpeg_ends(data):
        # OpenCV 4 fills the missing rows with grey and reports success.
        raise InputError(f"{name!r} is a JPEG that ends early; get an intact copy of it")
    check_size(data, name)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"{name!r} cannot be decoded ({error.err}); give another picture") from error
    if image is None:
        raise InputError(
            f"{name!r} is damaged, or not a picture that can be read here; give an intact JPEG or PNG"
        )
    return cast("Image", image)


def _array_problem(array: object) -> str:
    """Say in one sentence why this is not a BGR or RGB image, or nothing."""
    if not isinstance(array, np.ndarray):
        return (
            f"the image is a {type(array).__name__}; give a path or an (H, W, 3) uint8 array, "
            "for a PIL image: numpy.asarray(image.convert('RGB')) with color='rgb'"
        )
    if array.ndim != _RANK or array.shape[2] != _CHANNELS:
        return f"the image array has shape {array.shape}; {_shape_remedy(array.shape)}"
    if 0 in array.shape:
        return f"the image array has shape {array.shape}, so it has no pixels; H and W must be 1 or more"
    if array.dtype != np.uint8:
        return f"the image array is {array.dtype}; it must be uint8, {_dtype_remedy(array.dtype)}"
    return ""


def _shape_remedy(shape: Sequence[int]) -> str:
    """Name the conversion for the shapes that are pictures of another kind."""
    kinds = {
        (2, None): "a grey image becomes (H, W, 3) with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)",
        (3, 1): "a grey image becomes (H, W, 3) with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)",
        (3, 4): "drop the transparency with image[:, :, :3] to get (H, W, 3)",
        (4, 3): "give one image of a batch at a time, as (H, W, 3)",
    }
    key = (len(shape), shape[-1] if len(shape) >= _RANK else None)
    return kinds.get(key, "it must be (H, W, 3), height first and channels last")


def _dtype_remedy(dtype: np.dtype[np.generic]) -> str:
    kinds = {
        "f": "for values 0 to 1: (image * 255).round().clip(0, 255).astype(numpy.uint8)",
        "u": "for 16 bits: (image >> 8).astype(numpy.uint8)",
        "i": "for values 0 to 255: image.clip(0, 255).astype(numpy.uint8)",
        "b": "for a mask: image.astype(numpy.uint8) * 255",
    }
    return kinds.get(dtype.kind, "values 0 to 255")
