"""Write builtin_golden.npz: what Paddle answers with the checkpoints of the built-in models.

    python tests/parity/make_golden.py

Run after `training/checkpoints` changed, with `pose-onnx[export]` and OpenCV 4 (`opencv-python<5`), whose
`warpAffine` PaddleDetection is deployed with. The networks are run by Paddle itself, on its native
kernels, with our definitions of them, which tests/exporters/test_networks.py holds against
PaddleDetection's outputs; so is the suppression of boxes. What comes before and after is written here once
more, in plain loops, from the facts of PaddleDetection's `deploy/python` (preset "paddle") and of
docs/accuracy.md ("accurate"). It imports nothing of `pose_onnx.core`: it is what the core is held against.

Of large tensors every 31st number is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).parents[2]
PHOTOS: Final = tuple(sorted((ROOT / "models" / "photos").glob("*.jpg")))
GOLDEN: Final = Path(__file__).with_name("builtin_golden.npz")
DETECTOR: Final = "picodet_s_192_lcnet_pedestrian_distilled"
POSE: Final = "tinypose_128x96_distilled"
THRESHOLDS: Final = {"paddle": 0.5, "accurate": 0.4}
MEAN: Final = np.array([0.485, 0.456, 0.406])
STD: Final = np.array([0.229, 0.224, 0.225])
SIDE: Final = 192  # of the detector's input
WIDTH, HEIGHT = 96, 128  # of the keypoint model's input
CELLS: Final = (24, 32)  # its heatmap, width and height
GRID: Final = 4  # input pixels a cell
STEP: Final = 31  # prime, and no divisor of any size here

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Back = Callable[[float, float], tuple[float, float]]


def sample(tensor: F32) -> F32:
    """Return every 31st number of a tensor: all rows, columns and channels are met."""
    return tensor.ravel()[::STEP]


def noise(*shape: int) -> F32:
    """Return the random input of the raw tensors."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def normalized(image_rgb: Pixels) -> F32:
    """NormalizeImage and Permute of deploy/python/preprocess.py, as a batch of one."""
    image = image_rgb.astype(np.float32)
    image *= np.float32(1 / 255.0)
    image -= MEAN
    image /= STD
    batch: F32 = image.transpose(2, 0, 1).copy()[None]
    return batch


def detector_tensor(image_rgb: Pixels) -> F32:
    """Resize of deploy/python/preprocess.py: cubic, aspect ignored."""
    height, width = image_rgb.shape[:2]
    small = cv2.resize(
        image_rgb, None, None, fx=SIDE / width, fy=SIDE / height, interpolation=cv2.INTER_CUBIC
    )
    return normalized(small)


def paddle_crop(image_rgb: Pixels, box: F32) -> tuple[Pixels, Back]:
    """expand_crop, TopDownEvalAffine and transform_preds of deploy/python/keypoint_{pre,post}process.py."""
    x1, y1, x2, y2 = (int(value) for value in box)
    half_height, half_width = (y2 - y1) * 1.3 / 2, (x2 - x1) * 1.3 / 2
    if half_height > half_width * 4 / 3:
        half_width = half_height * 0.75
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, right = max(0, int(x - half_width)), min(image_rgb.shape[1] - 1, int(x + half_width))
    top, bottom = max(0, int(y - half_height)), min(image_rgb.shape[0] - 1, int(y + half_height))
    cut = image_rgb[top:bottom, left:right]
    height, width = cut.shape[:2]
    # Centre, a point above it and one beside it; the height of the cut-out is not looked at.
    source = np.array(
        [[width / 2, height / 2], [width / 2, height / 2 - width / 2], [0, height / 2 - width / 2]]
    )
    target = np.array(
        [[WIDTH / 2, HEIGHT / 2], [WIDTH / 2, HEIGHT / 2 - WIDTH / 2], [0, HEIGHT / 2 - WIDTH / 2]]
    )
    matrix = cv2.getAffineTransform(source.astype(np.float32), target.astype(np.float32))
    crop = cv2.warpAffine(cut, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)

    def back(column: float, row: float) -> tuple[float, float]:
        cell = width / CELLS[0]  # for both axes
        return (
            left + round(width / 2) + (column - CELLS[0] / 2) * cell,
            top + round(height / 2) + (row - CELLS[1] / 2) * cell,
        )

    return crop, back


def accurate_crop(image_rgb: Pixels, box: F32) -> tuple[Pixels, Back]:
    """The box in whole pixels, grown to 3:4 and by 1.15; the way back is the exact inverse."""
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    scale = WIDTH / (max(x2 - x1, (y2 - y1) * WIDTH / HEIGHT) * 1.15)
    shift_x = (WIDTH - 1) / 2 - scale * (x1 + x2) / 2
    shift_y = (HEIGHT - 1) / 2 - scale * (y1 + y2) / 2
    matrix = np.array([[scale, 0, shift_x], [0, scale, shift_y]])
    crop = cv2.warpAffine(image_rgb, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)

    def back(column: float, row: float) -> tuple[float, float]:
        return (GRID * column - shift_x) / scale, (GRID * row - shift_y) / scale

    return crop, back


CROPS: Final = {"paddle": paddle_crop, "accurate": accurate_crop}
LONGEST_STEP: Final = {"paddle": np.inf, "accurate": 1.0}


def dark(heatmap: F32, limit: float) -> tuple[float, float, float]:
    """get_max_preds and DARK of deploy/python/keypoint_postprocess.py: column, row and height of a peak."""
    rows, columns = heatmap.shape
    row, column = divmod(int(heatmap.argmax()), columns)
    peak = float(heatmap[row, column])
    if peak <= 0:
        return 0.0, 0.0, peak
    if not (1 < column < columns - 2 and 1 < row < rows - 2):
        return float(column), float(row), peak
    padded = cv2.GaussianBlur(np.pad(heatmap.astype(np.float64), 1), (3, 3), 0)
    smooth = padded[1:-1, 1:-1].astype(np.float32)
    smooth *= peak / smooth.max()
    log = np.log(np.maximum(smooth, np.float32(1e-10))).astype(np.float64)

    def at(down: int, right: int) -> float:
        return float(log[row + down, column + right])

    dx, dy = (at(0, 1) - at(0, -1)) / 2, (at(1, 0) - at(-1, 0)) / 2
    dxx = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    dyy = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
    dxy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    if dxx * dyy - dxy**2 == 0:
        return float(column), float(row), peak
    step = -np.linalg.inv(np.array([[dxx, dxy], [dxy, dyy]])) @ np.array([dx, dy])
    step = np.clip(step, -limit, limit)
    return column + float(step[0]), row + float(step[1]), peak


def keypoints(heatmaps: F32, back: Back, limit: float) -> F32:
    """(K, 3): x and y in image pixels, score."""
    found = [dark(heatmap, limit) for heatmap in heatmaps]
    return np.array([(*back(column, row), score) for column, row, score in found], np.float32)


def network(name: str) -> Callable[[F32], list[F32]]:
    """Build a network in Paddle with a checkpoint's weights."""
    import paddle  # noqa: PLC0415 (the tests that import this file do without)

    from pose_onnx import load_card  # noqa: PLC0415
    from pose_onnx.exporters.networks import network_of  # noqa: PLC0415

    card = load_card(name)
    layer = network_of(card).build(card)
    with np.load(ROOT / "training" / "checkpoints" / f"{name}.npz") as weights:
        missing, unknown = layer.set_state_dict(dict(weights))
    assert not missing, missing
    assert not unknown, unknown
    layer.eval()

    def run(tensor: F32) -> list[F32]:
        with paddle.no_grad():
            returned: Any = layer(paddle.to_tensor(tensor))
        outputs = returned if isinstance(returned, tuple | list) else [returned]
        return [output.numpy() for output in outputs]

    return run


def people(boxes_input: F32, scores: F32, image_size: tuple[int, int], preset: str) -> tuple[F32, F32]:
    """Boxes in image pixels and their scores: what PicoDet's graph ends with, then the preset's threshold."""
    import paddle  # noqa: PLC0415

    height, width = image_size
    scale = np.array([SIDE / width, SIDE / height] * 2, np.float32)
    chosen = scores[:, 0] > 0.025
    boxes, likely = boxes_input[chosen] / scale, scores[chosen, 0]
    kept = paddle.vision.ops.nms(paddle.to_tensor(boxes), 0.6, paddle.to_tensor(likely)).numpy()
    kept = kept[likely[kept] > THRESHOLDS[preset]]
    if preset == "accurate":
        boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
    return boxes[kept], likely[kept]


def main() -> None:
    """Run both networks and write the file."""
    assert cv2.__version__.startswith("4."), (
        "OpenCV 5 resamples by another arithmetic; install opencv-python<5"
    )
    detector, pose = network(DETECTOR), network(POSE)
    golden: dict[str, NDArray[Any]] = {}
    boxes, scores = detector(noise(1, 3, SIDE, SIDE))
    golden |= {"random/boxes": sample(boxes), "random/scores": sample(scores)}
    golden["random/heatmaps"] = sample(pose(noise(1, 3, HEIGHT, WIDTH))[0])
    for path in PHOTOS:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        tensor = detector_tensor(image)
        boxes, scores = detector(tensor)
        golden |= {f"{path.name}/input": sample(tensor)}
        golden |= {f"{path.name}/boxes": sample(boxes), f"{path.name}/scores": sample(scores)}
        for preset, cut in CROPS.items():
            key, limit = f"{path.name}/{preset}", LONGEST_STEP[preset]
            found, likely = people(boxes[0], scores[0], image.shape[:2], preset)
            crop, back = cut(image, found[0])
            heatmaps = pose(normalized(crop))[0][0]
            halves = heatmaps.astype(np.float16)  # small enough to keep, to decode from
            golden |= {f"{key}/boxes": found, f"{key}/box_scores": likely}
            golden |= {f"{key}/input": sample(normalized(crop)), f"{key}/heatmaps": sample(heatmaps)}
            golden |= {f"{key}/keypoints": keypoints(heatmaps, back, limit)}
            if preset == "paddle":
                golden |= {f"{path.name}/halves": halves}
            whole = golden[f"{path.name}/halves"].astype(np.float32)
            golden |= {f"{key}/decoded": keypoints(whole, back, limit)}
            assert len(found) == 1, f"{len(found)} people in {path.name}: the photos show one each"
    np.savez_compressed(GOLDEN, allow_pickle=False, **golden)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
