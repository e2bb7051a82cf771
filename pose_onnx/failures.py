"""The boundary around each item of many: if one picture or video fails, the others are still processed."""

from __future__ import annotations

from typing import Final

from pose_onnx.errors import PoseOnnxError, UnexpectedError

_LONGEST: Final = 300  # characters of another library's message; OpenCV's are long


def failure_of(item: str, error: Exception) -> PoseOnnxError:
    """Return the failure of one item, as one sentence.

    Args:
        item: What it is called, such as its path.
        error: What its processing raised.

    Returns:
        `error` itself if this package raised it on purpose, else an `UnexpectedError` that names both.
    """
    if isinstance(error, PoseOnnxError):
        return error
    text = " ".join(str(error).split())[:_LONGEST]
    kind = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return UnexpectedError(f"{item!r} cannot be processed ({kind}); please report this, with the file")
