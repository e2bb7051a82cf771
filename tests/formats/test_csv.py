"""CSV: one row a person, columns by name."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import OutputError
from pose_onnx.formats import FrameRecord, write_csv, write_csv_rows
from tests.formats.conftest import NAMES, people


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_person(frames: Callable[..., list[FrameRecord]], tmp_path: Path) -> None:
    written = frames([3, 1], [], [1])
    write_csv(tmp_path / "a.csv", written, NAMES)
    found = rows(tmp_path / "a.csv")
    assert [(row["frame"], row["time"], row["id"]) for row in found] == [
        ("0", "0.0", "3"),
        ("0", "0.0", "1"),
        ("2", "0.08", "1"),
    ]
    last, poses = found[2], written[2].poses
    assert [float(last[f"box_{corner}"]) for corner in ("x1", "y1", "x2", "y2")] == pytest.approx(
        poses.boxes[0].tolist(), abs=1e-4
    )
    assert float(last["box_score"]) == pytest.approx(poses.box_scores[0], abs=1e-4)
    for index, name in enumerate(NAMES):
        point = float(last[f"{name}_x"]), float(last[f"{name}_y"]), float(last[f"{name}_score"])
        assert point == pytest.approx([*poses.keypoints[0, index], poses.scores[0, index]], abs=1e-4)


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    poses = people(None, count=1)
    poses.keypoints[0, 1] = np.nan, np.inf
    write_csv_rows(tmp_path / "a.csv", ["picture"], [({"picture": "ä, b.jpg"}, poses)], NAMES)
    (row,) = rows(tmp_path / "a.csv")
    assert (row["picture"], row["id"], row["left_wrist_x"], row["left_wrist_y"]) == ("ä, b.jpg", "", "", "")
    assert list(row)[:3] == ["picture", "id", "box_x1"]


def test_nobody_leaves_the_head_of_the_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [], NAMES)
    assert rows(tmp_path / "a.csv") == []
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith("frame,time,id,box_x1")


def test_an_error_half_way_leaves_nothing(frames: Callable[..., list[FrameRecord]], tmp_path: Path) -> None:
    def broken() -> object:
        yield from frames([1])
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        write_csv(tmp_path / "a.csv", broken(), NAMES)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="cannot be written"):
        write_csv(tmp_path / "absent" / "a.csv", [], NAMES)
