"""Run an inference folder in Paddle, NMS included: `paddle_final_boxes.py FOLDER INPUTS.npz BOXES.npy`.

Run as a process of its own, because Paddle warns at import and keeps global state. Writes (M, 6) float32:
class, score, x1, y1, x2, y2 of each box, as the program returns them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle


def main(folder: Path, inputs: Path, boxes: Path) -> None:
    paddle.enable_static()
    (program,) = [*folder.glob("*.pdmodel"), *folder.glob("*.json")]
    executor = paddle.static.Executor(paddle.CPUPlace())
    loaded, feeds, fetches = paddle.static.load_inference_model(
        str(folder), executor, model_filename=program.name, params_filename="model.pdiparams"
    )
    with np.load(inputs) as archive:
        found, *_ = executor.run(loaded, {name: archive[name] for name in feeds}, fetches)
    np.save(boxes, found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
