"""`PoseEstimator` and every verb with one network that finds people and their joints at once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import (
    InputError,
    KeypointModel,
    ModelFileError,
    PoseEstimator,
    TopDownEstimator,
    TopDownModel,
    UnknownNameError,
)
from pose_onnx.image_files import write_image
from pose_onnx.one_pass import OnePassEstimator
from tests.cli.conftest import Outcome
from tests.tiny_people import heads_network, picture

Cli = Callable[..., Outcome]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return heads_network(tmp_path_factory.mktemp("one_pass") / "people.onnx")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write three photos: somebody walks to the right, a cell in each."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        write_image(folder / f"{index}.png", picture((7, 5 + index)))
    return folder


def test_its_card_says_that_it_needs_no_detector(network: Path) -> None:
    with PoseEstimator(pose=str(network), threads=1, preset="accurate", threshold=0.4) as model:
        assert isinstance(model, OnePassEstimator)
        assert not isinstance(model, TopDownModel)
        assert model.threshold == 0.4
    with PoseEstimator(None, network, flip=True, threshold=None, quality="builtin") as model:
        assert isinstance(model, OnePassEstimator)
        assert (model.threshold, model.flip) == (0.3, True)
    with PoseEstimator(threads=1) as model:
        assert isinstance(model, TopDownEstimator)


def test_map_gives_what_calls_give(network: Path) -> None:
    images = [picture((7, column)) for column in range(3, 9)]
    with PoseEstimator(pose=network, threads=1) as model:
        for image, poses in zip(images, model.map(images), strict=True):
            np.testing.assert_array_equal(poses.keypoints, model(image).keypoints)
        found = list(model.map([images[0], b"no picture"], on_error="return"))
    assert isinstance(found[1], InputError)


@pytest.mark.parametrize(
    "given",
    [
        {"detector": "picodet_s_320_lcnet_pedestrian"},
        {"batch_size": 4},
        {"preset": "paddle"},
        {"quality": "best"},
    ],
)
def test_what_is_for_a_detector_is_an_error(network: Path, given: dict[str, Any]) -> None:
    with pytest.raises(
        InputError, match=rf"{next(iter(given))}.*one pass, without a detector; leave them out"
    ):
        PoseEstimator(pose=str(network), **given)


def test_where_it_does_not_fit_the_hint_says_what_opens_it(network: Path) -> None:
    with pytest.raises(ModelFileError, match=r"or open it with pose_onnx\.PoseEstimator"):
        KeypointModel(network)


def test_ways_to_treat_overlaps_are_for_one_pass(network: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"nms 'sift' is not known; did you mean 'soft'"):
        PoseEstimator(pose=network, nms="sift")
    with pytest.raises(InputError, match=r"nms='soft' was given, but here a detector finds the people"):
        PoseEstimator(nms="soft")


def test_run(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    done = cli("run", photos, "--pose", network, "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    document = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert (document["settings"]["pose"], "detector" in document["settings"]) == ("tiny_people", False)
    left = [image["people"][0]["box"][0] for image in document["images"]]
    np.testing.assert_allclose(np.diff(left), 4, atol=1e-3)


def test_soft_nms(cli: Cli, network: Path, tmp_path: Path) -> None:
    """The lower of two who overlap gets a lower score, and so falls below a threshold between the two."""
    photo = tmp_path / "two.png"
    two = picture((3, 5), (3, 7))
    two[12:16, 28:32] = 220
    write_image(photo, two)
    with PoseEstimator(pose=network, threads=1) as plain:
        before = plain(photo).box_scores
    with PoseEstimator(pose=network, threads=1, nms="soft") as soft:
        after = soft(photo).box_scores
    assert before[0] == after[0]
    assert after[1] < before[1]
    threshold = str((before[1] + after[1]) / 2)
    words = "run", photo, "--pose", network, "--threshold", threshold, "--out"
    for options, people in ([], 2), (["--nms", "soft"], 1):
        out = tmp_path / f"out{people}"
        assert cli(*words, out, *options).code == 0
        document = json.loads((out / "poses.json").read_text())
        assert len(document["images"][0]["people"]) == people
        assert document["settings"]["nms"] == (options[1] if options else None)


@pytest.mark.parametrize("verb", ["run", "video", "eval"])
def test_soft_nms_of_a_pair_is_one_sentence(cli: Cli, photos: Path, tmp_path: Path, verb: str) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text('{"images": [], "annotations": [], "categories": []}')
    sources = ["--annotations", truth, "--images", photos] if verb == "eval" else [photos]
    done = cli(verb, *sources, "--nms", "soft", "--out", tmp_path / "out")
    assert done.code == 2
    assert re.search(r"soft'? was given, but .*leave it out", done.err)
    assert done.err.count("\n") == 1


def test_verify(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    other = shutil.copy(network, tmp_path / "other.onnx")
    done = cli("verify", network, other, "--image", photos / "0.png")
    assert done.code == 0, done.err
    assert "scores of people" in done.out


def test_a_detector_too_is_one_sentence(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    detector = "picodet_s_192_lcnet_pedestrian_distilled"
    done = cli("run", photos, "--pose", network, "--detector", detector, "--out", tmp_path / "out")
    assert done.code == 2
    assert "without a detector; leave them out" in done.err
    assert not (tmp_path / "out").exists()


def test_video(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    lines = tmp_path / "frames.jsonl"
    assert cli("video", photos, "--pose", network, "--jsonl", lines).code == 0
    _, *frames, _ = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [frame["detected"] for frame in frames] == [True] * 3
    assert [frame["people"][0]["id"] for frame in frames] == [1] * 3


def test_batch(network: Path, photos: Path) -> None:
    pytest.importorskip("ray", reason="needs pose-onnx[ray]")
    from pose_onnx.ray import PoseBatch  # noqa: PLC0415 (needs the extra)

    (table,) = PoseBatch(pose=str(network))({"path": np.array([str(photos / "0.png")])})
    (row,) = table.to_pylist()
    assert (row["detector"], row["pose"], len(row["people"])) == (None, "tiny_people", 1)


def test_bench(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    figures = tmp_path / "bench.json"
    words = "--image", photos / "0.png", "--backends", "ort", "--repeat", 1, "--threads", 1, "--json", figures
    done = cli("bench", "--pose", network, *words)
    assert done.code == 0, done.err
    document = json.loads(figures.read_text())
    assert document["models"] == {"pose": str(network)}
    assert document["threshold"] == 0.3
    (run,) = document["runs"]
    assert run["people"] == 1
    assert {name for name, taken in run["stages"].items() if taken["median"] > 0} == {
        "load image", "detector pre-processing", "keypoint network", "decode", "rest",
    }  # fmt: skip


def test_eval(cli: Cli, network: Path, photos: Path, tmp_path: Path) -> None:
    """What it finds as annotations is an AP of 100, of keypoints and of boxes."""
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(truth_of(network, photos)))
    words = "eval", "--annotations", truth, "--images", photos, "--pose", network, "--out", tmp_path / "eval"
    done = cli(*words)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "eval" / "report.json").read_text())
    assert report["keypoints"]["AP"] == report["boxes"]["AP"] == pytest.approx(100)
    assert (report["settings"]["threshold"], report["settings"]["pose"]) == (0, "tiny_people")
    people = json.loads((tmp_path / "eval" / "keypoints.json").read_text())
    with PoseEstimator(pose=network, threads=1) as model:  # ranked as by CenterNet, joints' scores apart
        scores = [model(path).box_scores[0] for path in sorted(photos.iterdir())]
    assert [max(p["score"] for p in people if p["image_id"] == i) for i in range(3)] == pytest.approx(scores)
    assert cli(*words, "--boxes", "gt").code == 2
    assert "needs no boxes" in cli(*words, "--detector", "any").err


def truth_of(network: Path, photos: Path) -> dict[str, Any]:
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    with PoseEstimator(pose=network, threads=1) as model:
        for index, path in enumerate(sorted(photos.iterdir())):
            content["images"].append({"id": index, "file_name": path.name, "height": 64, "width": 64})
            (pose,) = model(path)
            x1, y1, x2, y2 = pose.boxes[0].tolist()
            points = np.concatenate([pose.keypoints[0], np.full((17, 1), 2)], axis=1)
            content["annotations"].append(
                {
                    "id": index + 1, "image_id": index, "category_id": 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 60.0 * 60, "num_keypoints": 17,
                    "keypoints": points.ravel().tolist(),
                }
            )  # fmt: skip
    return content
