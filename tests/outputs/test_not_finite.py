"""A network that answers with NaN or infinity is broken: that is never "nobody", and no result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from pose_onnx import ActionModel, Detector, InputError, InputSpec, ModelCard, load_card
from pose_onnx.core.windows import Window
from pose_onnx.one_pass import OnePassEstimator
from pose_onnx.outputs import (
    BoxDistributionOutput,
    BoxOutput,
    CenterOutput,
    OutputSpec,
    PeopleOutput,
    ProposalOutput,
)
from pose_onnx.runtimes import Tensor, TensorSpec

SIDE = 64
ROWS = 85
"""Rows of a table without a fixed number of them: that of a grid of strides 8, 16, 32 and 64."""
NAMES = tuple(f"level_{index}" for index in range(8))
PHOTO = np.zeros((SIDE, SIDE, 3), np.uint8)
WRONG = (math.nan, math.inf)


class Broken:
    """A runtime of a card's input and outputs that answers with small numbers, and one that is not finite."""

    def __init__(self, card: ModelCard, tensor: str, value: float) -> None:
        self.inputs = (TensorSpec(card.input.tensor_name, (None, *card.input_shape)),)
        self.outputs = tuple(TensorSpec(name, shape) for name, shape in card.output.shapes(card).items())
        self._tensor, self._value = tensor, value

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        (fed,) = feeds.values()
        answers = {}
        for output in self.outputs:
            shape = (len(fed), *(ROWS if size is None else size for size in output.shape[1:]))
            answers[output.name] = np.full(shape, 0.1, np.float32)
        answers[self._tensor].reshape(-1)[5 % answers[self._tensor].size] = self._value
        return answers

    def close(self) -> None:
        """Nothing is open."""


def card_of(output: OutputSpec) -> ModelCard:
    names = load_card("tinypose_128x96").keypoints
    return ModelCard(
        "broken", "none", InputSpec((SIDE, SIDE), "fix"), output, classes=("person",), keypoints=names,
        source="made by the tests", published="-", license="Apache-2.0",
    )  # fmt: skip


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    ("output", "tensor"),
    [
        (BoxOutput(), "boxes"),
        (BoxOutput(), "scores"),
        (BoxDistributionOutput(NAMES[:4], NAMES[4:]), NAMES[0]),
        (BoxDistributionOutput(NAMES[:4], NAMES[4:]), NAMES[4]),
        (CenterOutput(), "centers"),
        (CenterOutput(), "sizes"),
        (CenterOutput(), "offsets"),
        (ProposalOutput(), "boxes"),
        (ProposalOutput(), "scores"),
    ],
)
def test_a_detector(output: OutputSpec, tensor: str, value: float) -> None:
    card = card_of(output)
    with Detector(Broken(card, tensor, value), card=card) as detector, pytest.raises(InputError, match="NaN"):
        detector(PHOTO)


@pytest.mark.parametrize("tensor", ["hm", "hm_hp"])
def test_a_one_pass_model(tensor: str) -> None:
    card = card_of(PeopleOutput())
    model = OnePassEstimator(pose=Broken(card, tensor, math.nan), pose_card=card)
    with model, pytest.raises(InputError, match="NaN"):
        model(PHOTO)


@pytest.mark.parametrize("value", WRONG)
def test_an_action_model(value: float) -> None:
    card = replace(load_card("stgcn_pphuman"), name="broken")
    window = Window(np.ones((9, 17, 2), np.float32), np.array([[0, 0, 9, 9]] * 9, np.float32))
    model = ActionModel(Broken(card, "logits", value), card=card)
    with model, pytest.raises(InputError, match="'broken' returned NaN"):
        model(window)
