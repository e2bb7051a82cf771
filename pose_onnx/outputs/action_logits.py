"""What a person does, as one number per class: PP-Human's ST-GCN and similar networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.arrays import F32
from pose_onnx.outputs._spec import Shape, Tensors

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

LOGITS = "logits"


@dataclass(frozen=True, slots=True)
class ActionLogitsOutput:
    """One tensor `logits` (N, C) for the C classes of the card."""

    kind: ClassVar[str] = "action_logits"
    task: ClassVar[str] = "actions"

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return (LOGITS,)

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        checks = (
            (len(card.classes) > 1, "an action model must name its classes, two or more"),
            (bool(card.keypoints), "an action model must name the keypoints of its input"),
            (isinstance(card.input, WindowSpec), "an action model's input must be of the kind 'window'"),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        return {LOGITS: (None, len(card.classes))}

    def read(self, tensors: Tensors) -> F32:
        """Return probabilities (N, C): exp(logit), divided by their sum; NaN where a logit is NaN or inf."""
        logits = tensors[LOGITS].astype(np.float64)
        with np.errstate(invalid="ignore"):  # inf - inf makes NaN
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))  # the largest is 1: none overflows
        probabilities: F32 = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return probabilities
