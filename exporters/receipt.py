"""The receipt of an export: its sources, the tools used, and how exact the result is."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.quantize.gate import Accuracy
from pose_onnx.exporters.source import Origin, digests
from pose_onnx.exporters.verify import Measured, describe_inputs

SUFFIX: Final = ".receipt.json"
TOOLS: Final = (
    "pose-onnx",
    "paddlepaddle",
    "paddle2onnx",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "pycocotools",
    "tflite-runtime",
    "numpy",
    "opencv-python",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Written as JSON beside the exported files.

    Attributes:
        model: name of the card.
        source: SHA-256 of every file that was read, by name.
        trust: why these files are believed to be the right ones.
        files: SHA-256 of every file that was written, by name.
        versions: versions of the tools used.
        inputs: the inputs of the comparison.
        structure: how the network's structure is known to be right if a template was used: its name, and the
            differences measured between Paddle and ONNX Runtime when it was made.
        errors: every difference that was measured, with its bar.
        accuracy: the pictures that average precision was measured `on`, and the result of each file in a
            smaller number format: `Accuracy` by file.
        skipped: graph passes that were skipped, with the reason; the files are as exact without them.
    """

    model: str
    source: Mapping[str, str]
    trust: str
    files: Mapping[str, str]
    versions: Mapping[str, str]
    inputs: Mapping[str, str]
    structure: Mapping[str, object]
    errors: tuple[Measured, ...]
    accuracy: Mapping[str, object]
    skipped: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), indent=1) + "\n"


def make_receipt(
    card: ModelCard,
    origin: Origin,
    files: Sequence[Path],
    measured: Sequence[Measured],
    *,
    structure: Mapping[str, object],
    photo: Path | None,
    accuracy: Sequence[Accuracy],
    measured_on: Mapping[str, str | int | float],
) -> Receipt:
    """Gather a receipt."""
    return Receipt(
        model=card.name,
        source=digests(origin.files),
        trust=origin.trust,
        files=digests(files),
        versions={"python": platform.python_version(), **tool_versions()},
        inputs=describe_inputs(card, photo),
        structure=structure,
        errors=tuple(measured),
        accuracy={"on": dict(measured_on), "files": [asdict(each) for each in accuracy]} if accuracy else {},
    )


def tool_versions() -> dict[str, str]:
    """Return the versions of the tools that are installed, by name."""
    versions = {}
    for tool in TOOLS:
        with suppress(PackageNotFoundError):
            versions[tool] = version(tool)
    return versions
