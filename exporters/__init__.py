"""Paddle -> ONNX -> TFLite, every export with a receipt of its accuracy.

Nothing heavy is imported here: Paddle, paddle2onnx and onnx are needed when an
export runs, and come with `pip install 'pose-onnx[export]'`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pose_onnx._card import ModelCard
from pose_onnx.exporters._tools import demand_tools

if TYPE_CHECKING:
    from pose_onnx.exporters.pipeline import ExportResult

__all__ = ["export"]


def export(
    source: str | os.PathLike[str],
    *,
    model: str | None = None,
    card: ModelCard | str | os.PathLike[str] | None = None,
    to: Sequence[str] = ("onnx", "tflite"),
    precision: Sequence[str] = ("fp32",),
    out: str | os.PathLike[str] = ".",
    photo: str | os.PathLike[str] | None = None,
    end_to_end: bool = False,
) -> ExportResult:
    """Export a Paddle model, verify the result, and write a receipt.

    Args:
        source: a checkpoint (`.pdparams`, or `.npz` of the same names), or an inference folder of Paddle.
        model: name of the model that it is, or that it is like.
        card: a model card or card file, instead of a name.
        to: formats to write, of "onnx" and "tflite".
        precision: of the stored weights, of "fp32" and "fp16".
        out: folder for the files.
        photo: for the comparison; the demo photo if None.
        end_to_end: also write, of each ONNX file, one with all that comes before and after the network inside
            (docs/end-to-end.md).

    Returns:
        The files, the receipt, and what was measured.

    Raises:
        DependencyError: Paddle, paddle2onnx or onnx are not installed.
        ModelFileError: the source is missing, broken, or not of this model.
        InputError, UnknownNameError, CardError: an argument cannot be used.
        ExportError: a stage failed, or an accuracy bar was crossed. No file is left behind.
    """
    demand_tools()
    from pose_onnx.exporters.pipeline import run_export  # noqa: PLC0415 (needs the tools)

    return run_export(
        Path(source),
        model=model,
        card=card if card is None or isinstance(card, ModelCard) else Path(card),
        to=to,
        precision=precision,
        out=Path(out),
        photo=None if photo is None else Path(photo),
        end_to_end=end_to_end,
    )
