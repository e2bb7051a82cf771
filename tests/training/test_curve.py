"""A run that goes on from earlier weights continues their curve."""

from __future__ import annotations

import json
from pathlib import Path

from training.curve import draw, points, table

ROWS = [
    {"samples": 800, "minutes": 1.0, "cpu_minutes": 0.5, "output": 1.0},
    {"samples": 1600, "minutes": 2.04, "cpu_minutes": 1.0, "AP": 12.34},
]


def test_points_go_on_where_the_last_run_ended(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    first = points(tmp_path)
    assert first == [{"samples": 1600, "minutes": 2.0, "cpu_minutes": 1.0, "AP": 12.3}]
    assert points(tmp_path, first[-1])[0]["samples"] == 3200
    assert "| 1600 | 2 | 1 | 12.3 |" in table("pose", first)


def test_the_picture_is_the_same_each_time(tmp_path: Path) -> None:
    rows = [{"samples": 1600, "minutes": 2.0, "cpu_minutes": 1.0, "AP": 12.3}]
    for name in ("a.svg", "b.svg"):
        draw({"pose": rows}, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "pose: AP" in (tmp_path / "a.svg").read_text()
