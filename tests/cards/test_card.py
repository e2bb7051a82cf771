"""Cards: complete, the same after a round trip, and strict."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pose_onnx import CardError, ModelCard, UnknownNameError, card_names, load_card


@pytest.mark.parametrize("name", card_names())
def test_every_card_round_trips_and_is_complete(name: str) -> None:
    card = load_card(name)
    assert card.name == name
    assert card.source
    assert card.published
    assert card.license
    assert ModelCard.from_json(card.to_json()) == card


def test_a_card_file_is_a_card(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    card = replace(load_card("tinypose_128x96"), name="mine")
    file.write_text(card.to_json())
    assert load_card(file) == card


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="tinypose_128x96"):
        load_card("tinypose_64x48")


BASE = json.loads(load_card("tinypose_128x96").to_json())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "segment"}, "task"),
        ({"input_size": [128]}, "input_size"),
        ({"input_size": [128, 0]}, "input_size"),
        ({"color": "yuv"}, "color"),
        ({"std": [1, 1, 0]}, "std"),
        ({"keypoints": []}, "keypoints"),
        ({"flip_pairs": [[0, 17]]}, "flip_pairs"),
        ({"oks_sigmas": [0.1, 0.2]}, "oks_sigmas"),
        ({"heatmap": {"blur_kernel": 4}}, "blur_kernel"),
        ({"heatmap": {"stride": 0}}, "stride"),
        ({"heatmap": {"sigma": 2}}, "sigma"),
        ({"heatmap": 3}, "heatmap"),
        ({"colour": "rgb"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(CardError, match=words):
        ModelCard.from_json(json.dumps(BASE | change))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', b"\xff"])
def test_what_is_no_card_is_an_error(text: str | bytes) -> None:
    with pytest.raises(CardError):
        ModelCard.from_json(text)


def test_a_missing_card_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"none\.json"):
        load_card(tmp_path / "none.json")
