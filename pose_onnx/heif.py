"""HEIC and AVIF, the picture formats of phones, which OpenCV does not read or does not turn upright.

Both are rotated and mirrored by the file's own `irot` and `imir`; EXIF, which repeats this, is ignored.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from pose_onnx.core.picture_sizes import check_size
from pose_onnx.errors import DependencyError, InputError

if TYPE_CHECKING:
    from pose_onnx.core.arrays import Image

HEIF_SUFFIXES: Final = (".avif", ".heic", ".heif")
_START: Final = re.compile(rb"....ftyp(avi[fs]|he(i[cmsx]|v[cmsx])|mi[af]1|msf1)", re.DOTALL)
_AVIF: Final = re.compile(rb"....ftypavi[fs]", re.DOTALL)


def is_heif(data: bytes) -> bool:
    """Return whether a file's content is HEIC or AVIF, judged by its first bytes."""
    return _START.match(data) is not None


@cache
def can_read_heif() -> bool:
    """Say whether the extra `heif` is installed."""
    return all(map(find_spec, ("PIL", "pillow_heif")))


def decode_heif(data: bytes, name: str) -> Image:
    """Return the pixels of a HEIC or AVIF file's content.

    Args:
        data: The content of the file.
        name: The file's name in errors.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        InputError: It is damaged, or declares more pixels than the budget has memory for.
        DependencyError: The extra `heif` is not installed.
    """
    check_size(data, name)
    if not can_read_heif():
        raise DependencyError(
            f"{name!r} is a HEIC or AVIF picture; run: pip install 'pose-onnx[heif]', or convert it to JPEG"
        )
    decode: Callable[[bytes], Any] = _decode_avif if _AVIF.match(data) else _decode_heic
    try:
        rgb = np.asarray(decode(data).convert("RGB"))
    except Exception as error:  # of two libraries: OSError, ValueError, RuntimeError, SyntaxError, ...
        raise InputError(f"{name!r} is damaged ({error}); get an intact copy of it") from error
    return cast("Image", np.ascontiguousarray(rgb[:, :, ::-1]))


def _decode_heic(data: bytes) -> Any:
    import pillow_heif  # noqa: PLC0415 (an extra)

    return pillow_heif.open_heif(data).to_pillow()  # upright: libheif has turned it


def _decode_avif(data: bytes) -> Any:
    from PIL import Image, ImageOps  # noqa: PLC0415 (an extra)

    # Pillow says as EXIF what the file's own `irot` and `imir` are.
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data), formats=["AVIF"]))
