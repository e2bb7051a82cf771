"""Paddle -> ONNX -> TFLite, every export with a receipt of its accuracy.

Nothing heavy is imported here. A checkpoint of an official network becomes ONNX with the base install, and
TFLite with `pose-onnx[tflite]`; Paddle and paddle2onnx (`pose-onnx[export]`) are for inference folders and
for networks without a template.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.layouts import lay_out

if TYPE_CHECKING:
    from pose_onnx.exporters.pipeline import ExportResult

__all__ = ["export", "lay_out"]


def export(
    source: str | os.PathLike[str],
    *,
    model: str | None = None,
    like: str | None = None,
    card: ModelCard | str | os.PathLike[str] | None = None,
    to: Sequence[str] | None = None,
    precision: Sequence[str] = ("fp32",),
    out: str | os.PathLike[str] = ".",
    photo: str | os.PathLike[str] | None = None,
    end_to_end: bool = False,
    avx512: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    annotations: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    force: bool = False,
    via: Literal["template", "paddle"] | None = None,
    progress: Callable[[str], None] = lambda _: None,
    sha256: str | None = None,
) -> ExportResult:
    """Export a Paddle model, verify the result, and write a receipt.

    Args:
        source: a checkpoint (`.pdparams`, or `.npz` or `.pth` with the same names), or an inference folder.
        model: name of the model. Its source, licence and published accuracy are written into the files.
        like: name of a model that this one is run like, without being that model. That model's source,
            licence and accuracy are not claimed.
        card: a model card or card file, instead of a name. If none of the three is given, a checkpoint
            must have its model's name, and the card of a folder is derived from its `infer_cfg.yml` and
            its program.
        to: formats to write: "onnx", "tflite" or both. If None, all that can run the model: ONNX alone for a
            two-stage detector.
        precision: number formats to write: any of "fp32", "fp16", "int8-dynamic" and "int8"
            (docs/precision.md).
        out: folder for the files.
        photo: photo for the comparison; the demo photo if None.
        end_to_end: for each ONNX file, also write one that includes the steps before and after the network
            (docs/end-to-end.md).
        avx512: make ONNX files faster in ONNX Runtime on CPUs with AVX-512, but slower everywhere else
            (docs/speed-graph.md).
        calibration: folder of photos of people, for "int8".
        annotations: COCO person keypoint annotations. Every precision except "fp32" is measured on them, and
            refused if it loses more than 1.0 AP.
        images: folder of the annotated pictures.
        force: also write files that are too inaccurate, or int8 without annotations; the receipt says so.
        via: how a checkpoint is converted to ONNX: "template" (without Paddle) or "paddle". If None, a
            template is used if there is one. Inference folders always go through Paddle.
        progress: called with the name of each stage when it begins.
        sha256: expected digest of the checkpoint, in hexadecimal. Without it the source is trusted on
            first use, and the receipt says so.

    Returns:
        The files, the receipt, and what was measured.

    Raises:
        DependencyError: a package that this export needs is not installed.
        ModelFileError: the source is missing, broken, of a different model, or has a different digest.
        InputError, UnknownNameError, CardError: an argument cannot be used.
        ExportError: a stage failed, or an accuracy bar was crossed. No file is left behind.
    """
    from pose_onnx.exporters.identity import Identity  # noqa: PLC0415 (imports what reads checkpoints)
    from pose_onnx.exporters.pipeline import run_export  # noqa: PLC0415 (needs the tools)
    from pose_onnx.exporters.quantize.request import Quantization  # noqa: PLC0415 (likewise)

    return run_export(
        Path(source),
        said=Identity(model, like, card if card is None or isinstance(card, ModelCard) else Path(card)),
        to=to,
        precision=precision,
        out=Path(out),
        photo=None if photo is None else Path(photo),
        end_to_end=end_to_end,
        avx512=avx512,
        via=via,
        progress=progress,
        sha256=sha256,
        quantization=Quantization(
            calibration=None if calibration is None else Path(calibration),
            annotations=None if annotations is None else Path(annotations),
            images=None if images is None else Path(images),
            force=force,
        ),
    )
