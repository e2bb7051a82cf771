"""COCO's files, read by COCO's own tool."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from pose_onnx import InputError, load_card
from pose_onnx.formats import (
    FrameRecord,
    coco_annotations,
    coco_results,
    write_coco_dataset,
    write_coco_results,
)
from tests.formats.conftest import NAMES, people


def test_results() -> None:
    poses = people([5])
    poses.keypoints[0, 2] = np.nan
    (result,) = coco_results(poses, 7)
    assert (result["image_id"], result["category_id"]) == (7, 1)
    triples = np.array(result["keypoints"]).reshape(3, 3)
    assert triples[:2, :2] == pytest.approx(poses.keypoints[0, :2], abs=1e-3)
    assert triples[:, 2] == pytest.approx(poses.scores[0], abs=1e-3)
    assert triples[2, :2].tolist() == [0, 0]
    assert result["score"] == pytest.approx(poses.instance_scores()[0])


def test_scores_that_are_no_numbers_become_0(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path
) -> None:
    written = frames([3, 1])
    written[0].poses.box_scores[:] = np.nan, np.inf
    write_coco_results(tmp_path / "results.json", ((frame.index, frame.poses) for frame in written))
    write_coco_dataset(tmp_path / "data.json", lambda: written, NAMES)
    assert [each["score"] for each in json.loads((tmp_path / "results.json").read_bytes())] == [0, 0]
    annotations = json.loads((tmp_path / "data.json").read_bytes())["annotations"]
    assert [each["score"] for each in annotations] == [0, 0]


@pytest.mark.parametrize("name", ["frame_{}.jpg", "{number}.jpg", "{index:q}.jpg", "{index.x}.jpg", "{"])
def test_a_file_name_that_is_no_format(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"file_name=.*such as '\{index:06d\}\.jpg'"):
        write_coco_dataset(tmp_path / "data.json", lambda: frames([1]), NAMES, file_name=name)
    assert list(tmp_path.iterdir()) == []


def test_annotations_mark_only_what_is_seen() -> None:
    poses = people([5])
    poses.scores[0] = 0.9, 0.1, 0.9
    poses.keypoints[0, 2] = np.nan
    (annotation,) = coco_annotations(poses, 7, 20)
    triples = np.array(annotation["keypoints"]).reshape(3, 3)
    assert triples[:, 2].tolist() == [2, 0, 0]
    assert triples[1:, :2].tolist() == [[0, 0], [0, 0]]
    assert triples[0, :2] == pytest.approx(poses.keypoints[0, 0], abs=1e-3)
    x1, y1, x2, y2 = poses.boxes[0]
    assert annotation["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-3)
    assert annotation["area"] == pytest.approx((x2 - x1) * (y2 - y1), rel=1e-4)
    assert (annotation["id"], annotation["num_keypoints"], annotation["track_id"]) == (20, 1, 5)


def test_pycocotools_reads_the_data_set_and_the_results(
    frames: Callable[..., list[FrameRecord]], tmp_path: Path
) -> None:
    written = frames([3, 1], [], [1])
    write_coco_dataset(tmp_path / "data.json", lambda: written, NAMES)
    write_coco_results(tmp_path / "results.json", ((frame.index, frame.poses) for frame in written))
    coco: Any = COCO(str(tmp_path / "data.json"))
    assert sorted(coco.imgs) == [0, 1, 2]
    assert coco.imgs[2] | {"time": 0} == {
        "id": 2,
        "file_name": "000002.jpg",
        "width": 640,
        "height": 480,
        "time": 0,
    }
    assert sorted(coco.anns) == [1, 2, 3]
    assert [item["track_id"] for item in coco.anns.values()] == [3, 1, 1]
    found = coco.loadRes(str(tmp_path / "results.json"))
    assert len(found.getAnnIds(imgIds=[0])) == 2
    assert found.getAnnIds(imgIds=[1]) == []


def test_nobody(tmp_path: Path) -> None:
    write_coco_results(tmp_path / "r.json", [(0, people([]))])
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == []
    names = load_card("tinypose_128x96").keypoints
    write_coco_dataset(tmp_path / "d.json", list, names)
    data = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert data["images"] == data["annotations"] == []
    (category,) = data["categories"]
    assert len(category["keypoints"]) == 17
    # COCO counts from 1: the first and the last keypoint are in the skeleton, 0 is not.
    assert {1, 17} <= {end for limb in category["skeleton"] for end in limb} <= set(range(1, 18))
