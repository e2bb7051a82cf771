"""The file that a user of paddle2onnx would have: the converted network, without further changes.

    python benchmarks/plain_export.py CHECKPOINT [--model NAME]

prints its path. It is made once and kept in the system's temporary folder; delete it there to make it again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.paddle_to_onnx import to_onnx
from pose_onnx.exporters.source import digests, read_source
from pose_onnx.files import atomic_write_bytes, make_folder

CACHE: Final = "pose-onnx-plain-export"
CHECKPOINTS: Final = Path(__file__).parents[1] / "training" / "checkpoints"
BUILT_IN: Final = {
    "tinypose_128x96_distilled": CHECKPOINTS / "tinypose_128x96_distilled.npz",
    "picodet_s_192_lcnet_pedestrian_distilled": CHECKPOINTS / "picodet_s_192_lcnet_pedestrian_distilled.npz",
}
"""Weights of the built-in models by name, so that anyone can run the benchmarks."""
_DIGEST_LENGTH: Final = 12


def plain_export(checkpoint: Path, model: str | None = None) -> Path:
    """Convert a checkpoint with paddle2onnx, or return the file made before.

    Args:
        checkpoint: `.pdparams`, or `.npz` of the same names.
        model: Name of the model; by default the name of the file.

    Returns:
        An ONNX file with free batch size. Boxes and scores are those before NMS, which the file does not
        contain.
    """
    source = read_source(checkpoint)
    card, _ = resolve_card(source, Identity(model))
    (digest,) = digests(source.files).values()
    folder = make_folder(Path(tempfile.gettempdir()) / CACHE)
    path = folder / f"{card.name}-{digest[:_DIGEST_LENGTH]}.onnx"
    if not path.is_file():
        with tempfile.TemporaryDirectory() as work:
            converted, _ = to_onnx(source, card, {}, Path(work))
        atomic_write_bytes(path, converted.SerializeToString())
    return path


def main() -> None:
    """Print the path of one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help=".pdparams or .npz file")
    parser.add_argument("--model", help="name of the model, if the file has another")
    arguments = parser.parse_args()
    print(plain_export(arguments.checkpoint, arguments.model))


if __name__ == "__main__":
    main()
