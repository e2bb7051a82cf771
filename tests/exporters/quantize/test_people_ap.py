"""Average precision of one-pass models: of the people that they find themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose_onnx import PoseEstimator
from pose_onnx.exporters.outputs.people_heads import EXPORT
from tests.tiny_people import heads_network, picture


@pytest.mark.parametrize(("shift", "expected"), [(0, 100.0), (200, 0.0)])
def test_annotations_that_are_what_it_finds_give_100(tmp_path: Path, shift: int, expected: float) -> None:
    pytest.importorskip("pycocotools", reason="extra 'eval'")
    from pose_onnx.evaluation import Dataset  # noqa: PLC0415 (needs the extra)

    network = heads_network(tmp_path / "people.onnx")
    image = picture((3, 5), (10, 10))
    cv2.imwrite(str(tmp_path / "0.png"), image)
    content: dict[str, Any] = {
        "images": [{"id": 0, "file_name": "0.png", "height": 64, "width": 64}],
        "annotations": [],
        "categories": [{"id": 1, "name": "person"}],
    }
    with PoseEstimator(pose=network, threads=1) as model:
        for pose in model(image):
            x1, y1, x2, y2 = pose.boxes[0].tolist()
            points = np.concatenate([pose.keypoints[0] + shift, np.full((17, 1), 2)], axis=1)
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1, "image_id": 0, "category_id": 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 2000.0, "num_keypoints": 17,
                    "keypoints": points.ravel().tolist(),
                }
            )  # fmt: skip
    assert len(content["annotations"]) == 2
    (tmp_path / "truth.json").write_text(json.dumps(content))
    assert EXPORT.measure(network, Dataset(tmp_path / "truth.json", tmp_path)) == pytest.approx(expected)
