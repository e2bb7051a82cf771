"""How many threads run where nobody said: cores, affinity, and the quota of a container."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from pose_onnx.runtimes import _cores, default_threads
from pose_onnx.runtimes._cores import quota


def machine(root: Path, membership: str, files: dict[str, str]) -> Path:
    """Write the files of /proc and /sys that tell of control groups."""
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": ""}, math.inf),
        ("0::/\n", {}, math.inf),
        ("0::/a/b\n", {"cpu.max": "max 100000", "a/cpu.max": "150000 100000", "a/b/cpu.max": "max 1"}, 1.5),
        ("4:cpu,cpuacct:/docker/1\n", {"cpu,cpuacct/docker/1/cpu.cfs_quota_us": "300000",
                                       "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000"}, 3),
        # In a container the group has the host's name, and its files are at the top.
        ("7:memory:/x\n4:cpu,cpuacct:/docker/1\n0::/x\n", {"cpu/cpu.cfs_quota_us": "50000",
                                                           "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
    ],
)  # fmt: skip
def test_quota(tmp_path: Path, membership: str, files: dict[str, str], expected: float) -> None:
    groups = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    assert quota(machine(tmp_path, membership, groups)) == expected


def test_no_control_groups(tmp_path: Path) -> None:
    assert quota(tmp_path) == math.inf


@pytest.mark.parametrize(("limit", "expected"), [(0.5, 1), (1.5, 2), (2, 2), (math.inf, 4)])
def test_threads_are_the_least_of_cores_and_quota(
    monkeypatch: pytest.MonkeyPatch, limit: float, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(_cores, "quota", lambda: limit)
    assert default_threads() == expected
