"""Writes the end-to-end file beside an exported ONNX file, and compares it with the core."""

from __future__ import annotations

from pathlib import Path

import onnx

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of
from pose_onnx.errors import ModelFileError
from pose_onnx.exporters.end_to_end._assemble import FORM_KEY, assemble
from pose_onnx.exporters.end_to_end._compare import compare_with_core
from pose_onnx.exporters.verify import Measured, comparison_photo


def write_end_to_end(network: Path, card: ModelCard, photo: Path | None) -> tuple[Path, list[Measured]]:
    """Write the end-to-end file of an exported network, and measure its difference from the core.

    Args:
        network: `NAME.onnx`, or in another precision `NAME_fp16.onnx`.
        card: Its card.
        photo: Photo for the comparison; the demo photo if None.

    Returns:
        The file, `NAME_end_to_end.onnx` or `NAME_end_to_end_fp16.onnx`, and what was measured.

    Raises:
        ExportError: The model is a detector that does not find people.
    """
    file = network.with_name(end_to_end_name(network, card))
    onnx.save(assemble(onnx.load(network), card), file)
    return file, compare_with_core(file, network, card, comparison_photo(photo))


def end_to_end_name(network: Path, card: ModelCard) -> str:
    """Return the name of a network's end-to-end file, which is never the network's own.

    `_end_to_end` follows the model's name, or the whole name of a file that was renamed.
    """
    model = card.name if card.name in network.stem else network.stem
    return network.name.replace(model, f"{model}_end_to_end", 1)


def end_to_end_bytes(path: Path, task: str) -> bytes:
    """Return a model as an end-to-end file: its network wrapped, or the file itself if it is one.

    Args:
        path: An ONNX file with its card.
        task: What it must do, "detect" or "keypoints".

    Raises:
        ModelFileError: The file is missing, broken, in another format or for another task.
        MissingCardError: It has no card.
        ExportError: The model is a detector that does not find people.
    """
    card = card_of(path, None)
    if path.suffix != ".onnx":
        raise ModelFileError(f"{str(path)!r} is not an ONNX file; give a .onnx file")
    if card.task != task:
        raise ModelFileError(
            f"{str(path)!r} is a model for {card.task!r} ({card.name}); give one for {task!r}"
        )
    model = onnx.load(path)
    if any(entry.key == FORM_KEY for entry in model.metadata_props):
        return path.read_bytes()
    return bytes(assemble(model, card).SerializeToString())
