"""Number of cores that this process may use: affinity, and the quotas of its Linux control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/")
_MEMBERSHIP: Final = "proc/self/cgroup"
_HIERARCHIES: Final = "sys/fs/cgroup"
_NO_LIMIT: Final = "max"
_CONTROLLER: Final = "cpu"
_V1_MOUNTS: Final = ("cpu,cpuacct", "cpu")


def default_threads() -> int:
    """Return the number of cores that this process may use, at least 1.

    A container's quota counts: `docker run --cpus=2` on 64 cores gives 2.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, quota())))


def quota(root: Path = _ROOT) -> float:
    """Return the number of cores that the control groups of this process allow; infinity for no limit.

    Args:
        root: Folder that contains `proc` and `sys`.
    """
    try:
        lines = (root / _MEMBERSHIP).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return math.inf
    limits: list[float] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            limits += map(_limit_v2, _folders(root / _HIERARCHIES, group))
        elif _CONTROLLER in controllers.split(","):
            for mount in _V1_MOUNTS:
                limits += map(_limit_v1, _folders(root / _HIERARCHIES / mount, group))
    return min(limits, default=math.inf)


def _folders(hierarchy: Path, group: str) -> Iterator[Path]:
    """Yield the folder of a group and of all groups that contain it.

    In a container the group may have its name on the host, which does not exist inside the container. The
    files of the container's own group are then at the top.
    """
    place = hierarchy / group.lstrip("/")
    yield place
    while place != hierarchy:
        place = place.parent
        yield place


def _limit_v2(folder: Path) -> float:
    limit, *period = _words(folder / "cpu.max")
    return math.inf if limit == _NO_LIMIT else _share(limit, *period)


def _limit_v1(folder: Path) -> float:
    return _share(*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us"))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split() or [_NO_LIMIT]
    except (OSError, ValueError):
        return [_NO_LIMIT]


def _share(limit: str = _NO_LIMIT, period: str = _NO_LIMIT) -> float:
    """Return limit / period; infinity where either is not above 0 (-1 is version 1's "no limit")."""
    try:
        microseconds, of = int(limit), int(period)
    except ValueError:
        return math.inf
    return microseconds / of if microseconds > 0 and of > 0 else math.inf
