"""Photos with known people, files that stop whoever reads them, and what is in a folder of results."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx.image_files import write_image

CELL = 8
WHITE = 255
DEADLINE_S = 60


@pytest.fixture
def photo() -> Callable[..., Path]:
    """Make a photo of 64 x 64 pixels in which the tiny detector finds so many people."""

    def make(path: Path, people: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((64, 64, 3), np.uint8)
        for person in range(people):
            pixels[24 : 24 + CELL, 24 * person : 24 * person + CELL] = WHITE
        write_image(path, pixels)
        return path

    return make


def options(tiny_detector: Path, tiny_pose: Path) -> dict[str, Any]:
    """Return what makes an estimator of the tiny models."""
    return {"detector": str(tiny_detector), "pose": str(tiny_pose)}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Read a folder of results as anybody would."""
    import pyarrow.parquet as pq  # noqa: PLC0415 (an extra)

    rows: list[dict[str, Any]] = pq.read_table(folder).to_pylist()
    return rows


def wait_for_reader(pipe: Path) -> tuple[int, int]:
    """Wait until a process reads a named pipe; return its id, and the end to close when it is dealt with."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.01)
            continue
        while time.monotonic() < end:
            for process in Path("/proc").glob("[0-9]*"):
                if int(process.name) != os.getpid() and opened(process, pipe):
                    return int(process.name), writer
    raise TimeoutError(f"nobody reads {pipe}")


def left_of(processes: Iterable[int]) -> list[int]:
    """Wait until processes are gone; return those that stay. Ray's agents end a moment after its daemon."""
    end = time.monotonic() + DEADLINE_S
    left = list(processes)
    while (left := [one for one in left if Path(f"/proc/{one}").exists()]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def kill_reader(pipe: Path, then: Path | None = None) -> int:
    """Kill the process that waits for a named pipe, once another file has taken its place; return its id."""
    worker, writer = wait_for_reader(pipe)
    if then:
        then.replace(pipe)
    os.kill(worker, signal.SIGKILL)
    while opened(Path(f"/proc/{worker}"), pipe):  # or it would be taken for the next reader
        time.sleep(0.01)
    os.close(writer)
    return worker


def opened(process: Path, path: Path) -> bool:
    try:
        return any(link.readlink() == path for link in (process / "fd").iterdir())
    except OSError:  # it ended meanwhile, or is not ours
        return False


def children(process: int) -> set[int]:
    """Return the ids of all processes below one."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # noqa: PERF203 (it ended meanwhile)
            continue
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}
