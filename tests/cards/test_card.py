"""Cards: complete, the same after a round trip, and strict."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pose_onnx import (
    BoxDistributionOutput,
    CardError,
    InputSpec,
    ModelCard,
    UnknownNameError,
    card_names,
    load_card,
)


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
BOXES = json.loads(load_card("picodet_s_320_coco").to_json())
PEOPLE = json.loads(load_card("multi_pose_dla_1x").to_json())


@pytest.mark.parametrize(
    ("base", "place", "change", "words"),
    [
        (BASE, "", {"name": "x" * 101}, "the name is 'xxx.*1 to 100 characters"),
        (BASE, "", {"name": "../out"}, r"the name is '\.\./out'"),
        (BASE, "output", {"refine": "x" * 1000}, "refine is 'xxx"),
        (BASE, "output", {"blur_kernel": 10**6 + 1}, "blur_kernel is 1000001; it must be odd, from 1 to 255"),
        (BASE, "input", {"size": [128]}, "size"),
        (BASE, "input", {"size": [128, 0]}, "size"),
        (BASE, "input", {"size": [128, 96.0]}, "size"),
        (BASE, "input", {"size": [1 << 20, 96]}, "size"),
        (BASE, "input", {"color": "yuv"}, "color"),
        (BASE, "input", {"std": [1, 1, 0]}, "std"),
        (BASE, "input", {"mean": [1, 1, math.nan]}, "mean"),
        (BASE, "input", {"mean": [[1, 1, 1]]}, "mean"),
        (BASE, "input", {"resize": 3}, "resize"),
        (BASE, "input", {"resize": "nonsense"}, "'affine_crop'"),
        (BASE, "input", {"resize": "stretch"}, "'affine_crop'"),
        (BOXES, "input", {"resize": "affine_crop"}, "'stretch'"),
        (PEOPLE, "input", {"resize": "foo"}, "'people' it must be one of .*'fix', 'keep'"),
        (PEOPLE, "input", {"resize": "affine_crop"}, "'people' it must be one of"),
        (PEOPLE, "input", {"resize": "pad"}, "'people' it must be one of"),
        (BASE, "", {"input": 3}, "input"),
        (BASE, "", {"keypoints": []}, "keypoints"),
        (BASE, "", {"keypoints": ["nose", 3]}, "keypoints"),
        (BASE, "", {"name": ["x"]}, "name"),
        (BASE, "", {"flip_pairs": [[0, 17]]}, "flip_pairs"),
        (BASE, "", {"flip_pairs": [0, 1]}, "flip_pairs"),
        (BASE, "", {"oks_sigmas": [0.1, 0.2]}, "oks_sigmas"),
        (BASE, "", {"sha256": "abc"}, "sha256"),
        (BASE, "", {"license": None}, "license"),
        (BASE, "", {"output": 3}, "output"),
        (BASE, "output", {"kind": "segments"}, "segments"),
        (BASE, "output", {"kind": ["heatmaps"]}, "kind"),
        (BASE, "output", {"blur_kernel": 4}, "blur_kernel"),
        (BASE, "output", {"blur_kernel": "3"}, "blur_kernel"),
        (BASE, "output", {"refine": "guess"}, "'guess'.*'dark', 'quarter'"),
        (BASE, "output", {"stride": 0}, "stride"),
        (BASE, "output", {"stride": True}, "stride"),
        (BOXES, "output", {"nms_iou": math.nan}, "nms_iou"),
        (BOXES, "output", {"nms_iou": 2}, "nms_iou"),
        (BOXES, "output", {"max_boxes": 0}, "max_boxes"),
        (BOXES, "output", {"strides": []}, "strides"),
        (BOXES, "", {"classes": []}, "classes"),
        (BASE, "", {"version": 99}, "pip install --upgrade"),
        (BASE, "", {"version": "2"}, "version"),
    ],
)
def test_a_wrong_field_is_named(
    base: dict[str, Any], place: str, change: dict[str, object], words: str
) -> None:
    changed = base | ({place: base[place] | change} if place else change)
    with pytest.raises(CardError, match=words):
        ModelCard.from_json(json.dumps(changed))


@pytest.mark.parametrize("field", ["name", "architecture", "input", "output"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(CardError, match=field):
        ModelCard.from_json(json.dumps({name: value for name, value in BASE.items() if name != field}))


def test_fields_of_a_newer_version_are_ignored_and_kept() -> None:
    newer = BASE | {"colour_space": "srgb", "input": BASE["input"] | {"crop": {"margin": 1.2}}}
    newer["output"] = BASE["output"] | {"sharpen": [1, 2]}
    card = ModelCard.from_json(json.dumps(newer))
    assert card == load_card("tinypose_128x96")
    assert json.loads(card.to_json()) == newer


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000])
def test_a_deeply_nested_card_is_one_sentence(nested: str) -> None:
    with pytest.raises(CardError):
        ModelCard.from_json(nested)


def test_a_huge_card_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(CardError, match="bytes"):
        ModelCard.from_json(" " * (1 << 20) + "{}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "sound"}, r"unknown kind 'sound'; use one of \['picture', 'window'\]"),
        ({"frames": 0}, "has 0 frames"),
        ({"frames": "many"}, "frames is 'many'"),
        ({"seconds": -1}, "spans -1 seconds"),
        ({"box": [0, 512]}, "above 0"),
        ({"kind": "picture"}, r"lacks \['size', 'resize'\]"),
    ],
)
def test_a_wrong_window_is_one_sentence(change: dict[str, object], words: str) -> None:
    card = json.loads(load_card("stgcn_pphuman").to_json())
    with pytest.raises(CardError, match=words):
        ModelCard.from_json(json.dumps(card | {"input": card["input"] | change}))


def test_a_window_is_no_picture_and_a_picture_no_window() -> None:
    actions, pose = load_card("stgcn_pphuman"), load_card("tinypose_128x96")
    with pytest.raises(CardError, match="'stgcn_pphuman': its input is not a picture"):
        _ = actions.picture
    with pytest.raises(CardError, match="must be of the kind 'window'"):
        replace(actions, input=pose.input)


VERSION_1 = Path(__file__).parent / "version_1"


def test_cards_of_version_1_are_read_for_ever() -> None:
    """Files with such cards are out; these three were written by pose-onnx 0.1."""
    assert ModelCard.from_json((VERSION_1 / "keypoints.json").read_text()) == load_card("tinypose_128x96")
    boxes = ModelCard.from_json((VERSION_1 / "boxes.json").read_text())
    assert boxes == load_card("picodet_s_320_lcnet_pedestrian")
    foreign = ModelCard.from_json((VERSION_1 / "box_distributions.json").read_text())
    assert foreign.input == InputSpec((64, 96), "stretch", "bgr", (0, 0, 0), (1, 1, 1))
    assert foreign.output == BoxDistributionOutput(
        ("s8", "s16"), ("b8", "b16"), strides=(8, 16), bins=8, nms_iou=0.5, max_boxes=10
    )


@pytest.mark.parametrize("change", [{"task": "segment"}, {"box": 3}, {"heatmap": []}, {"task": {}}])
def test_a_wrong_card_of_version_1_is_one_sentence(change: dict[str, object]) -> None:
    card = json.loads((VERSION_1 / "keypoints.json").read_text()) | change
    with pytest.raises(CardError, match=r"task|box|heatmap"):
        ModelCard.from_json(json.dumps(card))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', b"\xff"])
def test_what_is_no_card_is_an_error(text: str | bytes) -> None:
    with pytest.raises(CardError):
        ModelCard.from_json(text)


def test_a_missing_card_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"none\.json"):
        load_card(tmp_path / "none.json")
