"""Run Paddle's matrix_nms: `paddle_matrix_nms.py GIVEN.npz FOUND.npz`; a process of its own."""

from __future__ import annotations

import sys

import numpy as np
import paddle


def main(given: str, found: str) -> None:
    with np.load(given) as arrays:
        boxes, scores = (paddle.to_tensor(arrays[name]) for name in ("boxes", "scores"))
        threshold, sigma = float(arrays["threshold"]), float(arrays["sigma"])
    results = {}
    for kind in ("gaussian", "linear"):
        table, *_ = paddle.vision.ops.matrix_nms(
            boxes[None],
            scores.T[None],
            threshold,
            threshold,
            -1,
            BEST,
            use_gaussian=kind == "gaussian",
            gaussian_sigma=sigma,
            background_label=-1,
            normalized=False,
        )
        results[f"matrix_{kind}"] = table.numpy()
    np.savez(found, **results)


BEST = 100

if __name__ == "__main__":
    main(*sys.argv[1:])
