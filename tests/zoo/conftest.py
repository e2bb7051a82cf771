"""The server, a folder of models, and a checkpoint that is real in everything but its training."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.zoo.server import Handler, Server, Web

ROOT = Path(__file__).parents[2]
MODEL = "tinypose_128x96"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as found:
        found.web = Web("")
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def web(server: Server, plain_environment: None) -> Web:
    del plain_environment
    server.web = Web(f"http://127.0.0.1:{server.server_port}")
    return server.web


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.startswith("POSE_ONNX_"):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, plain_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    del plain_environment
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TinyPose 128x96 with weights of a trained network's size, as a `.pdparams` file."""
    if find_spec("paddle") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    path = tmp_path_factory.mktemp("checkpoint") / f"{MODEL}.pdparams"
    code = (
        "import pickle, sys, paddle_sources as sources\n"
        f"_, state = sources.build({MODEL!r})\n"
        "open(sys.argv[1], 'wb').write(pickle.dumps(state, protocol=4))\n"
    )
    folders = [str(ROOT / "tests" / "exporters"), str(ROOT), *filter(None, sys.path)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "GLOG_minloglevel": "2"},
    )
    return path
