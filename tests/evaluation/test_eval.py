"""`pose-onnx eval` on a small made-up data set: figures, resuming, errors; and the official weights' AP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import onnx
import pytest

from pose_onnx import KeypointModel, read_card
from pose_onnx.cli import main
from pose_onnx.evaluation import Dataset, bootstrap, keypoint_metrics


def evaluate(dataset: Path, out: Path, tiny_pose: Path, *options: str) -> int:
    words = ["eval", "--annotations", str(dataset / "truth.json"), "--images", str(dataset)]
    return main([*words, "--pose", str(tiny_pose), "--threads", "1", "--out", str(out), *options])


def report(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    return content


def test_perfect_answers_are_perfect(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = dataset / "out"
    assert evaluate(dataset, out, tiny_pose) == 0
    assert report(out)["keypoints"]["AP"] == pytest.approx(100)
    assert report(out)["keypoints_AP_interval"] == pytest.approx([100, 100])
    assert "AP 100.0" in capsys.readouterr().out
    people = json.loads((out / "keypoints.json").read_text())
    assert {"image_id", "category_id", "keypoints", "score"} == people[0].keys()
    assert len(people[0]["keypoints"]) == 51


def test_wrong_points_lose(dataset: Path, tiny_pose: Path) -> None:
    content = json.loads((dataset / "truth.json").read_text())
    for item in content["annotations"][::2]:
        item["keypoints"] = [value + 300 * (index % 3 == 0) for index, value in enumerate(item["keypoints"])]
    (dataset / "truth.json").write_text(json.dumps(content))
    assert evaluate(dataset, dataset / "out", tiny_pose) == 0
    assert report(dataset / "out")["keypoints"]["AP"] < 80


def test_boxes_of_a_detector_and_of_a_file(dataset: Path, tiny_detector: Path, tiny_pose: Path) -> None:
    assert evaluate(dataset, dataset / "a", tiny_pose, "--detector", str(tiny_detector)) == 0
    found = report(dataset / "a")
    assert found["boxes"]["AP"] == pytest.approx(100)
    assert found["keypoints"]["AP"] == pytest.approx(100)
    assert found["settings"]["threshold"] == 0.4
    assert evaluate(dataset, dataset / "b", tiny_pose, "--boxes", str(dataset / "a" / "boxes.json")) == 0
    assert report(dataset / "b")["keypoints"] == pytest.approx(found["keypoints"])


def test_an_interrupted_run_goes_on(dataset: Path, tiny_pose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = dataset / "out"
    assert evaluate(dataset, out, tiny_pose) == 0
    whole = report(out)
    lines = (out / "pictures.jsonl").read_bytes().splitlines(keepends=True)
    (out / "pictures.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])  # killed in the third picture
    calls: list[int] = []
    run = KeypointModel.__call__

    def counted(self: KeypointModel, *args: Any, **options: Any) -> Any:
        calls.append(1)
        return run(self, *args, **options)

    monkeypatch.setattr(KeypointModel, "__call__", counted)
    assert evaluate(dataset, out, tiny_pose) == 0
    assert len(calls) == 2
    assert report(out) == whole


def test_other_settings_do_not_mix(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(dataset, dataset / "out", tiny_pose) == 0
    assert evaluate(dataset, dataset / "out", tiny_pose, "--flip") == 2
    assert "other settings" in capsys.readouterr().err


def test_an_unreadable_picture_is_named_and_the_rest_goes_on(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "2.png").write_bytes(b"")
    assert evaluate(dataset, dataset / "out", tiny_pose) == 1
    assert "2.png" in capsys.readouterr().err
    found = report(dataset / "out")
    assert found["pictures"] == 3
    assert found["keypoints"]["AP"] == pytest.approx(100)


def damage(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((dataset / "truth.json").read_text())
    change(content)
    (dataset / "truth.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bbox", [0, 0, float("nan"), 5]),
        ("bbox", "somewhere"),
        ("area", None),
        ("keypoints", [1, 2]),
        ("keypoints", ["x"] * 51),
        ("iscrowd", []),
        ("num_keypoints", "many"),
        ("category_id", {}),
    ],
)
def test_a_damaged_annotation_is_its_pictures_failure(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str], field: str, value: Any
) -> None:
    damage(dataset, lambda content: content["annotations"][1].update({field: value}))
    assert evaluate(dataset, dataset / "out", tiny_pose) == 1
    errors = capsys.readouterr().err
    assert f"annotations[1], of picture 1, has the {field} " in errors
    assert "Traceback" not in errors
    found = report(dataset / "out")
    assert found["pictures"] == 3
    assert found["keypoints"]["AP"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("part", "entry", "words"),
    [
        ("images", "0.png", "images[4] is '0.png', not an object"),
        ("images", {"id": 0, "file_name": "3.png"}, "images[4] has the id 0 of another picture"),
        ("images", {"id": 9, "file_name": None}, "images[4] has the file_name None"),
        ("annotations", None, "annotations[4] is None, not an object"),
        ("annotations", {"image_id": 77, "category_id": 2}, "annotations[4] belongs to no picture"),
        ("annotations", {"image_id": [1], "category_id": 1}, "annotations[4] has the bbox None"),
    ],
)
def test_an_entry_of_no_picture_is_left_out_and_named(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str], part: str, entry: Any, words: str
) -> None:
    damage(dataset, lambda content: content[part].append(entry))
    assert evaluate(dataset, dataset / "out", tiny_pose) == 1
    assert words in capsys.readouterr().err
    assert report(dataset / "out")["pictures"] == 4


def test_ids_of_annotations_do_not_matter(dataset: Path, tiny_pose: Path) -> None:
    """pycocotools takes 0 for "no match", and the last of equal ids for all of them."""
    damage(dataset, lambda content: [item.update(id=0) for item in content["annotations"]])
    assert evaluate(dataset, dataset / "out", tiny_pose) == 0
    assert report(dataset / "out")["keypoints"]["AP"] == pytest.approx(100)


@pytest.mark.parametrize("damaged", [{"bbox": [1, 2, float("nan"), 4]}, {"score": float("nan")}, {"bbox": 3}])
def test_a_damaged_box_of_a_file_is_its_pictures_failure(
    dataset: Path,
    tiny_detector: Path,
    tiny_pose: Path,
    capsys: pytest.CaptureFixture[str],
    damaged: dict[str, Any],
) -> None:
    assert evaluate(dataset, dataset / "a", tiny_pose, "--detector", str(tiny_detector)) == 0
    boxes = json.loads((dataset / "a" / "boxes.json").read_text())
    boxes[0].update(damaged)
    (dataset / "boxes.json").write_text(json.dumps([*boxes, "no object"]))
    assert evaluate(dataset, dataset / "b", tiny_pose, "--boxes", str(dataset / "boxes.json")) == 1
    errors = capsys.readouterr().err
    assert f"of picture {boxes[0]['image_id']}, has the " in errors
    assert "belongs to no picture" in errors
    assert report(dataset / "b")["pictures"] == 3


def test_any_exception_of_one_picture_is_its_failure(
    dataset: Path, tiny_pose: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = KeypointModel.__call__
    calls: list[int] = []

    def fragile(self: KeypointModel, *args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise cv2.error("an assertion\n of OpenCV")
        return run(self, *args, **options)

    monkeypatch.setattr(KeypointModel, "__call__", fragile)
    assert evaluate(dataset, dataset / "out", tiny_pose) == 1
    assert "an assertion of OpenCV" in capsys.readouterr().err
    assert report(dataset / "out")["pictures"] == 3


def test_nothing_evaluated_is_exit_code_2(dataset: Path, tiny_pose: Path) -> None:
    for picture in dataset.glob("*.png"):
        picture.unlink()
    assert evaluate(dataset, dataset / "out", tiny_pose) == 2
    assert report(dataset / "out")["keypoints"]["AP"] is None


def test_a_changed_model_or_annotation_does_not_resume(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names are those of the run before, the files are not."""
    model = onnx.load(tiny_pose)
    mine = dataset / tiny_pose.name
    onnx.save(model, mine)
    assert evaluate(dataset, dataset / "out", mine) == 0
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]) * 2
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "filters"))
    onnx.save(model, mine)
    assert evaluate(dataset, dataset / "out", mine) == 2
    assert "other settings (pose_sha256)" in capsys.readouterr().err
    damage(dataset, lambda content: content["annotations"][0].update(area=1.0))
    assert evaluate(dataset, dataset / "out", mine) == 2
    assert "annotations_sha256" in capsys.readouterr().err


def test_a_changed_card_does_not_resume(dataset: Path, tiny_pose: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(read_card(tiny_pose).to_json())
    assert evaluate(dataset, dataset / "out", tiny_pose, "--model", str(card)) == 0
    other = replace(read_card(tiny_pose).picture, mean=(0.5, 0.5, 0.5))
    card.write_text(replace(read_card(tiny_pose), input=other).to_json())
    assert evaluate(dataset, dataset / "out", tiny_pose, "--model", str(card)) == 2


@pytest.mark.parametrize("line", [b"\xff\x00", b"[]", b'{"image_id": 0}', b'{"image_id": 0, "people": [3]}'])
def test_a_damaged_line_of_results_is_done_again(dataset: Path, tiny_pose: Path, line: bytes) -> None:
    out = dataset / "out"
    assert evaluate(dataset, out, tiny_pose) == 0
    whole = report(out)
    lines = (out / "pictures.jsonl").read_bytes().splitlines()
    lines[1] = line
    (out / "pictures.jsonl").write_bytes(b"\n".join([*lines, b""]))
    assert evaluate(dataset, out, tiny_pose) == 0
    assert report(out) == whole


def test_figures_of_nobody_are_undefined(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The people are of medium size: there is no AP of large ones. With nobody at all, there is none."""
    assert evaluate(dataset, dataset / "out", tiny_pose) == 0
    assert report(dataset / "out")["keypoints"]["APL"] is None
    assert "APL undefined" in capsys.readouterr().out
    damage(dataset, lambda content: content["annotations"].clear())
    assert evaluate(dataset, dataset / "none", tiny_pose) == 0
    found = report(dataset / "none")
    assert found["keypoints"]["AP"] is None
    assert found["keypoints_AP_interval"] == [None, None]


def test_finding_nobody_is_an_ap_of_0(dataset: Path, tiny_pose: Path) -> None:
    (dataset / "boxes.json").write_text("[]")
    assert evaluate(dataset, dataset / "out", tiny_pose, "--boxes", str(dataset / "boxes.json")) == 0
    assert report(dataset / "out")["keypoints"]["AP"] == 0
    assert report(dataset / "out")["keypoints_AP_interval"] == [0, 0]


def test_other_joints_need_their_sigmas(
    dataset: Path, tiny_pose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of five joints: without sigmas one sentence, with them its own OKS."""
    model = onnx.load(tiny_pose)
    filters = onnx.numpy_helper.to_array(model.graph.initializer[0])[:5]
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(filters, "filters"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5
    card = replace(
        read_card(tiny_pose), keypoints=("a", "b", "c", "d", "e"), flip_pairs=((0, 1),), skeleton=((0, 1),)
    )
    content = json.loads((dataset / "truth.json").read_text())
    for item in content["annotations"]:
        item["keypoints"] = item["keypoints"][:15]
    (dataset / "truth.json").write_text(json.dumps(content))
    for sigmas, code in (((), 2), ((0.05,) * 5, 0)):
        model.metadata_props[0].value = replace(card, oks_sigmas=sigmas).to_json()
        onnx.save(model, tmp_path / f"five{code}.onnx")
        assert evaluate(dataset, tmp_path / f"out{code}", tmp_path / f"five{code}.onnx") == code
    assert "oks_sigmas" in capsys.readouterr().err
    assert report(tmp_path / "out0")["keypoints"]["AP"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("truth.json", "{", "JSON"),
        ("truth.json", "[]", "COCO annotation"),
        ("boxes.json", '[{"bbox": [0, 0, 1, 1]}]', "detection"),
    ],
)
def test_files_that_are_not_coco(
    dataset: Path, tiny_pose: Path, capsys: pytest.CaptureFixture[str], option: str, content: str, words: str
) -> None:
    (dataset / option).write_text(content)
    options = ["--boxes", str(dataset / "boxes.json")] if option == "boxes.json" else []
    assert evaluate(dataset, dataset / "out", tiny_pose, *options) == 2
    assert words in capsys.readouterr().err


def test_the_interval_does_not_depend_on_the_last_bootstrap(dataset: Path, tiny_pose: Path) -> None:
    evaluate(dataset, dataset / "out", tiny_pose)
    people = json.loads((dataset / "out" / "keypoints.json").read_text())
    data = Dataset(dataset / "truth.json", dataset)
    figures, evaluation = keypoint_metrics(data, people[::2], data.image_ids)
    assert bootstrap(evaluation, resamples=20) == bootstrap(evaluation, resamples=20)
    assert keypoint_metrics(data, people[::2], data.image_ids)[0] == figures


@pytest.mark.parametrize(
    ("pose", "preset", "low", "high"),
    [
        ("tinypose_128x96", "paddle", 52.2, 52.6),
        ("tinypose_128x96", "accurate", 56.3, 100),
        ("tinypose_256x192", "paddle", 63.7, 64.1),
        ("tinypose_256x192", "accurate", 68.4, 100),
    ],
)
def test_ap_of_the_official_weights(
    shared: Path, official_models: Path, tmp_path: Path, pose: str, preset: str, low: float, high: float
) -> None:
    """`paddle` gives up the points that PaddleDetection's deployment gives up; `accurate` has them back."""
    coco = shared / "coco_dev"
    words = ["--annotations", str(coco / "person_keypoints_dev.json"), "--images", str(coco / "images")]
    model = official_models / f"{pose}.onnx"
    assert main(["eval", *words, "--pose", str(model), "--preset", preset, "--out", str(tmp_path)]) == 0
    assert low <= report(tmp_path)["keypoints"]["AP"] <= high


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--limit", "-1"), "limit=-1 was given; give a whole number of 1 or more"),
        (("--oks-nms", "nan"), "oks_nms=nan was given; give a number from 0 to 1"),
        (("--threshold", "0.5"), "annotated boxes have no scores; leave it out"),
        (("--boxes", "boxes.json", "--threshold", "5"), "threshold=5.0 was given; give a number from 0 to 1"),
    ],
)
def test_settings_that_cannot_be_used(
    dataset: Path,
    tiny_pose: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(dataset)
    Path("boxes.json").write_text("[]")
    assert evaluate(dataset, dataset / "out", tiny_pose, *options) == 2
    assert sentence in capsys.readouterr().err
