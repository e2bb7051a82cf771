"""Write golden.json: what the built-in models find in the two demo photos. Run after the models change.

    python tests/builtin/make_golden.py

ONNX Runtime, preset "accurate". The numbers are checked by eye, in the pictures that `pose-onnx demo` draws.
"""

from __future__ import annotations

import json
from pathlib import Path

from pose_onnx import PoseEstimator

PHOTOS = Path(__file__).parents[2] / "models" / "photos"
GOLDEN = Path(__file__).with_name("golden.json")


def main() -> None:
    """Run both photos and write the file."""
    found = {}
    with PoseEstimator(threads=1) as estimator:
        for photo in sorted(PHOTOS.glob("*.jpg")):
            poses = estimator(photo)
            found[photo.name] = {
                "boxes": poses.boxes.round(3).tolist(),
                "box_scores": poses.box_scores.round(5).tolist(),
                "keypoints": poses.keypoints.round(3).tolist(),
                "scores": poses.scores.round(5).tolist(),
            }
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
