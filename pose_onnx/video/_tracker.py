"""Ids: who in this frame is who of the frames before."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx._oks import oks, suppress_duplicates
from pose_onnx._types import BOX, F32, F64, Poses
from pose_onnx.video._assign import assign, box_iou
from pose_onnx.video._track import Sight, Track, begin, miss, see

KEPT_S: Final = 1.0
"""Someone not seen for longer than this is forgotten, and would come back as somebody new."""
CONFIRMING_HITS: Final = 2
"""Frames in which somebody must be seen to get an id; in the first frame of a video one is enough."""
SAME_PERSON: Final = 0.5
"""Two poses of one frame with a larger OKS are one person, seen twice."""
LEAST_SIMILAR: Final = 0.15
"""Of a track and a pose, to be of one person."""
LEAST_QUALITY: Final = 0.15
"""A pose with a lower mean score is nobody, unless the detector says so."""
UNSURE_QUALITY: Final = 0.7
"""A mean score below this part of the usual asks for a detection."""
MOST_MISSES: Final = 3
"""Someone whom the detector missed in more runs than this, for `KEPT_S`, is lost."""
TOLERANCE_GROWTH: Final = 2.0
"""By how much of itself the tolerance of the OKS grows in a second in which someone is not seen."""


class Tracker:
    """Follows people through one video. The same input gives the same ids.

    Args:
        sigmas: (K,) tolerance of each joint, for the OKS.
        max_people: At most so many people are followed: those who came first, then the best boxes.
    """

    def __init__(self, sigmas: tuple[float, ...], max_people: int | None = None) -> None:
        self._sigmas = sigmas
        self._max_people = max_people
        self._tracks: list[Track] = []
        self._last_number = 0
        self._started = False
        self.unsure = False
        """Whether the detector should look at the next frame: someone was lost or is hard to see."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Who is followed, those who are lost for the moment too."""
        return tuple(self._tracks)

    def expected_boxes(self, time: float) -> tuple[F32, F32]:
        """Return boxes (N, 4) of the people in view, where they are expected, and their scores (N,)."""
        seen = [track for track in self._tracks if not track.lost]
        boxes = np.array([track.expected_box(time) for track in seen], np.float32)
        return boxes.reshape(-1, BOX), np.array([track.sight.box_score for track in seen], np.float32)

    def update(self, poses: Poses, detected: NDArray[np.bool_], time: float, *, looked: bool) -> Poses:
        """Give the people of the next frame their ids.

        Args:
            poses: Found at detected and at expected boxes.
            detected: (N,), which of them are at the detector's boxes.
            time: Of the frame, seconds, later than the last.
            looked: Whether the detector ran.

        Returns:
            Those of the poses that are somebody, with `ids`, in the order of their ids.
        """
        indices = self._somebody(poses, detected)
        sights = [_sight(poses, index, detected=bool(detected[index])) for index in indices]
        pairs = dict(assign(self._similarity(sights, time), LEAST_SIMILAR))
        unsure = False
        followed: list[tuple[Track, int | None]] = []
        for row, track in enumerate(self._tracks):
            if (column := pairs.get(row)) is not None:
                sight = sights[column]
                unsure |= float(sight.scores.mean()) < UNSURE_QUALITY * track.quality
                followed.append((see(track, sight, time, looked=looked), indices[column]))
            elif (missed := miss(track)) is not None:
                unsure |= not track.lost
                followed.append((missed, None))
        born = (column for column in range(len(sights)) if column not in pairs.values())
        followed += [
            (begin(sights[column], time), indices[column]) for column in born if sights[column].detected
        ]
        followed = [self._numbered(track, index) for track, index in followed if not _is_gone(track, time)]
        followed = followed[: self._max_people]
        self._tracks = [track for track, _ in followed]
        self._started = self._started or looked
        self.unsure = unsure
        return _with_ids(poses, followed)

    def _somebody(self, poses: Poses, detected: NDArray[np.bool_]) -> list[int]:
        """Return which poses are people, each once."""
        scores = poses.mean_scores()
        good = np.flatnonzero(detected | (scores >= LEAST_QUALITY))
        kept = suppress_duplicates(poses[good], scores[good], SAME_PERSON, self._sigmas)
        return sorted(good[kept].tolist())

    def _similarity(self, sights: list[Sight], time: float) -> F64:
        """Return (tracks, sights): the mean of OKS and IoU with where each track is expected."""
        if not (self._tracks and sights):
            return np.zeros((len(self._tracks), len(sights)))
        points = np.stack([track.expected_points(time) for track in self._tracks])
        boxes = np.stack([track.expected_box(time) for track in self._tracks])
        unseen = np.array([time - track.time for track in self._tracks])
        tolerance = np.square(1 + TOLERANCE_GROWTH * unseen) * np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        alike = oks(
            points.astype(np.float32),
            np.stack([sight.points for sight in sights]).astype(np.float32),
            tolerance.astype(np.float32),
            self._sigmas,
        )
        mean: F64 = (alike + box_iou(boxes, np.stack([sight.box for sight in sights]))) / 2
        return mean

    def _numbered(self, track: Track, index: int | None) -> tuple[Track, int | None]:
        """Give a track an id once it was seen often enough."""
        if track.number or (track.hits < CONFIRMING_HITS and self._started):
            return track, index
        self._last_number += 1
        return replace(track, number=self._last_number), index


def _is_gone(track: Track, time: float) -> bool:
    never_detected = track.misses > MOST_MISSES and time - track.detected_at > KEPT_S
    return never_detected or time - track.time > KEPT_S


def _sight(poses: Poses, index: int, *, detected: bool) -> Sight:
    points, scores, box = (
        array[index].astype(np.float64) for array in (poses.keypoints, poses.scores, poses.boxes)
    )
    return Sight(points, scores, box, float(poses.box_scores[index]), detected)


def _with_ids(poses: Poses, followed: list[tuple[Track, int | None]]) -> Poses:
    pairs = sorted((track.number, index) for track, index in followed if track.number and index is not None)
    numbers, indices = np.array(pairs, np.int64).reshape(-1, 2).T
    return replace(poses[indices], ids=numbers)
