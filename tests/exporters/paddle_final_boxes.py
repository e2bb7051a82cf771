"""Run an inference folder in Paddle, NMS included: `paddle_final_boxes.py FOLDER INPUTS.npz BOXES.npy`.

Run as a process of its own, because Paddle warns at import and keeps global state. Writes (M, 6) float32:
class, score, x1, y1, x2, y2 of each box, as the program returns them; after a Matrix NMS only the best.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle

MANY = 20_000
"""So many of the best scores enter a Matrix NMS."""


def leave_out_low_scores(program: Any, executor: Any, inputs: dict[str, Any]) -> float:
    """Raise the threshold before a Matrix NMS; return it, or 0 if there is no such operator.

    With made-up weights millions of scores are above the folder's threshold. Paddle compares all pairs of
    them, which takes minutes. A box lowers only the scores of those that are worse, so what is found above
    the new threshold is the same.
    """
    operators = [op for op in program.global_block().ops if op.type == "matrix_nms"]
    for op in operators:
        (scores,) = executor.run(program, inputs, op.input("Scores"), use_prune=True)
        highest = np.sort(scores, axis=None)[-MANY:]
        raised = max(op.attr("score_threshold"), float(highest[0]))
        op._set_attr("score_threshold", raised)  # Paddle has no public API for this
    return operators[0].attr("score_threshold") if operators else 0.0


def main(folder: Path, inputs: Path, boxes: Path) -> None:
    paddle.enable_static()
    (program,) = [*folder.glob("*.pdmodel"), *folder.glob("*.json")]
    executor = paddle.static.Executor(paddle.CPUPlace())
    loaded, feeds, fetches = paddle.static.load_inference_model(
        str(folder), executor, model_filename=program.name, params_filename="model.pdiparams"
    )
    with np.load(inputs) as archive:
        given = {name: archive[name] for name in feeds}
    old = program.suffix == ".pdmodel"
    threshold = leave_out_low_scores(loaded, executor, given) if old else 0.0
    found, *_ = executor.run(loaded, given, fetches)
    np.save(boxes, found[found[:, 1] > threshold] if threshold else found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
