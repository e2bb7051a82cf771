"""How often a joint is right at each score: the share of annotated joints within OKS 0.5.

    python benchmarks/score_calibration.py --annotations JSON --images DIR [--pose NAME|FILE ...]

Scores are heights of heatmap peaks, not probabilities, and their meaning differs between networks. Uses
annotated boxes and one pass. A joint is right if its own term of COCO's object keypoint similarity is 0.5 or
more. Joints without annotation are left out, because it is unknown whether a network should have found them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np

from pose_onnx import KeypointModel, load_image
from pose_onnx.core.arrays import F32, F64
from pose_onnx.core.oks import oks, sigmas_of
from pose_onnx.evaluation import Dataset
from pose_onnx.pairs import DEFAULT_POSE
from pose_onnx.poses import JOINT_THRESHOLD

EDGES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
RIGHT: Final = 0.5


def similarities(found: F32, truth: F32, areas: F32, sigmas: tuple[float, ...]) -> F64:
    """Return each joint's term of OKS.

    Args:
        found: (N, K, 2), image pixels.
        truth: (N, K, 2), image pixels.
        areas: (N,) areas of the people, square pixels.
        sigmas: K values, as in a model's card.

    Returns:
        (N, K), 0 to 1.
    """
    terms = [
        np.diagonal(oks(found[:, [joint]], truth[:, [joint]], areas, (sigma,)))
        for joint, sigma in enumerate(sigmas)
    ]
    return np.stack(terms, axis=1)


def measure(dataset: Dataset, model: KeypointModel) -> tuple[F64, F64]:
    """Return score and similarity of every annotated joint."""
    scores, right = [], []
    for image_id in dataset.image_ids:
        items = dataset.coco.imgToAnns[image_id]
        people = [item for item in items if item.get("num_keypoints") and not item.get("iscrowd")]
        if not people:
            continue
        poses = model(load_image(dataset.path(image_id)), dataset.truth_boxes(image_id))
        truth = np.array([item["keypoints"] for item in people], np.float32).reshape(len(people), -1, 3)
        areas = np.array([item["area"] for item in people], np.float32)
        annotated = truth[..., 2] > 0
        alike = similarities(poses.keypoints, truth[..., :2], areas, sigmas_of(model.card))
        scores.append(poses.scores[annotated])
        right.append(alike[annotated])
    return np.concatenate(scores), np.concatenate(right)


def rows(scores: F64, alike: F64) -> list[str]:
    """Return a line for each range of scores, and one for what the default threshold keeps."""
    lines = []
    for low, high in zip(EDGES, (*EDGES[1:], np.inf), strict=True):
        inside = (scores >= low) & (scores < high)
        share = f"{(alike[inside] >= RIGHT).mean():.2f}" if inside.any() else "-"
        lines.append(f"{low:.1f} to {high:.1f}: {share} of {inside.sum()}")
    kept = scores > JOINT_THRESHOLD
    right = (alike[kept] >= RIGHT).mean()
    lines.append(f"above {JOINT_THRESHOLD}: {right:.3f} of {kept.mean():.1%} of all joints")
    return lines


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pose", nargs="+", default=[DEFAULT_POSE], help="default: %(default)s")
    args = parser.parse_args()
    dataset = Dataset(args.annotations, args.images)
    for name in args.pose:
        with KeypointModel(name) as model:
            scores, alike = measure(dataset, model)
        print(f"{model.card.name}: {len(scores)} annotated joints, {(alike >= RIGHT).mean():.3f} right")
        print("\n".join(rows(scores, alike)))


if __name__ == "__main__":
    main()
