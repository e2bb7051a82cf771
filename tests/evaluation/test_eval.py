"""`pose-onnx eval` on a small made-up data set: figures, resuming, errors; and the official weights' AP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

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
