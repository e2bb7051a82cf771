"""The built-in models, made from the committed checkpoints: `python -m training.export`.

Each checkpoint becomes an ONNX and a TFLite file with float16 weights, and a receipt that says how far their
results are from Paddle's own. The card of the same name is embedded, so edit the card first. Needs
`pose-onnx[export]`, not PyTorch. Everything derived from the files must be regenerated afterwards: see
README.md, "From a checkpoint to the built-in files".
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
        checkpoint: State dict with Paddle's names; its file is named after the model's card.
        models: The folder of the built-in files.
    """
    name = checkpoint.stem
    receipts = models / "receipts"
    receipts.mkdir(parents=True, exist_ok=True)
    # On the same disk, so that files are replaced atomically.
    with tempfile.TemporaryDirectory(dir=models) as folder:
        done = export(checkpoint, model=name, to=FORMATS, precision=(PRECISION,), via="paddle", out=folder)
        for file in done.files:
            file.replace(models / f"{name}{file.suffix}")
        done.receipt.replace(receipts / f"{name}.json")


def main() -> None:
    """Export the named checkpoints, or by default every committed one."""
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
