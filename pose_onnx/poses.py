"""The people found in one image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, F32, POINT, Image, Pairs, Selection, check_shape, rows
from pose_onnx.errors import InputError

if TYPE_CHECKING:
    from supervision import KeyPoints

    from pose_onnx.image_files import ImageSource

JOINT_THRESHOLD: Final = 0.2
"""A keypoint with a score above this counts (PaddleDetection, ppdet/metrics/keypoint_metrics.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """What a person does.

    Attributes:
        label: The most probable of the model's classes.
        probability: Of that class, 0 to 1; not calibrated.
        probabilities: (C,) float32, of each of the card's classes, in their order; empty where a file keeps
            only the most probable one.
    """

    label: str
    probability: float
    probabilities: F32 = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Poses:
    """The people found in one image, in the order of their boxes. Nobody found: arrays of length 0.

    `poses[0]`, `poses[-1]`, slices, masks and index arrays select people; iteration gives them one by one.
    Each is `Poses` again.

    Attributes:
        keypoints: (N, K, 2) float32, xy, image pixels. A keypoint may lie outside the image or its box.
        scores: (N, K) float32, the height of each keypoint's heatmap peak: about 0 to 1, not calibrated.
            A joint with a low score still has the position of its highest peak; check the score.
        boxes: (N, 4) float32, xyxy, image pixels: the box that the person was cropped by.
        box_scores: (N,) float32, the detector's score, 1 for boxes that the caller gave.
        names: The K keypoints' names.
        ids: (N,) int64, the track of each person across the frames of a video; `None` without tracking.
        skeleton: Index pairs of keypoints to join when drawing; empty if unknown.
        flip_pairs: Index pairs of keypoints that swap when the image is mirrored; empty if unknown.
        sigmas: For each keypoint, how far annotators disagree (`ModelCard.oks_sigmas`); empty if unknown.
        actions: What each of the N people does, in a video with `actions`, or `None` for someone who has
            not been seen for long enough; `None` instead of a list without `actions`.
    """

    keypoints: F32
    scores: F32
    boxes: F32
    box_scores: F32
    names: tuple[str, ...]
    ids: NDArray[np.int64] | None = None
    skeleton: Pairs = ()
    flip_pairs: Pairs = ()
    sigmas: tuple[float, ...] = ()
    actions: tuple[Action | None, ...] | None = None

    def __post_init__(self) -> None:
        people, joints = len(self.boxes), len(self.names)
        check_shape("keypoints", self.keypoints, (people, joints, POINT))
        check_shape("scores", self.scores, (people, joints))
        check_shape("boxes", self.boxes, (people, BOX))
        check_shape("box_scores", self.box_scores, (people,))
        if self.ids is not None:
            check_shape("ids", self.ids, (people,))
        if self.sigmas and len(self.sigmas) != joints:
            raise InputError(f"{len(self.sigmas)} sigmas were given; give one for each of {joints} keypoints")
        if self.actions is not None and len(self.actions) != people:
            raise InputError(
                f"{len(self.actions)} actions were given; give one, or None, for each of {people} people"
            )

    def visible(self, threshold: float = JOINT_THRESHOLD) -> NDArray[np.bool_]:
        """Return (N, K): which keypoints have a score above the threshold; none is moved."""
        return self.scores > threshold

    def mean_scores(self) -> F32:
        """Return (N,): the plain mean of each person's keypoint scores, as PaddleDetection deploys it.

        It ranks people low if only half of them is in the picture.
        """
        means: F32 = self.scores.mean(axis=1, dtype=np.float32)
        return means

    def instance_scores(self, threshold: float = JOINT_THRESHOLD) -> F32:
        """Return (N,): box score times the mean of the keypoint scores above a threshold; 0 if none is.

        This is the usual score of COCO evaluations (PaddleDetection, ppdet/metrics/keypoint_metrics.py):
        the confidence that this is a person with these visible joints.
        """
        seen = self.visible(threshold)
        sums = np.where(seen, self.scores, 0).sum(axis=1, dtype=np.float32)
        scores: F32 = self.box_scores * sums / np.maximum(seen.sum(axis=1), 1).astype(np.float32)
        return scores

    def draw(self, image: ImageSource, **options: Any) -> Image:
        """Draw the people into a copy of their picture: `pose_onnx.draw_poses`, which names the options.

        Returns:
            (H, W, 3) uint8, BGR unless `color="rgb"` is given.
        """
        from pose_onnx.drawing.poses import draw_poses  # noqa: PLC0415 (it is built on this module)

        return draw_poses(image, self, **options)

    def save(self, path: str | os.PathLike[str], image: ImageSource, **options: Any) -> None:
        """Draw the people as `draw` does, and write that to a file in the format that its suffix names.

        Raises:
            InputError: As `draw`, or the format does not hold a picture of this size.
            OutputError: The suffix names no format, or the file cannot be written.
        """
        from pose_onnx.drawing.poses import draw_poses  # noqa: PLC0415 (it is built on this module)
        from pose_onnx.image_files import load_image, write_image  # noqa: PLC0415 (as above)

        pixels = load_image(image, color=options.pop("color", "bgr"))
        write_image(path, draw_poses(pixels, self, **options))

    def __repr__(self) -> str:
        from pose_onnx.drawing.notebook import summary  # noqa: PLC0415 (it is built on this module)

        return summary(self)

    def _repr_png_(self) -> bytes | None:
        """Show the people in notebooks, without their picture."""
        from pose_onnx.drawing.notebook import sketch_png  # noqa: PLC0415 (it is built on this module)

        return sketch_png(self)

    def _repr_html_(self) -> str:
        """Show the people in notebooks: the picture of `_repr_png_` and a table."""
        from pose_onnx.drawing.notebook import poses_html  # noqa: PLC0415 (it is built on this module)

        return poses_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the people as a dict that `json.dumps` takes; `from_dict` is the inverse, to 4 decimals.

        Its fields: `keypoint_names`; `skeleton`; `people`, each with `id` (if there are ids), `box`,
        `box_score`, `keypoints`, `scores`, and `action` where it is known. A number that is not
        finite is `None`.
        """
        from pose_onnx.formats import people_to_json  # noqa: PLC0415 (it is built on this module)

        skeleton = [list(limb) for limb in self.skeleton]
        return {"keypoint_names": list(self.names), "skeleton": skeleton, "people": people_to_json(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Poses:
        """Return the people of `to_dict`; `None` becomes NaN, and a missing `skeleton` is empty."""
        from pose_onnx.formats import people_from_json  # noqa: PLC0415 (it is built on this module)

        poses = people_from_json(data["people"], data["keypoint_names"])
        return replace(poses, skeleton=tuple((start, end) for start, end in data.get("skeleton", ())))

    def to_supervision(self) -> KeyPoints:
        """Return the people as `supervision.KeyPoints`; pose_onnx.formats.supervision says what goes where.

        Raises:
            DependencyError: The `supervision` extra is not installed.
        """
        from pose_onnx.formats import to_key_points  # noqa: PLC0415 (it is built on this module)

        return to_key_points(self)

    @classmethod
    def from_supervision(cls, key_points: KeyPoints, names: Sequence[str]) -> Poses:
        """Return the people of `supervision.KeyPoints`; `names` are those of their K keypoints.

        Raises:
            InputError: The people have other than K keypoints.
        """
        from pose_onnx.formats import from_key_points  # noqa: PLC0415 (it is built on this module)

        return from_key_points(key_points, names)

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Poses]:
        """Give each person as `Poses` of length 1."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Selection) -> Poses:
        """Select people by number, slice, mask or index array."""
        chosen = rows(index, len(self))
        return replace(
            self,
            keypoints=self.keypoints[chosen],
            scores=self.scores[chosen],
            boxes=self.boxes[chosen],
            box_scores=self.box_scores[chosen],
            ids=None if self.ids is None else self.ids[chosen],
            actions=self._actions(np.arange(len(self))[chosen].tolist()),
        )

    def _actions(self, chosen: list[int]) -> tuple[Action | None, ...] | None:
        return None if self.actions is None else tuple(self.actions[index] for index in chosen)
