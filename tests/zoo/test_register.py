"""Files of one's own become names: exported ones and checkpoints, with other joints than COCO's."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from pose_onnx import (
    HeatmapOutput,
    InputError,
    InputSpec,
    KeypointModel,
    MissingCardError,
    ModelCard,
    ModelFileError,
    PoseEstimator,
    UnknownNameError,
    card_names,
    draw_poses,
    load_card,
    read_card,
    resolve_model,
    zoo,
)
from pose_onnx.cli import main
from tests.zoo.conftest import MODEL

JOINTS = ("wrist", "left_thumb", "right_thumb", "tip")


def own_card(size: tuple[int, int]) -> ModelCard:
    flips, limbs = ((1, 2),), ((0, 1), (0, 2), (0, 3))
    return ModelCard(
        "any", "tinypose", InputSpec(size, "affine_crop"), HeatmapOutput(), keypoints=JOINTS,
        flip_pairs=flips, skeleton=limbs,
    )  # fmt: skip


@pytest.fixture
def bare_hand(tiny_pose: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a model of four joints without a card, and its card."""
    model = onnx.load(tiny_pose)
    del model.metadata_props[:]
    filters = onnx.numpy_helper.to_array(model.graph.initializer[0])[: len(JOINTS)]
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(filters, "filters"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(JOINTS)
    onnx.save(model, tmp_path / "hand.onnx")
    (tmp_path / "card.json").write_text(own_card(read_card(tiny_pose).picture.size).to_json())
    return tmp_path / "hand.onnx", tmp_path / "card.json"


def test_an_exported_file_becomes_a_name(home: Path, tiny_pose: Path) -> None:
    files = zoo.add(tiny_pose, "mine")
    assert files == (home / "mine.onnx", home / "mine.json") == zoo.where("mine")
    assert card_names()[-1] == "mine"
    assert load_card("mine") == replace(read_card(tiny_pose), name="mine")
    assert KeypointModel("mine").card.name == "mine"
    assert {item.state for item in zoo.check()} == {"ok"}
    with pytest.raises(ModelFileError, match="models add FILE --name mine"):
        resolve_model("mine", "tflite")
    assert {*zoo.remove("mine")} == {*files}
    assert "mine" not in card_names()
    with pytest.raises(UnknownNameError):
        KeypointModel("mine")


@pytest.mark.usefixtures("home")
def test_a_precision_that_needs_photos_is_left_to_export(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="make it with pose-onnx export"):
        zoo.add(checkpoint, "mine", like="tinypose_128x96", precision=("int8",))


def test_other_joints_than_cocos(home: Path, bare_hand: tuple[Path, Path], tiny_detector: Path) -> None:
    file, card = bare_hand
    zoo.add(file, "hand", card=card)
    image = np.zeros((128, 192, 3), np.uint8)
    image[16:32, 24:48] = 255
    poses = PoseEstimator(tiny_detector, "hand", flip=True)(image)
    assert poses.names == JOINTS
    assert poses.keypoints.shape == (1, 4, 2)
    drawn = draw_poses(image, replace(poses, scores=np.ones_like(poses.scores)))
    unjoined = draw_poses(image, replace(poses, scores=np.ones_like(poses.scores)), skeleton=())
    assert (drawn != unjoined).any()  # the skeleton of the registered card was found
    assert str(home) in str(resolve_model("hand"))


def test_a_checkpoint_becomes_a_name(
    home: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = pickle.loads(checkpoint.read_bytes())
    for name in ("final_conv.weight", "final_conv.bias"):
        state[name] = state[name][: len(JOINTS)]
    np.savez(tmp_path / "tuned.npz", **state)
    (tmp_path / "card.json").write_text(own_card((128, 96)).to_json())
    words = ["models", "add", str(tmp_path / "tuned.npz"), "--name", "tuned"]
    assert main([*words, "--card", str(tmp_path / "card.json")]) == 0
    names = ("tuned.onnx", "tuned.tflite", "tuned.receipt.json", "tuned.json")
    assert capsys.readouterr().out.splitlines() == [str(home / name) for name in names]
    for backend in ("ort", "tflite"):
        assert KeypointModel("tuned", backend=backend).card.keypoints == JOINTS
    assert read_card(home / "tuned.tflite").name == "tuned"


def test_a_card_by_likeness_drops_what_is_known_of_the_official_weights(home: Path, tiny_pose: Path) -> None:
    del home
    with pytest.raises(ModelFileError, match="but the card"):
        zoo.add(tiny_pose, "mine", like=MODEL)
    with pytest.raises(UnknownNameError):
        load_card("mine")


def test_the_second_format_joins_and_another_model_does_not(
    home: Path, tiny_pose: Path, tiny_detector: Path
) -> None:
    from pose_onnx.exporters.tflite import convert  # noqa: PLC0415 (needs the export extra)

    zoo.add(tiny_pose, "mine")
    card = read_card(tiny_pose).to_json().encode()
    tflite = home.parent / "x.tflite"
    tflite.write_bytes(convert(onnx.load(tiny_pose), metadata={"pose_onnx.card": card}))
    zoo.add(tflite, "mine")
    assert [path.name for path in zoo.where("mine")] == ["mine.onnx", "mine.json", "mine.tflite"]
    with pytest.raises(InputError, match="another card"):
        zoo.add(tiny_detector, "mine")
    with pytest.raises(InputError, match="already"):
        zoo.add(tflite, "mine")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "..", "a.onnx", "-a", "ä", "a b", "x" * 101])
def test_names_that_cannot_be(home: Path, tiny_pose: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a model's name"):
        zoo.add(tiny_pose, name)
    assert not home.exists()


def test_what_cannot_be_added(
    home: Path, tiny_pose: Path, bare_hand: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="official"):
        zoo.add(tiny_pose, MODEL)
    with pytest.raises(ModelFileError, match="does not exist"):
        zoo.add(tmp_path / "absent.onnx", "mine")
    with pytest.raises(MissingCardError, match="--model"):
        zoo.add(bare_hand[0], "mine")
    (tmp_path / "x.npz").touch()
    with pytest.raises(InputError, match="--like NAME"):
        zoo.add(tmp_path / "x.npz", "mine")
    assert not home.exists()


@pytest.mark.parametrize("stray", ["", "{}", "[1]", "[" * 100_000, '{"name": "x", "task": "keypoints"}'])
def test_a_stray_file_in_the_folder_breaks_nothing(
    home: Path, tiny_pose: Path, stray: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo.add(tiny_pose, "mine")
    (home / "a_note.json").write_text(stray)
    (home / "a_folder.json").mkdir()
    assert card_names()[-1] == "mine"
    assert {"a_note", "a_folder"}.isdisjoint(card_names())
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert f"Ignored: card file {str(home / 'a_note.json')!r}" in printed
    with pytest.raises(UnknownNameError, match="choose one of"):  # which lists the names
        load_card("nobody")


def test_the_verbs(home: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def out(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["models", *words])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    assert out("check")[0] == 0
    assert out("add", str(tiny_pose), "--name", "mine") == (
        0,
        f"{home / 'mine.onnx'}\n{home / 'mine.json'}\n",
    )
    assert out("where", "mine") == (0, f"{home / 'mine.onnx'}\n{home / 'mine.json'}\n")
    assert "mine" in out("list")[1]
    assert out() == out("list")
    rows = {line.split()[0]: line for line in out()[1].splitlines() if line}
    assert rows["NAME"].split() == ["NAME", "TASK", "INPUT", "SIZE", "LICENCE", "STATE", "ACCURACY"]
    assert " MB  Apache-2.0  built in: ort, tflite, " in rows[f"{MODEL}_distilled"]
    assert rows[MODEL].split() == [
        *(MODEL, "keypoints", "128", "x", "96", "-", "Apache-2.0", "not", "here"),
        *["COCO", "val2017", "keypoint", "AP", "58.4"],
    ]
    assert " here: ort" in rows["mine"]
    assert out("check")[0] == 0
    (home / "mine.onnx").write_bytes(b"x")
    code, text = out("check")
    assert (code, "changed  mine" in text) == (1, True)
    code, text = out("where", "tinypose_256x192")
    assert code == 2
    assert text.endswith("with: pose-onnx models pull tinypose_256x192\n")
    assert out("remove", "mine")[0] == 0
    assert json.loads((home / "models.lock.json").read_text())["models"] == {}
    code, text = out("remove", "a/b")
    assert (code, len(text.splitlines())) == (2, 1)
