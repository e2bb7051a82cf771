"""The real networks give the same answer to the last bit, however their work is shared out."""

from pathlib import Path

import numpy as np
import pytest

from pose_onnx import KeypointModel, PoseEstimator, load_image
from pose_onnx.pairs import DEFAULT_POSE

PHOTOS = sorted((Path(__file__).parents[2] / "models" / "photos").glob("*.jpg"))


@pytest.mark.parametrize("backend", ["ort", "tflite"])
def test_threads_and_batches_change_nothing(backend: str) -> None:
    """Nine boxes in two photos: the second and third batch of either are cut at other places."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 200, (9, 2))
    boxes = np.concatenate([low, low + rng.uniform(100, 300, (9, 2))], axis=1)
    for photo in PHOTOS:
        answers = []
        for threads, batch_size in ((1, 1), (1, 9), (2, None), (3, 2)):
            with KeypointModel(
                DEFAULT_POSE, backend=backend, threads=threads, batch_size=batch_size
            ) as model:
                answers.append(model(photo, boxes))
        for answer in answers[1:]:
            np.testing.assert_array_equal(answer.keypoints, answers[0].keypoints)
            np.testing.assert_array_equal(answer.scores, answers[0].scores)


@pytest.mark.parametrize("backend", ["ort", "tflite"])
def test_map_equals_single_calls(backend: str) -> None:
    images = [load_image(path) for path in PHOTOS] * 4
    with PoseEstimator(backend=backend, threads=1) as alone:
        expected = [alone(image) for image in images]
    with PoseEstimator(backend=backend, threads=3) as estimator:
        for poses, answer in zip(estimator.map(images), expected, strict=True):
            assert len(answer) == 1
            np.testing.assert_array_equal(poses.boxes, answer.boxes)
            np.testing.assert_array_equal(poses.keypoints, answer.keypoints)
