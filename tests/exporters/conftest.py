"""Paddle files to export from, written once per run by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("paddle_sources.py")


@pytest.fixture(scope="session")
def unpack(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that unpacks an archive of an inference folder, once, and gives the folder."""
    if find_spec("paddle2onnx") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")

    @cache
    def give(name: str) -> Path:
        target = tmp_path_factory.mktemp(name)
        with tarfile.open(shared / "paddle_folders" / f"{name}.tar.xz") as archive:
            archive.extractall(target, filter="data")
        (folder,) = target.iterdir()
        return folder

    return give


@pytest.fixture(scope="session")
def paddle_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of checkpoints and inference folders; see paddle_sources.py."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    folder = tmp_path_factory.mktemp("paddle")
    for is_pir in "10":  # the older program format needs a process that starts without the new one
        subprocess.run(
            [sys.executable, "-W", "ignore", str(SCRIPT), str(folder)],
            check=True,
            capture_output=True,
            env={
                **os.environ,
                "FLAGS_enable_pir_api": is_pir,
                "GLOG_minloglevel": "2",
                "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[2]), *filter(None, sys.path)]),
            },
        )
    return folder
