"""A model with one network, image in and poses out, goes wherever `PoseEstimator` goes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import InputError, ParallelModel, PoseEstimator, PoseModel, Poses, TopDownModel, draw_poses
from pose_onnx.bench import measure
from pose_onnx.bench._stages import REST
from pose_onnx.cli import main
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.evaluation import Dataset, InPictures, keypoint_metrics, predict
from pose_onnx.image_files import ImageSource, load_image, write_image
from pose_onnx.mapping import map_pictures
from pose_onnx.video import VideoPoseEstimator

SIDE = 24


class Square:
    """Finds one person in a picture: the square, its corners are the joints."""

    names, skeleton, flip_pairs, sigmas = ("top", "bottom"), ((0, 1),), (), (0.1, 0.1)

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Poses:
        lit = np.argwhere(load_image(image, color=color)[..., 0] > 127)[:, ::-1].astype(np.float32)
        box = np.array([[*lit.min(0), *lit.max(0)]]) if len(lit) else np.zeros((0, 4), np.float32)
        ones = np.ones((len(box), 2), np.float32)
        return Poses(box.reshape(-1, 2, 2), ones, box, ones[:, 0], self.names, None, self.skeleton)

    def describe(self) -> dict[str, Any]:
        return {"pose": "square"}

    def close(self) -> None:
        pass


def picture(x: int) -> Image:
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[30 : 30 + SIDE, x : x + SIDE] = 255
    return pixels


def test_what_it_is_shows_by_its_members(tiny_detector: Path, tiny_pose: Path) -> None:
    model: PoseModel = Square()
    assert isinstance(model, PoseModel)
    assert not isinstance(model, TopDownModel | ParallelModel)
    with PoseEstimator(tiny_detector, tiny_pose, threads=1) as estimator:
        assert isinstance(estimator, TopDownModel)
        assert isinstance(estimator, ParallelModel)


def test_in_video_it_looks_at_every_frame() -> None:
    video = VideoPoseEstimator(Square(), every=5, smooth=None)
    frames = list(video.run((index / 25, picture(10 + index)) for index in range(8)))
    assert [frame.detected for frame in frames] == [True] * 8
    assert [None if frame.poses.ids is None else frame.poses.ids.tolist() for frame in frames] == [[1]] * 8
    np.testing.assert_array_equal([frame.poses.boxes[0, 0] for frame in frames], np.arange(10, 18))


def test_without_sigmas_nobody_can_be_followed() -> None:
    model = Square()
    model.sigmas = ()  # type: ignore[assignment]
    with pytest.raises(InputError, match="2 keypoints but no sigmas"):
        VideoPoseEstimator(model)


def test_many_pictures_are_in_order_each_with_its_own_boundary() -> None:
    images: list[ImageSource] = [picture(x) for x in range(20)]
    images[7] = b"no picture"

    def drawn(_image: ImageSource, pixels: Image, poses: Poses) -> Image:
        assert len(poses) == 1
        return draw_poses(pixels, poses)

    results = list(map_pictures(Square(), images, load_image, drawn))
    assert isinstance(results.pop(7), InputError)
    for x, result in zip([*range(7), *range(8, 20)], results, strict=True):
        np.testing.assert_array_equal(result, draw_poses(picture(x), Square()(picture(x))))


def test_where_the_time_goes_is_not_known_of_it_but_how_long_it_takes(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", picture(10))
    (run,) = measure([Square()], [tmp_path / "a.png"], 1)
    assert run.people == 1
    assert run.total.median >= run.stages[REST].median > 0


def test_its_answers_as_annotations_are_an_ap_of_100(dataset: Path, tmp_path: Path) -> None:
    content = json.loads((dataset / "truth.json").read_text())
    model = Square()
    for person in content["annotations"]:
        (pose,) = model(dataset / f"{person['image_id']}.png")
        person["keypoints"] = [value for x, y in pose.keypoints[0].tolist() for value in (x, y, 2)]
        person["num_keypoints"] = 2
    (dataset / "truth.json").write_text(json.dumps(content))
    pictures = Dataset(dataset / "truth.json", dataset)
    lines = list(predict(pictures, InPictures(model), tmp_path, model.describe()))
    people = [person for line in lines for person in line["people"]]
    figures, _ = keypoint_metrics(pictures, people, pictures.image_ids, model.sigmas)
    assert figures["AP"] == pytest.approx(100)


def test_the_command_line_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pose_onnx.cli._options.PoseEstimator", lambda **_: closing(Square()))
    photos = tmp_path / "photos"
    photos.mkdir()
    for x in (10, 11, 12):
        write_image(photos / f"{x}.png", picture(x))
    assert main(["run", str(photos), "--out", str(tmp_path / "run")]) == 0
    document = json.loads((tmp_path / "run" / "poses.json").read_text())
    assert document["settings"].keys() == {"pose_onnx", "backend", "precision", "pose"}
    assert [image["people"][0]["box"][0] for image in document["images"]] == [10, 11, 12]
    np.testing.assert_array_equal(
        load_image(tmp_path / "run" / "10_pose.png"), draw_poses(picture(10), Square()(picture(10)))
    )
    lines = tmp_path / "frames.jsonl"
    assert main(["video", str(photos), "--jsonl", str(lines), "--no-smooth"]) == 0
    frames = [json.loads(line) for line in lines.read_text().splitlines()]
    assert frames[0]["settings"]["pose"] == "square"
    assert [frame["people"][0]["id"] for frame in frames[1:4]] == [1, 1, 1]


def test_a_batch_job_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs pose-onnx[ray]")
    from pose_onnx.ray import PoseBatch  # noqa: PLC0415 (needs the extra)

    monkeypatch.setattr("pose_onnx.ray._batch.PoseEstimator", lambda **_: Square())
    write_image(tmp_path / "a.png", picture(10))
    (table,) = PoseBatch()({"path": np.array([str(tmp_path / "a.png"), str(tmp_path / "gone.png")])})
    found, gone = table.to_pylist()
    assert (found["detector"], found["pose"], len(found["people"])) == (None, "square", 1)
    assert gone["error_kind"] == "InputError"
