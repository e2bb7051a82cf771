"""The outputs of CenterNet's networks."""

from __future__ import annotations

from pose_onnx.cards.card import ModelCard
from pose_onnx.outputs.people_heads import channels_of


def head_channels(card: ModelCard) -> dict[str, int]:
    """Return the number of channels of each head that a card names, in the card's order."""
    return {name: channels_of(name, len(card.keypoints)) for name in card.output_names}
