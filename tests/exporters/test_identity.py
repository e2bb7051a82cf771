"""Which model a source is: said by the user, or read off the folder, and never guessed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import InputError, UnknownNameError, load_card
from pose_onnx.exporters import export, paddle_to_onnx
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.program import Program
from pose_onnx.exporters.source import read_source
from tests.exporters.test_source import DETECTOR, POSE, folder


def test_what_looks_like_an_official_model_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Task and input size are TinyPose's; an HRNet has the same. What Paddle would say of its program:
    monkeypatch.setattr(paddle_to_onnx, "describe_program", lambda _: Program(((-1, 17, 32, 24),), None))
    pytest.importorskip("paddle2onnx", reason="needs the extra 'export'")
    card, notes = resolve_card(read_source(folder(tmp_path / "dark hrnet.w32", POSE)), Identity())
    assert card.name == "dark_hrnet_w32"
    digest = hashlib.sha256(b"weights").hexdigest()
    assert card.source == f"exported from dark hrnet.w32/model.pdiparams, sha256 {digest}"
    assert (card.architecture, card.published, card.license, card.download) == ("", "", "", "")
    assert card.keypoints == load_card("tinypose_128x96").keypoints  # the config says: COCO's
    assert notes == ()


def test_a_named_model_has_its_claims(tmp_path: Path) -> None:
    source = read_source(folder(tmp_path / "x", POSE))
    card, _ = resolve_card(source, Identity(model="tinypose_128x96"))
    official = load_card("tinypose_128x96")
    assert (card.name, card.published, card.source) == (official.name, official.published, official.source)


def test_a_model_that_is_run_like_one_has_none(tmp_path: Path) -> None:
    card, _ = resolve_card(read_source(folder(tmp_path / "shop", POSE)), Identity(like="tinypose_128x96"))
    assert card.name == "shop"
    assert card.source.endswith(", run like tinypose_128x96")
    assert (card.published, card.license, card.download) == ("", "", "")
    assert card.output == load_card("tinypose_128x96").output
    np.savez(tmp_path / "tuned.v2.npz", w=np.zeros(1))
    card, _ = resolve_card(read_source(tmp_path / "tuned.v2.npz"), Identity(like="tinypose_128x96"))
    assert card.name == "tuned_v2"


def test_a_given_name_or_card_decides(tmp_path: Path) -> None:
    source = read_source(folder(tmp_path / "x", None))
    assert resolve_card(source, Identity("tinypose_256x192"))[0].name == "tinypose_256x192"
    card = tmp_path / "mine.json"
    card.write_text(load_card("tinypose_128x96").to_json().replace('"tinypose_128x96"', '"mine"', 1))
    assert resolve_card(source, Identity(card=card))[0].name == "mine"
    with pytest.raises(UnknownNameError, match="'tinypoes'"):
        resolve_card(source, Identity("tinypoes"))


def test_two_answers_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than one of model, like and card"):
        export(folder(tmp_path / "x"), model="tinypose_128x96", like="tinypose_256x192", out=tmp_path)


def test_normalisation_comes_from_the_config(tmp_path: Path) -> None:
    said = Identity("picodet_s_320_lcnet_pedestrian")
    plain, _ = resolve_card(read_source(folder(tmp_path / "a")), said)
    assert plain.picture.mean == (0.485, 0.456, 0.406)
    # Without it the graph normalises by itself, and wants 0 to 255.
    fused, _ = resolve_card(read_source(folder(tmp_path / "b", POSE)), Identity("tinypose_128x96"))
    assert fused.picture.mean == (0.0, 0.0, 0.0)
    assert fused.picture.std == (1 / 255,) * 3
    unscaled = DETECTOR.replace("is_scale: true", "is_scale: false").replace(
        "0.229, 0.224, 0.225", "51, 51, 51"
    )
    card, _ = resolve_card(read_source(folder(tmp_path / "c", unscaled)), said)
    np.testing.assert_allclose(card.picture.std, 0.2)
    none = DETECTOR.replace("is_scale: true", "norm_type: none")
    assert resolve_card(read_source(folder(tmp_path / "d", none)), said)[0].picture.std == (1.0, 1.0, 1.0)


def test_a_checkpoint_that_is_called_like_its_model_is_that_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "tinypose_256x192.npz", w=np.zeros(1))
    card, _ = resolve_card(read_source(tmp_path / "tinypose_256x192.npz"), Identity())
    assert card.name == "tinypose_256x192"


def test_a_source_that_says_nothing_is_an_error_that_lists_the_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", w=np.zeros(1))
    with pytest.raises(InputError, match=r"--model NAME .*one of \[.*tinypose_128x96"):
        resolve_card(read_source(tmp_path / "mine.npz"), Identity())
    # The name of a folder proves nothing.
    with pytest.raises(InputError, match=r"'tinypose_128x96' has no infer_cfg\.yml.*--model NAME"):
        resolve_card(read_source(folder(tmp_path / "tinypose_128x96", None)), Identity())
