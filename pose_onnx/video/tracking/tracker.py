"""The tracker: matches the people of a frame to the tracks of earlier frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.core.arrays import BOX, F32, F64, Image
from pose_onnx.core.boxes import box_iou
from pose_onnx.core.oks import oks, suppress_duplicates
from pose_onnx.poses import Poses
from pose_onnx.video.state import from_json, to_json
from pose_onnx.video.tracking.assign import assign
from pose_onnx.video.tracking.identify import Lost, identify, is_within_reach
from pose_onnx.video.tracking.look import alike, looks_of
from pose_onnx.video.tracking.person import Sight, Track, begin, see

KEPT_S: Final = 3.0
"""A person not seen for longer than this is dropped and gets a new id on return."""
CONFIRMING_HITS: Final = 2
"""Frames in which a person must be seen to get an id; in the first frame of a video, one is enough."""
WAITING_S: Final = 0.5
WAITING_MIXED_S: Final = 1.5
"""Near a lost track, a new track waits this long for its own id; the second value is for crowds."""
SAME_PERSON: Final = 0.5
"""Two poses of one frame with a larger OKS are duplicates of one person."""
LEAST_SIMILAR: Final = 0.25
"""Least similarity of a track and a pose to be one person."""
LEAST_QUALITY: Final = 0.4
"""At an expected box, a pose whose mean score is below this part of the usual one is discarded."""
UNSURE_QUALITY: Final = 0.7
"""A mean score below this part of the usual one triggers a detection."""
MOST_MISSES: Final = 3
UNSUPPORTED_S: Final = 1.0
"""A track that the detector missed in more runs than `MOST_MISSES`, and for this long, is lost."""
FREE_IOU: Final = 0.05
"""With a larger overlap, a person's colours are mixed with those of another person."""


class Tracker:
    """Tracks people through one video. The same input gives the same ids.

    Args:
        sigmas: (K,) tolerance of each joint, for the OKS.
        max_people: Maximum number of people to track: existing tracks first, then the best boxes.
    """

    def __init__(self, sigmas: tuple[float, ...], max_people: int | None = None) -> None:
        self._sigmas = sigmas
        self._max_people = max_people
        self._tracks: list[Track] = []
        self._lost: list[Lost] = []
        self._last_number = 0
        self._started = False
        self._expected = np.zeros((0, BOX))
        self.alarmed = False
        """Whether the detector should run on the next frame: a track was just lost."""
        self.unsure = False
        """Whether the detector should run soon: a track is uncertain, or a lost one may come back."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks in view, confirmed or not."""
        return tuple(self._tracks)

    def state(self) -> dict[str, Any]:
        """Return the JSON-ready state that `restore` needs."""
        return {
            "tracks": [to_json(track) for track in self._tracks],
            "lost": [to_json(one) for one in self._lost],
            "last_number": self._last_number,
            "started": self._started,
            "alarmed": self.alarmed,
            "unsure": self.unsure,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the point where `state` was called.

        Raises:
            KeyError, TypeError, ValueError: The value has the wrong form.
        """
        self._tracks = [from_json(Track, each) for each in state["tracks"]]
        self._lost = [from_json(Lost, each) for each in state["lost"]]
        self._last_number = int(state["last_number"])
        self._started = bool(state["started"])
        self.alarmed, self.unsure = bool(state["alarmed"]), bool(state["unsure"])

    def expect(self, time: float) -> tuple[F32, F32]:
        """Begin a frame.

        Args:
            time: Of the frame, seconds, later than the last.

        Returns:
            Boxes (N, 4) of the people in view, where they are expected, and the boxes' scores (N,).
        """
        self._expected = np.array([track.expected_box(time) for track in self._tracks]).reshape(-1, BOX)
        scores = np.array([track.sight.box_score for track in self._tracks], np.float32)
        return self._expected.astype(np.float32), scores

    def update(
        self, image: Image, poses: Poses, detected: NDArray[np.bool_], time: float, *, looked: bool
    ) -> Poses:
        """Assign ids to the people of the frame; call `expect` first.

        Args:
            image: The frame, BGR.
            poses: Found at detected and at expected boxes.
            detected: (N,), which of them are at the detector's boxes.
            time: Of the frame, seconds.
            looked: Whether the detector ran.

        Returns:
            The poses of confirmed tracks, with `ids`, in the order of their ids.
        """
        indices = self._somebody(poses)
        sights = _sights(image, poses[indices], detected[indices])
        tracks, columns = self._follow(sights, time, looked=looked)
        room = None if self._max_people is None else max(0, self._max_people - len(tracks))
        new = [c for c in range(len(sights)) if sights[c].detected and c not in columns][:room]
        tracks, columns = tracks + [begin(sights[column], time) for column in new], columns + new
        tracks, self._lost = identify(tracks, self._lost, time)
        self._lost = [one for one in self._lost if time - one.since <= KEPT_S]
        self._tracks = [self._numbered(track, time) for track in tracks]
        self._started = self._started or looked
        self.unsure = self.unsure or bool(self._lost)
        return _with_ids(poses[indices[columns]], [track.identity.number for track in self._tracks])

    def _follow(self, sights: list[Sight], time: float, *, looked: bool) -> tuple[list[Track], list[int]]:
        """Match the tracks in view to the detections: return the matched tracks and their detections."""
        pairs = dict(assign(self._similarity(self._tracks, sights, time), LEAST_SIMILAR))
        tracks: list[Track] = []
        columns: list[int] = []
        self.unsure = self.alarmed = False
        for row, track in enumerate(self._tracks):
            column = pairs.get(row)
            if column is not None and _is_somebody(track, sights[column], time):
                self.unsure |= sights[column].quality() < UNSURE_QUALITY * track.identity.quality
                tracks.append(see(track, sights[column], time, looked=looked))
                columns.append(column)
            elif track.identity.number:
                self.alarmed = True
                self._lost.append(Lost(track.identity, time))
        return tracks, columns

    def _somebody(self, poses: Poses) -> NDArray[np.int64]:
        """Return which poses to keep: one of several duplicates of a person."""
        return np.sort(suppress_duplicates(poses, poses.mean_scores(), SAME_PERSON, self._sigmas))

    def _similarity(self, tracks: list[Track], sights: list[Sight], time: float) -> F64:
        """Return (tracks, sights): mean of OKS and IoU at the expected places, times colour similarity."""
        if not (tracks and sights):
            return np.zeros((len(tracks), len(sights)))
        points = np.stack([track.expected_points(time) for track in tracks])
        boxes = self._expected
        seen = np.stack([sight.points for sight in sights])
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).astype(np.float32)
        same_pose = oks(points.astype(np.float32), seen.astype(np.float32), areas, self._sigmas)
        same_place = box_iou(boxes, np.stack([sight.box for sight in sights]))
        same_look = alike(
            np.stack([track.identity.look for track in tracks]), np.stack([sight.look for sight in sights])
        )
        near: F64 = (same_pose + same_place) / 2
        return near * same_look

    def _numbered(self, track: Track, time: float) -> Track:
        """Assign an id to a track that was seen often enough and matches no track lost nearby."""
        if track.identity.number or (track.hits < CONFIRMING_HITS and self._started):
            return track
        near = any(is_within_reach(track, one.identity, time) for one in self._lost)
        waiting = WAITING_S if track.mixed_at == -np.inf else WAITING_MIXED_S
        if near and time - track.born_at < waiting:
            return track
        self._last_number += 1
        return replace(track, identity=replace(track.identity, number=self._last_number))


def _is_somebody(track: Track, sight: Sight, time: float) -> bool:
    """Return whether the pose at an expected box is still the same person."""
    if sight.detected:
        return True
    unsupported = track.misses > MOST_MISSES and time - track.detected_at > UNSUPPORTED_S
    return not unsupported and sight.quality() > LEAST_QUALITY * track.identity.quality


def _sights(image: Image, poses: Poses, detected: NDArray[np.bool_]) -> list[Sight]:
    boxes = poses.boxes.astype(np.float64)
    looks = looks_of(image, poses.boxes)
    free = (box_iou(boxes, boxes) > FREE_IOU).sum(axis=1) <= 1
    points, scores = poses.keypoints.astype(np.float64), poses.scores.astype(np.float64)
    columns = (points, scores, boxes, poses.box_scores.tolist(), looks, detected.tolist(), free.tolist())
    return [Sight(*values) for values in zip(*columns, strict=True)]


def _with_ids(poses: Poses, numbers: list[int]) -> Poses:
    """Return the confirmed people, in the order of their ids."""
    ids = np.array(numbers, np.int64)
    order = np.argsort(ids, kind="stable")
    order = order[ids[order] > 0]
    return replace(poses[order], ids=ids[order])
