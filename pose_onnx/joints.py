"""The description of a model's joints, from its card, for every class that finds joints."""

from __future__ import annotations

from pose_onnx.cards.card import ModelCard
from pose_onnx.core.oks import known_sigmas


class JointsOfCard:
    """The four members of `PoseModel` that describe joints, from a card."""

    card: ModelCard

    @property
    def names(self) -> tuple[str, ...]:
        """The K keypoints' names."""
        return self.card.keypoints

    @property
    def skeleton(self) -> tuple[tuple[int, int], ...]:
        """Index pairs of keypoints to join when drawing."""
        return self.card.skeleton

    @property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs of keypoints that swap when the image is mirrored."""
        return self.card.flip_pairs

    @property
    def sigmas(self) -> tuple[float, ...]:
        """How far annotators disagree on each keypoint (`ModelCard.oks_sigmas`); empty if unknown."""
        return known_sigmas(self.card)
