"""The JSON of results: stable names, finite numbers, nothing lost."""

from __future__ import annotations

import json

import numpy as np

from pose_onnx import Poses
from pose_onnx.formats.results import Failure, ImageResult, VideoResult, results_json


def test_document() -> None:
    poses = Poses(
        np.array([[[1.5, 2.25], [np.nan, np.inf]]], np.float32),
        np.array([[0.9, 0.1]], np.float32),
        np.array([[0, 0, 10.123456, 20]], np.float32),
        np.array([0.8], np.float32),
        ("nose", "tail"),
    )
    images = [ImageResult("ä.jpg", (48, 64), poses, "out/ä_pose.jpg")]
    videos = [VideoResult("c.mp4", "", "out/c_pose.jsonl", 75, 2)]
    text = results_json({"backend": "ort"}, images, [Failure("b.jpg", "is empty")], videos)
    assert json.loads(text) == {
        "schema": "pose_onnx.results/1",
        "settings": {"backend": "ort"},
        "images": [
            {
                "path": "ä.jpg",
                "width": 64,
                "height": 48,
                "picture": "out/ä_pose.jpg",
                "keypoint_names": ["nose", "tail"],
                "people": [
                    {
                        "box": [0.0, 0.0, 10.1235, 20.0],
                        "box_score": 0.8,
                        "keypoints": [[1.5, 2.25], [None, None]],
                        "scores": [0.9, 0.1],
                    }
                ],
            }
        ],
        "videos": [
            {
                "path": "c.mp4",
                "video": None,
                "lines": "out/c_pose.jsonl",
                "frames": 75,
                "people": 2,
                "complete": True,
            }
        ],
        "failures": [{"path": "b.jpg", "error": "is empty"}],
    }
    assert "NaN" not in text
    assert "ä" in text


def test_a_picture_without_people() -> None:
    nobody = Poses(
        np.empty((0, 1, 2), np.float32),
        np.empty((0, 1), np.float32),
        np.empty((0, 4), np.float32),
        np.empty(0, np.float32),
        ("nose",),
    )
    (image,) = json.loads(results_json({}, [ImageResult("a.jpg", (2, 3), nobody)]))["images"]
    assert image["people"] == []
    assert image["picture"] is None
