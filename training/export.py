"""The built-in models, made from the committed checkpoints: `python -m training.export`.

Each checkpoint becomes an ONNX and a TFLite file with float16 weights, and a receipt of how far they are from
what Paddle itself computes. The card of the same name goes inside, so edit the card first. Needs
`pose-onnx[export]`, not PyTorch. What follows from the files is made anew afterwards: README.md, "From a
checkpoint to the built-in files".
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

from pose_onnx.exporters import export

CHECKPOINTS: Final = Path(__file__).with_name("checkpoints")
MODELS: Final = Path(__file__).parents[1] / "models"
PRECISION: Final = "fp16"
FORMATS: Final = ("onnx", "tflite")


def export_builtin(checkpoint: Path, models: Path) -> None:
    """Write NAME.onnx, NAME.tflite and receipts/NAME.json to the folder `models`.

    Args:
        checkpoint: State dict with Paddle's names, called after the model's card.
        models: The folder of the built-in files.
    """
    name = checkpoint.stem
    receipts = models / "receipts"
    receipts.mkdir(parents=True, exist_ok=True)
    # On the same disk, so that a file is replaced whole or not at all.
    with tempfile.TemporaryDirectory(dir=models) as folder:
        done = export(checkpoint, model=name, to=FORMATS, precision=(PRECISION,), via="paddle", out=folder)
        for file in done.files:
            file.replace(models / f"{name}{file.suffix}")
        done.receipt.replace(receipts / f"{name}.json")


def main() -> None:
    """Export every committed checkpoint, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checkpoints", nargs="*", type=Path, help="files (default: training/checkpoints/*.npz)"
    )
    parser.add_argument("--out", type=Path, default=MODELS, help="folder to write to (default: models/)")
    args = parser.parse_args()
    for checkpoint in args.checkpoints or sorted(CHECKPOINTS.glob("*.npz")):
        export_builtin(checkpoint, args.out)
        print(f"{checkpoint.stem}: exported to {args.out}")


if __name__ == "__main__":
    main()
